from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hfscan.cli._command import Command
from hfscan.cli._completion import complete_names
from hfscan.cli._options import account_groups_option, db_option, open_store
from hfscan.cli._output import note
from hfscan.cli._progress import show_activity
from hfscan.cli._reports import Target, reports_option, target_options, write_report
from hfscan.paths import data_dir

if TYPE_CHECKING:
    from hfscan.figures import AccountGroups

_EXAMPLES = """
hfscan claims
# one claim, or all claims of a topic
hfscan claims pytorch-exclusive-2022
hfscan claims pickle
hfscan claims --format html --out claims.html
# your own claims, one TOML file each; see docs/claims.md
hfscan claims --claims .
"""


def _list_names(folder: Path | None) -> list[str]:
    from hfscan.report.claims.spec import list_names, load_claims

    return list_names(load_claims(folder or data_dir("reports") / "claims"))


@click.command("claims", cls=Command, examples=_EXAMPLES)
@click.argument(
    "name",
    required=False,
    metavar="[NAME]",
    shell_complete=complete_names(lambda ctx: _list_names(ctx.params["folder"])),
)
@db_option
@click.option(
    "--claims",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with your own claims (*.toml), to check instead of hfscan's.",
)
@account_groups_option
@click.option("--full", is_flag=True, help="Print every claim's page, not only the verdicts.")
@target_options
@reports_option
def command(
    name: str | None,
    db: Path,
    folder: Path | None,
    account_groups: AccountGroups | None,
    full: bool,
    target: Target,
    reports: Path | None,
) -> None:
    """Check published claims against the data: the claim, the measured value and the verdict.

    NAME is a claim or a topic. Without it, prints the verdicts only; files have everything. Each
    claim is measured as its authors most plausibly did, in the snapshot closest to its date; other
    readings can only weaken the verdict.
    """
    from hfscan.report import build_claims_report

    is_short = target == Target(("terminal",), None) and name is None and not full
    with show_activity("Checking the claims"), open_store(db) as store:
        report = build_claims_report(
            store,
            where=reports,
            folder=folder,
            account_groups=account_groups,
            name=name,
            full=not is_short,
        )
    write_report(report, target)
    if is_short and len(report.claims) > 1:
        note("One claim: hfscan claims NAME. Everything: hfscan claims --full")

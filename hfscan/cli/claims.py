from pathlib import Path

import click

from hfscan.cli._command import Command
from hfscan.cli._options import db_option, open_store
from hfscan.cli._reports import Target, reports_option, target_options, write_report
from hfscan.report import build_database_report

_EXAMPLES = """
hfscan claims
hfscan claims --format html --out claims.html
# also your own claims in claims/*.toml
hfscan claims --reports .
"""


@click.command("claims", cls=Command, examples=_EXAMPLES)
@db_option
@target_options
@reports_option
def command(db: Path, target: Target, reports: Path | None) -> None:
    """Check published claims against the data: the claim, the measured value and the verdict.

    Each claim is measured under every definition and for several sets of frameworks, in the
    snapshot closest to its date. Same as `hfscan report --name claims`.
    """
    with open_store(db) as store:
        report = build_database_report(store, "claims", where=reports)
    write_report(report, target)

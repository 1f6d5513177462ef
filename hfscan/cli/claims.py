"""`hfscan claims`."""

from pathlib import Path

import click

from hfscan.cli._command import Command
from hfscan.cli._options import db_option, open_store
from hfscan.cli._reports import choose_target, formats_option, out_option, write_report
from hfscan.report import build_whole


@click.command("claims", cls=Command)
@db_option
@formats_option
@out_option
@click.option(
    "--reports",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of your own, with claims/*.toml in it.",
)
def command(db: Path, formats: tuple[str, ...], out: str | None, reports: Path | None) -> None:
    """Weigh published claims: what was said, what is measured, and how far that agrees.

    Each claim is measured under every definition and among several sets of frameworks, from the
    snapshot that lies nearest to its time. The same as `hfscan report --name claims`.
    """
    target = choose_target(formats, out)
    with open_store(db) as store:
        report = build_whole(store, "claims", where=reports)
    write_report(report, target)

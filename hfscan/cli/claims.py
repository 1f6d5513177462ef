"""`hfscan claims`."""

import sys
from pathlib import Path

import click

from hfscan.cli._options import db_option, opened
from hfscan.report.claim_formats import CLAIM_FORMATS
from hfscan.report.claims import weigh


@click.command("claims")
@db_option
@click.option(
    "--format", "format_", type=click.Choice(list(CLAIM_FORMATS)), default="terminal",
    show_default=True,
)  # fmt: skip
@click.option(
    "--reports",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of your own, with claims/*.toml in it.",
)
def command(db: Path, format_: str, reports: Path | None) -> None:
    """Weigh published claims: what was said, what is measured, and how far that agrees.

    Each claim is measured under every definition and among several sets of frameworks, from the
    observation that lies nearest to its time.
    """
    with opened(db) as store:
        claims = list(weigh(store, where=reports))
    CLAIM_FORMATS[format_](claims, sys.stdout)

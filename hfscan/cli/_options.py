"""Options that several commands share."""

from pathlib import Path

import click

db_option = click.option(
    "--db",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="HFSCAN_DB",
    default=Path("hfscan.duckdb"),
    show_default=True,
    show_envvar=True,
    help="The database.",
)

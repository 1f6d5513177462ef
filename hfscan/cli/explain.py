"""`hfscan explain`."""

from datetime import datetime
from pathlib import Path

import click

from hfscan.cli._command import Command
from hfscan.cli._options import (
    as_of_option,
    db_option,
    format_option,
    open_store,
    select_snapshot,
    snapshot_option,
)
from hfscan.cli._output import echo
from hfscan.cli._streams import output
from hfscan.frameworks import DEFINITIONS, classify, taxonomy
from hfscan.report import ROW_FORMATS

_UNKNOWN = {
    "tag": "its tags are not known",
    "weights": "its file names are not known",
    "loadable": "its tags are not known",
}
"""Definition -> why it says nothing."""


@click.command("explain", cls=Command)
@click.argument("model", metavar="MODEL_ID")
@db_option
@format_option
@as_of_option
@snapshot_option
def command(
    model: str, db: Path, format_: str, as_of: datetime | None, snapshot: int | None
) -> None:
    """Show which evidence says that a model serves a framework, under each definition.

    `loadable` holds whatever `tag` and `weights` hold as well.
    """
    with open_store(db) as store:
        census = select_snapshot(store, snapshot, as_of)
        seen = census.model(model)
    found = classify(
        {
            "tags": seen["tags"],
            "library_name": seen["library_name"],
            "siblings": seen["files"],
            "config": {"model_type": seen["model_type"], "architectures": seen["architectures"]},
        }
    )
    titles = taxonomy().titles
    rows = [
        {
            "definition": one.definition,
            "serves": titles[one.framework],
            "because": one.because,
            "source": one.source,
        }
        for one in found.reasons
    ]
    ROW_FORMATS[format_](rows, output(format_))
    if format_ != "terminal":
        return
    echo()
    echo(f"{seen['id']}, as snapshot {census.snapshot.id} saw it:")
    for definition in DEFINITIONS:
        keys = getattr(found, definition)
        told = _UNKNOWN[definition] if keys is None else _listed(keys, titles)
        echo(f"  {definition}: {told}")


def _listed(keys: frozenset[str], titles: dict[str, str]) -> str:
    return ", ".join(title for key, title in titles.items() if key in keys) or "none"

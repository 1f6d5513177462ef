from collections.abc import Mapping
from typing import Any

import click

from hfscan.cli._command import Command
from hfscan.cli._options import (
    SnapshotSelector,
    format_option,
    snapshot_options,
    transformers_option,
)
from hfscan.cli._output import echo
from hfscan.cli._streams import output
from hfscan.frameworks import DEFINITIONS, Definition, classify, taxonomy
from hfscan.report import write_rows

_EXAMPLES = """
hfscan explain openai-community/gpt2
hfscan explain google-bert/bert-base-uncased --as-of 2024-07-11 --format json
"""


@click.command("explain", cls=Command, examples=_EXAMPLES)
@click.argument("model", metavar="MODEL_ID")
@transformers_option
@format_option
@snapshot_options
def command(model: str, transformers: int | None, format_: str, selector: SnapshotSelector) -> None:
    """Show the evidence that a model supports a framework, under each definition.

    `loadable` includes the evidence of `tag` and `weights`. It is unknown where file names or the
    architecture could decide and are not known.
    """
    with selector.open() as store:
        view = selector.select(store)
        row = view.find_model(model)
    support = classify(
        {
            "id": row["id"],
            "tags": row["tags"],
            "library_name": row["library_name"],
            "siblings": row["files"],
            "config": {"model_type": row["model_type"], "architectures": row["architectures"]},
        },
        transformers=transformers or view.transformers,
    )
    titles = taxonomy().titles
    rows = [
        {
            "definition": item.definition,
            "framework": titles[item.framework],
            "evidence": item.description,
            "source": item.citation,
        }
        for item in support.evidence
    ]
    write_rows(format_, rows, output(format_))
    if format_ != "terminal":
        return
    echo()
    echo(f"{row['id']} in snapshot {view.snapshot.id} of {view.snapshot.observed_to:%Y-%m-%d}:")
    for definition in DEFINITIONS:
        keys = getattr(support, definition)
        if keys is None:
            names = f"unknown, because its {_name_missing(definition, row)} not known"
        else:
            names = ", ".join(title for key, title in titles.items() if key in keys) or "none"
        echo(f"  {definition}: {names}")


def _name_missing(definition: Definition, row: Mapping[str, Any]) -> str:
    """Return what is missing to classify a model, with its verb."""
    if row["files"] is None and (definition == "weights" or row["tags"] is not None):
        return "file names are"
    return "tags are" if row["tags"] is None else "architecture is"

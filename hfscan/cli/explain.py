from __future__ import annotations

import click

from hfscan.cli._command import Command
from hfscan.cli._options import (
    SnapshotSelector,
    format_option,
    snapshot_options,
    transformers_option,
)
from hfscan.cli._output import echo, note
from hfscan.cli._progress import show_activity
from hfscan.cli._streams import output
from hfscan.frameworks import DEFINITIONS

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

    `loadable` includes the evidence of `tag` and `weights`, also where the release of transformers
    has dropped the classes that it needs. It is unknown where file names or the
    architecture could decide and are not known.
    """
    from hfscan.figures import explain_model
    from hfscan.figures.limits import describe_partial
    from hfscan.report import write_rows

    with show_activity("Reading the snapshot"), selector.open() as store:
        support = explain_model(selector.select(store), model, transformers)
        limits = list(describe_partial(store, [support.snapshot]))
    write_rows(format_, support.rows, output(format_))
    if format_ == "terminal":
        day = f"{support.snapshot.observed_to:%Y-%m-%d}"
        echo()
        echo(f"{support.model['id']} in snapshot {support.snapshot.id} of {day}:")
        for definition in DEFINITIONS:
            echo(f"  {definition}: {support.describe(definition)}")
    for text in limits:
        note(text)

from __future__ import annotations

from pathlib import Path

import click

from hfscan.cli._command import Command
from hfscan.cli._options import db_option, open_store
from hfscan.cli._progress import show_activity
from hfscan.cli._reports import Target, target_options, write_report

_EXAMPLES = """
hfscan show openai-community/gpt2
hfscan show google-bert
hfscan show family:google-bert/bert-base-uncased --out family.html
hfscan show openai-community/gpt2 --format json
"""


@click.command("show", cls=Command, examples=_EXAMPLES)
@click.argument("name", metavar="MODEL_ID | OWNER | family:MODEL_ID")
@db_option
@target_options
def command(name: str, db: Path, target: Target) -> None:
    """Show a model, an account or a family of models over time, in all snapshots.

    For a model: downloads, likes, files and tags, and when it was created, renamed, changed, gone
    and back. For an account or a family: its models, their downloads and likes, and which came,
    went or were renamed. A family is what was made from a model, as declared in the newest
    snapshot that lacks no part of the Hub.
    """
    from hfscan.figures import find_subject
    from hfscan.report import build_database_report

    with show_activity("Reading the snapshots"), open_store(db) as store:
        subject = find_subject(store, name)
        report = build_database_report(store, subject.report, subject=subject)
    write_report(report, target)

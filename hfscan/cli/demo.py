from __future__ import annotations

import sys
from pathlib import Path

import click

from hfscan.cli._command import Command
from hfscan.cli._output import echo, note
from hfscan.cli._progress import show_activity, show_progress
from hfscan.cli._types import FOLDER
from hfscan.fs import translate_os_errors
from hfscan.scope import Scope

_MODELS, _SEED, _YEAR = 20_000, 2022, 2022
_EXAMPLES = """
hfscan demo
hfscan demo --out my-demo
"""


@click.command("demo", cls=Command, examples=_EXAMPLES)
@click.option(
    "--out", type=FOLDER, default=Path("demo"), help="Folder for the database and the reports."
)
def command(out: Path) -> None:
    """Crawl a synthetic Hub over HTTP and report on the models created in 2022.

    Needs no network and no token. All output is marked as synthetic.
    """
    from hfscan.fakehub import FakeHub, Population
    from hfscan.figures import SnapshotView
    from hfscan.pipeline import crawl
    from hfscan.report import ReportRequest, build, list_next_options, write_folder, write_summary
    from hfscan.store import Store

    with translate_os_errors(out, "choose another --out"):
        out.mkdir(parents=True, exist_ok=True)
    db = out / "hfscan.duckdb"
    with FakeHub(Population.synthetic(_MODELS, seed=_SEED), quota=None) as hub:
        note(f"Serving {_MODELS:,} synthetic models at {hub.url}")
        with show_progress() as progress:
            crawled = crawl(
                Scope(), endpoint=hub.url, token=None, db=db, resume=False, progress=progress
            )
    with show_activity("Building the report"), Store.open(db) as store:
        view = SnapshotView.choose(store, None, snapshot=crawled.ingested.snapshot)
        report = build(view, ReportRequest(_YEAR))
        write_folder(report, ("md", "html"), out)
    command = ["hfscan", "report", "--db", str(db), "--year", str(_YEAR)]
    write_summary(report, sys.stdout, [[*command, *more] for more in list_next_options(report)])
    echo(f"Database: {db}")
    echo(f"Report (open it in a browser): {out / f'{report.file_name}.html'}")

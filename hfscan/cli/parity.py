"""`hfscan parity`."""

import importlib.util
import io
import sys
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import click

from hfscan.errors import HfscanError, StorageError
from hfscan.store import Store
from hfscan.store.parity import record


@click.command("parity")
@click.argument("checkpoints", nargs=-1, metavar="[CHECKPOINT]...")
@click.option(
    "--demo", is_flag=True, help="Make a tiny BERT and GPT-2 and check those; no network."
)
@click.option("--lanes", default="pytorch,tensorflow", show_default=True, metavar="LANE,...")
@click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True
)
@click.option(
    "--dtype",
    type=click.Choice(["float32", "bfloat16", "float16"]),
    default="float32",
    show_default=True,
)
@click.option("--lane-python", multiple=True, metavar="LANE=INTERPRETER", help="May be repeated.")
@click.option("--revision", help="Branch, tag or commit of a Hub id.")
@click.option("--measure/--no-measure", default=True, show_default=True, help="Latency as well.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Per lane.")
@click.option(
    "--timeout",
    type=click.FloatRange(1),
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="For one step of one case.",
)
@click.option("--memory", type=click.FloatRange(100), metavar="MB", help="Limit for one lane.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["terminal", "md", "json"]),
    help="Default: terminal, or what the ending of --out says.",
)
@click.option(
    "--against", metavar="CHECKPOINT", help="Hold them all to this one's weights and config."
)
@click.option(
    "--db",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep the results in this database as well; made where it is missing.",
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file.")
def command(
    checkpoints: tuple[str, ...],
    demo: bool,
    lanes: str,
    device: str,
    dtype: str,
    lane_python: tuple[str, ...],
    revision: str | None,
    measure: bool,
    threads: int,
    timeout: float,
    memory: float | None,
    format_: str | None,
    against: str | None,
    db: Path | None,
    out: Path | None,
) -> None:
    """Load CHECKPOINTs (folders or Hub ids) into several frameworks and compare what they do.

    Exit code 0: every weight file agrees in every lane. 1: some differ or fail. 2: usage.
    """
    if importlib.util.find_spec("numpy") is None:
        raise click.UsageError("parity needs numpy and frameworks: pip install 'hfscan[parity]'")
    from hfscan.parity import demo as demo_  # noqa: PLC0415 - needs numpy
    from hfscan.parity import hub, report  # noqa: PLC0415
    from hfscan.parity.checkpoints import together  # noqa: PLC0415
    from hfscan.parity.sweep import Settings, Sweep  # noqa: PLC0415
    from hfscan.parity.verdict import Result, unopened  # noqa: PLC0415
    from hfscan.parity.worker import lane_names  # noqa: PLC0415

    if not checkpoints and not demo:
        raise click.UsageError("name a checkpoint (a folder or a Hub id), or use --demo")
    chosen = tuple(dict.fromkeys(lanes.split(",")))
    unknown = [lane for lane in chosen if lane not in lane_names()]
    if unknown:
        raise click.UsageError(f"no lane {unknown[0]!r}; there are: {', '.join(lane_names())}")
    settings = Settings(
        chosen,
        device,
        dtype,
        _pythons(lane_python, lane_names()),
        threads,
        timeout,
        memory,
        measure,
    )
    if db is not None:
        Store.open(db, write=True).connection.close()  # say now, not in an hour, that it cannot be
    started = datetime.now(UTC)
    results: list[Result] = []
    with ExitStack() as stack:
        sweep = stack.enter_context(Sweep(settings))
        named = list(checkpoints)
        if demo:
            scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="hfscan-demo-"))
            named += map(str, demo_.make(sweep, Path(scratch)))
        for name in named:
            click.echo(f"Checking {name!r}", err=True)
            try:
                checkpoint = hub.checkpoint(name, revision)
                if against is not None:
                    checkpoint = together(checkpoint, hub.checkpoint(against))
                results += sweep.check(checkpoint)
            except HfscanError as error:
                results.append(unopened(name, str(error), dtype))
        document = report.document(results, sweep.environment(), started)
    if db is not None:
        with Store.open(db, write=True) as store:
            record(store.connection, document)
    text = io.StringIO()
    report.FORMATS[format_ or _format_of(out)](document, text)
    if out is None:
        sys.stdout.write(text.getvalue())
    else:
        try:
            out.write_text(text.getvalue(), encoding="utf-8")
        except OSError as error:
            raise StorageError(f"{out} cannot be written: {error.strerror}.") from error
    sys.exit(0 if document["agree"] else 1)


def _pythons(given: tuple[str, ...], lanes: list[str]) -> dict[str, str]:
    pythons = {}
    for text in given:
        lane, equals, interpreter = text.partition("=")
        if not equals or lane not in lanes:
            raise click.UsageError(
                f"--lane-python wants LANE=INTERPRETER, a lane being one of {', '.join(lanes)}; "
                f"got {text!r}"
            )
        pythons[lane] = interpreter
    return pythons


def _format_of(out: Path | None) -> str:
    return {".md": "md", ".json": "json"}.get(out.suffix.lower() if out else "", "terminal")

"""`hfscan parity`."""

import importlib.util
import io
import sys
import tempfile
from collections.abc import Callable, Collection
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hfscan.cli._command import Command
from hfscan.cli._options import backend_python_option
from hfscan.cli._output import is_quiet, note
from hfscan.cli._reports import choose_target, out_option
from hfscan.cli._streams import output
from hfscan.cli._types import (
    LARGEST_MB,
    LARGEST_SECONDS,
    LARGEST_THREADS,
    Choice,
    Count,
    Number,
)
from hfscan.errors import HfscanError, NotFoundError, StorageError
from hfscan.fs import write_output
from hfscan.store import Store
from hfscan.store.parity import Drawn, draw_sample, record
from hfscan.suggest import unknown

if TYPE_CHECKING:
    from hfscan.parity.sweep import Sweep
    from hfscan.parity.verdict import Result

_ROUNDS = 5  # of timing
_NAMED = {"terminal": "txt"}
_MODEL_TYPES = Path(__file__).parents[1] / "parity" / "model_types.txt"


_EXAMPLES = """
hfscan parity --demo
hfscan parity openai-community/gpt2 --backends pytorch,flax
hfscan parity ./my-model --baseline openai-community/gpt2 --format html --out parity.html
# 100 models of the database that support both frameworks
hfscan parity --sample 100 --db hfscan.duckdb
"""


@click.command("parity", cls=Command, examples=_EXAMPLES)
@click.argument("checkpoints", nargs=-1, metavar="[CHECKPOINT]...")
@click.option(
    "--demo", is_flag=True, help="Make a tiny BERT and GPT-2 and check those; no network."
)
@click.option(
    "--demo-size",
    type=Choice(["tiny", "base"]),
    default="tiny",
    show_default=True,
    help="base: random models of the shapes of BERT-base, GPT-2 (124M) and ResNet-50 instead.",
)
@click.option(
    "--sample",
    type=Count(1),
    metavar="N",
    help="Check N models of --db that support both frameworks, of all model types and downloads.",
)
@click.option(
    "--backends",
    default="pytorch,tensorflow",
    show_default=True,
    metavar="BACKEND,...",
    help="Backends to compare.",
)
@click.option(
    "--device",
    type=Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Device that runs the models.",
)
@click.option(
    "--dtype",
    type=Choice(["float32", "bfloat16", "float16"]),
    default="float32",
    show_default=True,
    help="Precision of the models.",
)
@backend_python_option
@click.option("--revision", help="Branch, tag or commit of a Hub id.")
@click.option(
    "--baseline", metavar="CHECKPOINT", help="Hold them all to this one's weights and config."
)
@click.option(
    "--inputs",
    metavar="FILE | dataset:NAME:SPLIT:COLUMN",
    help="Texts to run, one a line, in place of random token ids.",
)
@click.option("--measure/--no-measure", default=True, show_default=True, help="Latency as well.")
@click.option(
    "--variants", is_flag=True, help="Time eager and compiled variants, each in its own process."
)
@click.option(
    "--train", is_flag=True, help="Time training steps too, each framework in its own process."
)
@click.option("--rounds", type=Count(1), help="Rounds of timing.  [default: 5]")
@click.option(
    "--threads", type=Count(1, LARGEST_THREADS), default=1, show_default=True, help="Per backend."
)
@click.option(
    "--timeout",
    type=Number(1, LARGEST_SECONDS),
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="For one step of one case.",
)
@click.option("--memory", type=Number(100, LARGEST_MB), metavar="MB", help="Limit for one backend.")
@click.option(
    "--db",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep the results in this database as well; made where it is missing.",
)
@click.option(
    "--format",
    "formats",
    type=Choice(["terminal", "md", "json", "html"]),
    multiple=True,
    help="Repeatable, with a folder as --out.  "
    "[default: terminal, or what the ending of --out says]",
)
@out_option
def command(
    checkpoints: tuple[str, ...],
    demo: bool,
    demo_size: str,
    sample: int | None,
    backends: str,
    device: str,
    dtype: str,
    pythons: dict[str, str],
    revision: str | None,
    baseline: str | None,
    inputs: str | None,
    measure: bool,
    variants: bool,
    train: bool,
    rounds: int | None,
    threads: int,
    timeout: float,
    memory: float | None,
    db: Path | None,
    formats: tuple[str, ...],
    out: str | None,
) -> None:
    """Load CHECKPOINTs (folders or Hub ids) into several frameworks and compare what they do.

    Exit code 0: every weight file agrees in every backend. 1: some differ or fail. 2: usage.
    """
    if importlib.util.find_spec("numpy") is None:
        raise click.UsageError("parity needs numpy and frameworks: pip install 'hfscan[parity]'")
    from hfscan.parity import hub, report, texts  # noqa: PLC0415 - they need numpy
    from hfscan.parity.sweep import Settings, Sweep  # noqa: PLC0415
    from hfscan.parity.worker import backend_names  # noqa: PLC0415

    if not checkpoints and not demo and not sample:
        raise click.UsageError(
            "name a checkpoint (a folder or a Hub id), or use --demo or --sample"
        )
    if not measure:
        _reject_without_timing(rounds=rounds, variants=variants, train=train)
    if sample and db is None:
        raise click.UsageError("--sample draws from a database: name it with --db.")
    chosen = tuple(dict.fromkeys(backends.split(",")))
    strange = [name for name in (*chosen, *pythons) if name not in backend_names()]
    if strange:
        raise click.UsageError(unknown("backend", strange[0], backend_names()))
    settings = Settings(
        backends=chosen,
        device=device,
        dtype=dtype,
        pythons=pythons,
        threads=threads,
        seconds=timeout,
        memory_mb=memory,
        measure=measure,
        variants=variants,
        train=train,
        rounds=rounds or _ROUNDS,
    )
    hub.require_endpoint([*checkpoints, *filter(None, [baseline])])
    targets = _targets(formats, out)
    named = [(name, revision) for name in checkpoints]
    snapshot, drawn = None, list[Drawn]()
    if sample and db:
        snapshot, drawn = _drawn(db, sample)
        named += [(one.id, one.sha) for one in drawn]
        hub.require_endpoint(one.id for one in drawn)
    elif db:
        Store.open(db, write=True).close()  # say now, not in an hour, that it cannot be
    given = texts.read(inputs) if inputs else None
    started = datetime.now(UTC)
    with ExitStack() as stack:
        sweep = stack.enter_context(Sweep(settings, _notifier()))
        if demo:
            named += [(str(one), None) for one in _demo(sweep, stack, full=demo_size == "base")]
        results = [r for name, at in named for r in _check(sweep, name, at, baseline, given)]
        environment = sweep.environment() | {"inputs": inputs, "sample": _sampled(snapshot, drawn)}
    document = report.document(results, environment, started, sweep.measurements)
    if db is not None:
        with Store.open(db, write=True) as store:
            record(store.connection, document, snapshot)
    for path, format_ in targets.items():
        _write(document, format_, path)
    sys.exit(0 if document["agree"] else 1)


def _reject_without_timing(**options: int | None) -> None:
    """Raise UsageError if an option about timing is given with --no-measure."""
    for name, value in options.items():
        if value:
            raise click.UsageError(
                f"--{name} is about timing. It cannot be combined with --no-measure."
            )


def _notifier() -> Callable[[str], None] | None:
    """Return what tells of long waits: asked here, for threads do not know of -q."""
    return None if is_quiet() else note


def _check(
    sweep: "Sweep", name: str, revision: str | None, baseline: str | None, given: list[str] | None
) -> list["Result"]:
    from hfscan.parity import hub  # noqa: PLC0415
    from hfscan.parity.checkpoints import CheckpointError, together  # noqa: PLC0415
    from hfscan.parity.verdict import unopened  # noqa: PLC0415

    note(f"Checking {name!r}")
    try:
        checkpoint = hub.checkpoint(name, revision)
        if baseline is not None:
            checkpoint = together(checkpoint, hub.checkpoint(baseline))
        return list(sweep.check(checkpoint, given))
    except CheckpointError as error:
        return [unopened(name, str(error), sweep.settings.dtype, verdict=error.verdict)]
    except HfscanError as error:
        return [unopened(name, str(error), sweep.settings.dtype)]


def _demo(sweep: "Sweep", stack: ExitStack, *, full: bool) -> list[Path]:
    from hfscan.parity import demo  # noqa: PLC0415

    scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="hfscan-demo-"))
    return demo.make(sweep, Path(scratch), full=full)


def _drawn(db: Path, count: int) -> tuple[int, list[Drawn]]:
    """Return (snapshot, sample) of the newest snapshot."""
    with Store.open(db) as store:
        snapshots = store.snapshots()
        if not snapshots:
            raise NotFoundError(f"{db} holds no census: run `hfscan crawl` or `hfscan import`.")
        model_types = _MODEL_TYPES.read_text(encoding="ascii").split()
        drawn = draw_sample(store.connection, snapshots[-1].id, count, model_types)
    if not drawn:
        raise NotFoundError(
            f"No model of snapshot {snapshots[-1].id} supports PyTorch and TensorFlow."
        )
    return snapshots[-1].id, drawn


def _sampled(snapshot: int | None, drawn: list[Drawn]) -> dict[str, object] | None:
    if snapshot is None:
        return None
    return {
        "snapshot": snapshot,
        "drawn": len(drawn),
        "of": drawn[0].population,
        "models": [
            {
                "id": one.id,
                "model_type": one.model_type,
                "magnitude": one.magnitude,
                "stratum": one.size,
            }
            for one in drawn
        ],
    }


def _targets(formats: Collection[str], out: str | None) -> dict[Path | None, str]:
    """Return file (None: stdout) -> format; say now, not in an hour, where that cannot be."""
    target = choose_target(formats, out)
    if target.path is None:
        return {None: target.formats[0]}
    if target.is_folder:
        targets = {target.path / f"parity.{_NAMED.get(one, one)}": one for one in target.formats}
    else:
        targets = {target.path: target.formats[0]}
    try:
        for path in targets:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.open("a").close()
    except OSError as error:
        raise StorageError(f"{out} cannot be written: {error.strerror}.") from error
    return dict[Path | None, str](targets.items())


def _write(document: dict[str, Any], format_: str, path: Path | None) -> None:
    from hfscan.parity.report import FORMATS  # noqa: PLC0415 - it needs numpy

    if path is None:
        FORMATS[format_](document, output(format_))
        return
    text = io.StringIO()
    FORMATS[format_](document, text)
    write_output(path, text.getvalue(), advice="choose another --out")
    note(f"Wrote {path}")

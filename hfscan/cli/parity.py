"""`hfscan parity`."""

import importlib.util
import io
import re
import sys
import tempfile
import tomllib
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from hfscan.cli._command import Command
from hfscan.cli._options import backend_python_option, combine
from hfscan.cli._output import is_quiet, note
from hfscan.cli._reports import EXTENSIONS, choose_target, out_option
from hfscan.cli._streams import output
from hfscan.cli._types import LARGEST_MB, LARGEST_SECONDS, LARGEST_THREADS, Choice, Count, Number
from hfscan.errors import NotFoundError, StorageError
from hfscan.fs import write_output
from hfscan.parity.backend_files import backend_names
from hfscan.parity.process import Settings
from hfscan.store import Store, list_snapshots
from hfscan.store.parity import draw_sample, record_run
from hfscan.suggest import unknown

if TYPE_CHECKING:
    from hfscan.parity.run import ParityRunner

_INPUTS = Path(__file__).parents[1] / "parity" / "inputs.toml"
_DEMOS = {
    "tiny": ["tiny"],
    "base": ["bert-base", "gpt2-124m", "resnet-50"],
    "vision": ["alexnet", "vgg19", "resnet50", "mobilenet"],
}
_EXAMPLES = """
hfscan parity --demo
hfscan parity openai-community/gpt2 --backends pytorch,flax
hfscan parity ./my-model --baseline openai-community/gpt2 --format html --out parity.html
# 100 models of the database that support both frameworks; the same command continues after a stop
hfscan parity --sample 100 --db hfscan.duckdb --results results.jsonl
"""


def _new_settings(
    backends: str, pythons: Mapping[str, str], rounds: int | None, **options: Any
) -> Settings:
    """Return the settings of a run. Raises UsageError."""
    names = tuple(dict.fromkeys(backends.split(",")))
    for name in (*names, *pythons):
        if name not in backend_names():
            raise click.UsageError(unknown("backend", name, backend_names()))
    timing = {"rounds": rounds, "variants": options["variants"], "train": options["train"]}
    for name, value in timing.items():
        if value and not options["measure"]:
            raise click.UsageError(
                f"--{name} is about timing. It cannot be combined with --no-measure."
            )
    source = click.get_current_context().get_parameter_source("backends")
    is_default = source == ParameterSource.DEFAULT
    return Settings(
        names,
        required=frozenset(() if is_default else names),
        pythons=pythons,
        rounds=rounds or Settings.rounds,
        **options,
    )


def _check_device(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", value):
        raise click.BadParameter(f"{value!r} is none of auto, cpu, cuda and cuda:N.")
    return value


def _parse_shard(
    _ctx: click.Context, _param: click.Parameter, value: str | None
) -> tuple[int, int]:
    """Return (part, number of parts), (1, 1) without a value."""
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", value or "1/1")
    part, count = map(int, match.groups()) if match else (0, 0)
    if not 1 <= part <= count:
        raise click.BadParameter(f"{value!r} is not I/N with I from 1 to N, such as 2/8.")
    return part, count


_settings_options = combine(
    "settings",
    _new_settings,
    click.option(
        "--backends",
        default=",".join(Settings.backends),
        metavar="BACKEND,...",
        help="Backends to compare; in those named here a missing class is a failure.",
    ),
    click.option(
        "--device",
        default="auto",
        metavar="auto|cpu|cuda|cuda:N",
        callback=_check_device,
        help="Device that runs the models.",
    ),
    click.option(
        "--dtype",
        type=Choice(["float32", "bfloat16", "float16"]),
        default=Settings.dtype,
        help="Precision of the models.",
    ),
    backend_python_option,
    click.option("--measure/--no-measure", default=True, help="Measure latency as well."),
    click.option(
        "--variants",
        is_flag=True,
        help="Time all variants (eager, compiled), each in its own process.",
    ),
    click.option(
        "--train", is_flag=True, help="Time training steps as well, each in its own process."
    ),
    click.option("--rounds", type=Count(1), help=f"Timing rounds.  [default: {Settings.rounds}]"),
    click.option(
        "--threads",
        type=Count(1, LARGEST_THREADS),
        default=Settings.threads,
        help="Threads per backend.",
    ),
    click.option(
        "--timeout",
        type=Number(1, LARGEST_SECONDS),
        default=Settings.timeout,
        metavar="SECONDS",
        help="Time limit for one step of a case.",
    ),
    click.option(
        "--memory",
        "memory_mb",
        type=Number(100, LARGEST_MB),
        metavar="MB",
        help="Memory limit per backend.",
    ),
)


@click.command("parity", cls=Command, examples=_EXAMPLES)
@click.argument("checkpoints", nargs=-1, metavar="[CHECKPOINT]...")
@click.option(
    "--demo", is_flag=True, help="Check a tiny BERT and GPT-2 made on this machine; no network."
)
@click.option(
    "--demo-size",
    type=Choice(list(_DEMOS)),
    default="tiny",
    help="base: random models with the shapes of BERT-base, GPT-2 (124M) and ResNet-50 instead; "
    "vision: AlexNet, VGG-19, ResNet-50 and MobileNet with random weights.",
)
@click.option(
    "--sample",
    type=Count(1),
    metavar="N",
    help="Check a stratified sample of N models of --db that support both frameworks.",
)
@click.option(
    "--results",
    "results_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Append the results of each checkpoint to this file of JSON lines, and do not check again "
    "what it has: commits on the Hub, with the same releases and options.",
)
@click.option(
    "--shard",
    metavar="I/N",
    callback=_parse_shard,
    help="Check only part I of N of the checkpoints: one machine for each part.",
)
@click.option("--revision", help="Branch, tag or commit of a Hub id.")
@click.option(
    "--baseline",
    metavar="CHECKPOINT",
    help="Compare all checkpoints with the weights and config of this one.",
)
@click.option(
    "--inputs",
    metavar="FILE | dataset:NAME:SPLIT:COLUMN",
    help="Run the models on these texts, one per line, instead of random token ids.",
)
@_settings_options
@click.option(
    "--db",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also store the results in this database; created if missing.",
)
@click.option(
    "--format",
    "formats",
    type=Choice(["terminal", "md", "json", "html"]),
    multiple=True,
    help="Report format; repeatable if --out is a folder.  "
    "[default: from the extension of --out, else terminal]",
)
@out_option
def command(
    checkpoints: tuple[str, ...],
    demo: bool,
    demo_size: str,
    sample: int | None,
    results_path: Path | None,
    shard: tuple[int, int],
    revision: str | None,
    baseline: str | None,
    inputs: str | None,
    settings: Settings,
    db: Path | None,
    formats: tuple[str, ...],
    out: str | None,
) -> None:
    """Load CHECKPOINTs (folders or Hub ids) in several frameworks and compare their outputs.

    Exit code 0: every weight file agrees in every backend. 1: some differ or fail. 2: usage error.
    """
    if importlib.util.find_spec("numpy") is None:
        raise click.UsageError("parity needs numpy: pip install numpy")
    from hfscan.parity import sections  # noqa: PLC0415 - these need numpy
    from hfscan.parity.checkpoint import require_endpoint  # noqa: PLC0415
    from hfscan.parity.run import ParityRunner  # noqa: PLC0415
    from hfscan.parity.sweep import check_all, describe_setup, open_results  # noqa: PLC0415
    from hfscan.parity.texts import read_texts  # noqa: PLC0415

    if not checkpoints and not demo and not sample:
        raise click.UsageError(
            "Name a checkpoint (a folder or a Hub id), or use --demo or --sample."
        )
    if results_path and baseline:
        raise click.UsageError(
            "--results cannot be combined with --baseline: the baseline's files may change between "
            "runs. Omit one of them."
        )
    if sample and db is None:
        raise click.UsageError("--sample requires --db.")
    names = [(name, revision) for name in checkpoints]
    require_endpoint([*names, *([(baseline, None)] if baseline else [])])
    targets = _choose_files(formats, out)
    drawn: dict[str, Any] | None = None
    if sample and db:
        models, drawn = _draw_sample(db, sample)
        require_endpoint(models)
        names += models
    if db:
        Store.open(db, write=True).close()  # report a database that cannot be written now
    texts = read_texts(inputs) if inputs else None
    started = datetime.now(UTC)
    with ExitStack() as stack:
        results_file = stack.enter_context(open_results(results_path)) if results_path else None
        # is_quiet() depends on the thread, so it is called here
        runner = stack.enter_context(ParityRunner(settings, None if is_quiet() else note))
        is_required = settings.device.startswith("cuda")
        if is_required and (without_gpu := runner.pool.backends_without_gpu()):
            raise click.UsageError(
                f"--device {settings.device}: no GPU was found by {', '.join(without_gpu)}. "
                f"Use --device auto to run such backends on the CPU."
            )
        if demo:
            scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="hfscan-demo-"))
            names += [(str(path), None) for path in make_demo(runner, Path(scratch), demo_size)]
        selected = _select_shard(names, shard)
        if len(selected) < len(names):
            runner.pool.notes.append(
                f"Part {shard[0]} of {shard[1]}: {len(selected)} of {len(names)} checkpoints."
            )
        setup = describe_setup(runner.pool, texts) if results_file else {}
        results = check_all(runner, selected, baseline, texts, results_file, setup, note)
        environment = runner.pool.describe_environment()
    environment |= {"inputs": inputs, "sample": drawn, "shard": list(shard)}
    document = sections.new_document(
        results, environment, started, runner.measurements, settings.required
    )
    if db is not None:
        with Store.open(db, write=True) as store:
            record_run(store, document, drawn["snapshot"] if drawn else None)
    for path, format_ in targets.items():
        _write(document, format_, path)
    sys.exit(0 if document["agree"] else 1)


def _select_shard(
    names: list[tuple[str, str | None]], shard: tuple[int, int]
) -> list[tuple[str, str | None]]:
    """Return every N-th checkpoint. Raises UsageError if there are fewer than parts."""
    part, count = shard
    if names and part > len(names):
        raise click.UsageError(
            f"--shard {part}/{count}: there are only {len(names)} checkpoints. Use fewer parts."
        )
    return names[part - 1 :: count]


def make_demo(runner: "ParityRunner", into: Path, size: str = "tiny") -> list[Path]:
    """Make the demo checkpoints and return their folders.

    "tiny": a BERT and a GPT-2, trained for about ten seconds and saved in every format; with
    training to be timed also a ResNet. "base", "vision": random models of the usual sizes.
    """
    processes = [runner.pool.process("pytorch")]
    if "tensorflow" in runner.pool.settings.backends:  # adds its own files
        processes.append(runner.pool.process("tensorflow", frozenset({"pytorch"})))
    resnet = ["resnet"] if size == "tiny" and runner.pool.settings.train else []
    for name in [*_DEMOS[size], *resnet]:
        for process in processes:
            process.call("demo", into=str(into), name=name)
    return sorted(into.iterdir())


def _draw_sample(db: Path, count: int) -> tuple[list[tuple[str, str | None]], dict[str, Any]]:
    """Return (id, commit) of models of the newest snapshot, and the sample's description."""
    with Store.open(db) as store:
        snapshots = list_snapshots(store)
        if not snapshots:
            raise NotFoundError(f"{db} has no snapshot: run `hfscan crawl` or `hfscan import`.")
        snapshot = snapshots[-1].id
        kinds = tomllib.loads(_INPUTS.read_text(encoding="utf-8"))
        model_types = [model_type for types in kinds.values() for model_type in types]
        drawn = draw_sample(store, snapshot, count, model_types)
    if not drawn:
        raise NotFoundError(
            f"No model of snapshot {snapshot} supports both PyTorch and TensorFlow."
        )
    models = [
        {"id": model.id, "model_type": model.model_type,
         "magnitude": model.magnitude, "stratum": model.size}
        for model in drawn
    ]  # fmt: skip
    # with a revision, a folder of the same name is not taken for the model
    return [(model.id, model.sha or "main") for model in drawn], {
        "snapshot": snapshot,
        "drawn": len(drawn),
        "population": drawn[0].population,
        "models": models,
    }


def _choose_files(formats: Collection[str], out: str | None) -> dict[Path | None, str]:
    """Return file (None: stdout) -> format; raise StorageError now if one cannot be written."""
    target = choose_target(formats, out)
    files: dict[Path | None, str] = {target.path: target.formats[0]}
    if target.path and target.is_folder:
        extensions = {name: extension for extension, name in EXTENSIONS.items()}
        files = {target.path / f"parity{extensions[name]}": name for name in target.formats}
    try:
        for path in filter(None, files):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.open("a").close()
    except OSError as error:
        raise StorageError(f"{out} cannot be written: {error.strerror}.") from error
    return files


def _write(document: dict[str, Any], format_: str, path: Path | None) -> None:
    from hfscan.parity.sections import write  # noqa: PLC0415 - it needs numpy

    if path is None:
        write(document, format_, output(format_))
        return
    text = io.StringIO()
    write(document, format_, text)
    write_output(path, text.getvalue(), advice="choose another --out")
    note(f"Wrote {path}")

"""`hfscan parity`."""

from __future__ import annotations

import importlib.util
import re
import sys
import tempfile
import tomllib
from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hfscan.choices import TEXT_EXTENSIONS
from hfscan.cli._command import Command
from hfscan.cli._completion import complete_checkpoint
from hfscan.cli._output import is_quiet, note
from hfscan.cli._parity_settings import settings_options
from hfscan.cli._repeat import format_command
from hfscan.cli._reports import choose_target, note_new_folder, write_text
from hfscan.cli._types import Bytes, Choice, Count
from hfscan.errors import NotFoundError
from hfscan.fs import check_writable
from hfscan.parity.process import Settings

if TYPE_CHECKING:
    from hfscan.parity.run import ParityRunner
    from hfscan.parity.sweep import Engine

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


def _parse_shard(
    _ctx: click.Context, _param: click.Parameter, value: str | None
) -> tuple[int, int]:
    """Return (part, number of parts), (1, 1) without a value."""
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", value or "1/1")
    part, count = map(int, match.groups()) if match else (0, 0)
    if not 1 <= part <= count:
        raise click.BadParameter(f"{value!r} is not I/N with I from 1 to N, such as 2/8.")
    return part, count


@click.command("parity", cls=Command, examples=_EXAMPLES)
@click.argument(
    "checkpoints", nargs=-1, metavar="[CHECKPOINT]...", shell_complete=complete_checkpoint
)
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
@click.option(
    "--disk-budget",
    type=Bytes(),
    help="Keep at most this much of what is downloaded, such as 20GB: the oldest checkpoints are "
    "deleted for others. What the cache had before stays, and does not count.",
)
@click.option(
    "--engine",
    type=Choice(["local", "ray"]),
    default="local",
    help="ray: check on a Ray cluster, or in several processes of this machine.",
)
@click.option("--actors", type=Count(1), help="Actors of --engine ray.  [default: one per node]")
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
@settings_options
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
@click.option(
    "--out",
    metavar="PATH",
    help="Write to this file (.txt, .md, .json or .html). A name without extension is a folder.",
)
def command(
    checkpoints: tuple[str, ...],
    demo: bool,
    demo_size: str,
    sample: int | None,
    results_path: Path | None,
    shard: tuple[int, int],
    disk_budget: int | None,
    engine: str,
    actors: int | None,
    revision: str | None,
    baseline: str | None,
    inputs: str | None,
    settings: Settings,
    db: Path | None,
    formats: tuple[str, ...],
    out: str | None,
) -> None:
    """Load CHECKPOINTs (folders or Hub ids) in several frameworks and compare their outputs.

    Exit code 0: every weight file agrees in every backend. 1: some differ or fail. 2: usage error,
    such as a path without a folder.
    """
    _check_combination()
    _check_folders([*checkpoints, *([baseline] if baseline else [])])
    if importlib.util.find_spec("numpy") is None:
        raise click.UsageError("parity needs numpy: pip install numpy")
    from hfscan.parity import sections  # these need numpy
    from hfscan.parity.downloads import require_endpoint
    from hfscan.parity.record import RunRecorder
    from hfscan.parity.results_file import open_results
    from hfscan.parity.sweep import check_all
    from hfscan.parity.texts import read_texts
    from hfscan.parity.worker import Worker
    from hfscan.store import Store

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
        arguments = settings, baseline, texts, disk_budget
        workers = stack.enter_context(_new_engine(engine, actors, *arguments))
        is_required = settings.device.startswith("cuda")
        if is_required and (without_gpu := workers.find_backends_without_gpu()):
            raise click.UsageError(
                f"--device {settings.device}: no GPU was found by {', '.join(without_gpu)}. "
                f"Use --device auto to run such backends on the CPU."
            )
        if isinstance(workers, Worker) and demo:
            scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="hfscan-demo-"))
            folders = make_demo(workers.runner, Path(scratch), demo_size)
            names += [(str(folder), None) for folder in folders]
        selected = _select_shard(names, shard)
        details = {"inputs": inputs, "sample": drawn, "shard": list(shard)}
        recorder = RunRecorder(db, started, drawn["snapshot"] if drawn else None) if db else None
        outcome = check_all(workers, selected, details, results_file, recorder, note)
    environment = outcome.environment
    if len(selected) < len(names):
        part = f"Part {shard[0]} of {shard[1]}: {len(selected)} of {len(names)} checkpoints."
        environment["notes"].append(part)
    document = sections.new_document(
        outcome.results,
        environment,
        started,
        outcome.measurements,
        settings.required,
        format_command(),
        demo_size if demo else None,
    )
    for path, format_ in targets.items():
        _write(document, format_, path)
    if recorder:  # last, because another program may have the database open
        recorder.finish(document["finished_at"], agree=document["agree"])
    sys.exit(0 if document["agree"] else 1)


def _check_combination() -> None:
    """Raise UsageError if options of the command cannot be combined, or one is missing."""
    options = click.get_current_context().params
    if not (options["checkpoints"] or options["demo"] or options["sample"]):
        raise click.UsageError(
            "Name a checkpoint (a folder or a Hub id), or use --demo or --sample."
        )
    if options["sample"] and not options["db"]:
        raise click.UsageError("--sample requires --db.")
    is_ray = options["engine"] == "ray"
    if options["actors"] and not is_ray:
        raise click.UsageError("--actors requires --engine ray.")
    for first, second, are_both, reason in (
        ("--results", "--baseline", options["results_path"] and options["baseline"],
         "the baseline's files may change between runs"),
        ("--disk-budget", "--baseline", options["disk_budget"] and options["baseline"],
         "the baseline would be deleted, too"),
        ("--engine ray", "--demo", is_ray and options["demo"],
         "other machines do not have its folders"),
    ):  # fmt: skip
        if are_both:
            raise click.UsageError(
                f"{first} cannot be combined with {second}: {reason}. Omit one of them."
            )


def _check_folders(names: Iterable[str]) -> None:
    """Raise UsageError on a path that is no folder. Other names may be models of the Hub."""
    for name in names:
        if Path(name).is_file():
            raise click.UsageError(f"{name} is a file. Name the folder that holds it.")
        is_path = Path(name).is_absolute() or re.match(r"(\.\.?|~)([/\\]|$)", name)
        if is_path and not Path(name).is_dir():
            raise click.UsageError(
                f"There is no folder {name}. Name the folder of a checkpoint, or a Hub id "
                "(OWNER/NAME)."
            )


def _new_engine(
    name: str,
    actors: int | None,
    settings: Settings,
    baseline: str | None,
    texts: Sequence[str] | None,
    budget: int | None,
) -> AbstractContextManager[Engine]:
    """Return what checks checkpoints. Raises InvalidRequestError if Ray is missing."""
    from hfscan.parity.ray_workers import RayWorkers  # these need numpy
    from hfscan.parity.worker import Worker

    # is_quiet() depends on the thread, so it is called here
    notify = None if is_quiet() else note
    if name == "ray":
        return RayWorkers(actors, notify, settings, baseline, texts, budget)
    return Worker(settings, baseline, texts, budget, notify)


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


def make_demo(runner: ParityRunner, into: Path, size: str = "tiny") -> list[Path]:
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
    from hfscan.store import Store, list_snapshots
    from hfscan.store.parity import draw_sample

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
    target = choose_target(formats, out, TEXT_EXTENSIONS)
    files: dict[Path | None, str] = {target.path: target.formats[0]}
    if target.path and target.is_folder:
        extensions = {name: extension for extension, name in TEXT_EXTENSIONS.items()}
        files = {target.path / f"parity{extensions[name]}": name for name in target.formats}
    for path in filter(None, files):
        if not target.is_folder:
            note_new_folder(path)
        check_writable(path)
    return files


def _write(document: dict[str, Any], format_: str, path: Path | None) -> None:
    from hfscan.parity.sections import write

    write_text(lambda file: write(document, format_, file), format_, path)

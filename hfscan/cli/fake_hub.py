from pathlib import Path
from typing import Any

import click

from hfscan.cli._command import Command
from hfscan.cli._output import echo, note
from hfscan.cli._types import LARGEST_SECONDS, Count, Number, parse_pairs
from hfscan.fakehub import KINDS, FakeHub, Faults, Population
from hfscan.suggest import unknown
from hfscan.text import format_count

_EXAMPLES = """
hfscan fake-hub --models 2000
hfscan fake-hub --models 2000 --port 0 --latency 0.2 --quota 500
# 5 % of the responses are errors
hfscan fake-hub --models 2000 --fault 500=0.05
# then, in another terminal
hfscan crawl --endpoint http://127.0.0.1:8765
"""


def _parse_faults(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, float]:
    """Return kind -> probability; without "=PROBABILITY" it is 1."""
    pairs = parse_pairs(ctx, param, tuple(v if "=" in v else f"{v}=1" for v in values))
    for kind in pairs:
        if kind not in KINDS:
            raise click.BadParameter(unknown("fault", kind, KINDS))
    return {kind: Number(0, 1).convert(text, param, ctx) for kind, text in pairs.items()}


@click.command("fake-hub", cls=Command, examples=_EXAMPLES)
@click.option(
    "--from",
    "dump",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Serve the models of this dump: JSON, JSON lines (also .gz, .zst) or Parquet.",
)
@click.option(
    "--models", type=Count(1, 10_000_000), help="Serve this many synthetic models instead."
)
@click.option("--seed", type=Count(), default=0, help="Seed of the synthetic models.")
@click.option("--port", type=Count(0, 65535), default=8765, help="0: any free port.")
@click.option(
    "--latency",
    type=Number(0, LARGEST_SECONDS),
    default=0.0,
    help="Delay of each response in seconds.",
)
@click.option(
    "--prepare",
    metavar="PATH?QUERY",
    help="Render this list in advance, for benchmarks, e.g. '/api/models?limit=1000'.",
)
@click.option("--quota", type=Count(1), help="Rate limit: requests per 5 minutes.  [default: none]")
@click.option(
    "--token",
    "tokens",
    multiple=True,
    metavar="TOKEN=ACCOUNT",
    callback=parse_pairs,
    help="Accept this token; repeatable.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    callback=_parse_faults,
    metavar="KIND[=PROBABILITY]",
    help=f"Inject this fault; repeatable. Kinds: {', '.join(KINDS)}.",
)
@click.option("--fault-seed", type=Count(), default=0, help="Seed of --fault.")
def command(
    dump: Path | None,
    models: int | None,
    seed: int,
    prepare: str | None,
    faults: dict[str, float],
    fault_seed: int,
    **options: Any,
) -> None:
    """Run a fake Hub on this machine, for tests and experiments, until Ctrl-C.

    Prints the URL on the first line, for --endpoint or HF_ENDPOINT.
    """
    if (dump is None) == (models is None):
        raise click.UsageError("Give either --from FILE or --models N.")
    population = (
        Population.from_file(dump) if dump else Population.synthetic(models or 0, seed=seed)
    )
    try:
        hub = FakeHub(population, faults=Faults(faults, seed=fault_seed), **options)
    except OSError as error:
        raise click.UsageError(
            f"Cannot listen on port {options['port']}: {error.strerror}. Choose another --port; 0 "
            "uses any free port."
        ) from error
    if prepare:
        note(f"Prepared {format_count(hub.prepare(prepare), 'page')}.")
    echo(hub.url)
    source = population.description or (dump and dump.name)
    note(f"Serving {format_count(len(population), 'model')} ({source}). Press Ctrl-C to stop.")
    try:
        hub.serve()
    except KeyboardInterrupt:
        note("Stopped.")

"""`hfscan fake-hub`."""

from pathlib import Path

import click

from hfscan.cli._command import Group
from hfscan.cli._output import echo
from hfscan.cli._verbosity import note
from hfscan.fakehub import KINDS, FakeHub, Faults, Population
from hfscan.suggest import unknown


@click.group("fake-hub", cls=Group)
def command() -> None:
    """Serve a fake Hub on loopback, for tests and for trying things out."""


def _chances(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, float]:
    chances = {}
    for value in values:
        kind, _, text = value.partition("=")
        if kind not in KINDS:
            raise click.BadParameter(unknown("fault", kind, KINDS))
        try:
            chance = float(text or 1)
        except ValueError:
            chance = -1
        if not 0 <= chance <= 1:
            raise click.BadParameter(f"{text!r} is no probability from 0 to 1")
        chances[kind] = chance
    return chances


@command.command("serve")
@click.option(
    "--from",
    "dump",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A recorded dump: JSON array or lines (also .gz, .zst), or Parquet.",
)
@click.option("--models", type=click.IntRange(min=1), help="Make up this many models instead.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the made-up models.")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True)
@click.option("--latency", type=click.FloatRange(min=0), default=0.0, help="Seconds per answer.")
@click.option(
    "--prepare",
    metavar="PATH?QUERY",
    help="Render this list ahead, so that it costs nothing to serve; see /api/models?...",
)
@click.option("--quota", type=click.IntRange(min=1), help="Requests in 5 minutes. Default: none.")
@click.option("--token", "tokens", multiple=True, metavar="TOKEN=ACCOUNT", help="Repeatable.")
@click.option(
    "--fault",
    "chances",
    multiple=True,
    callback=_chances,
    metavar="KIND[=PROBABILITY]",
    help=f"Go wrong on purpose. Repeatable. Kinds: {', '.join(KINDS)}.",
)
@click.option("--fault-seed", type=int, default=0, show_default=True)
def serve(
    dump: Path | None,
    models: int | None,
    seed: int,
    port: int,
    latency: float,
    prepare: str | None,
    quota: int | None,
    tokens: tuple[str, ...],
    chances: dict[str, float],
    fault_seed: int,
) -> None:
    """Serve until Ctrl-C. The first line on stdout is the URL, for HF_ENDPOINT or --endpoint."""
    if (dump is None) == (models is None):
        raise click.UsageError("Give one of --from FILE and --models N.")
    population = (
        Population.from_file(dump) if dump else Population.synthetic(models or 0, seed=seed)
    )
    try:
        hub = FakeHub(
            population,
            port=port,
            latency=latency,
            faults=Faults(chances, seed=fault_seed),
            tokens=dict(pair.split("=", 1) for pair in tokens if "=" in pair),
            quota=quota,
        )
    except OSError as error:
        raise click.UsageError(
            f"Port {port} cannot be had: {error.strerror}. Choose another with --port; 0 takes "
            "any free one."
        ) from error
    if prepare:
        note(f"Prepared {hub.prepare(prepare):,} pages.")
    echo(hub.url)
    what = population.made_up or (dump and dump.name)
    note(f"Serving {len(population):,} models ({what}). Ctrl-C ends it.")
    try:
        hub.serve()
    except KeyboardInterrupt:
        note("Stopped.")

"""Measure how often the intervals of samples contain the true share.

Imports a dump of the Hub, draws samples from it as `hfscan crawl --sample` does, one for each seed,
and compares the interval of each figure with the share in the entire dump.

    python benchmarks/sampling.py census.parquet --samples 400
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from hfscan.figures import Figure, FigureRequest, SnapshotView
from hfscan.hub.plan import SamplingDesign
from hfscan.objectid import CUTOFF_END
from hfscan.scope import Scope
from hfscan.store import NewSnapshot, Snapshot, Store, ingest_files, list_snapshots

_YEAR = (datetime(2023, 1, 1), datetime(2024, 1, 1))
_BOTH = FigureRequest()
_SHARES = {
    "PyTorch only": (_BOTH, "exclusive", "pytorch"),
    "TensorFlow only": (_BOTH, "exclusive", "tensorflow"),
    "both": (_BOTH, "shared", None),
    "neither, of all models": (_BOTH, "none", None),
    "PyTorch only, created in 2023": (
        FigureRequest(period=_YEAR, population="created"), "exclusive", "pytorch",
    ),
    "TensorFlow only, created in 2023": (
        FigureRequest(period=_YEAR, population="created"), "exclusive", "tensorflow",
    ),
}  # fmt: skip
"""Name -> the request of a figure, its name and framework."""


class SampleView(SnapshotView):
    """A snapshot of which only the models of the table `drawn` are seen."""

    def bind_census(self, *, with_counts: bool = True) -> Store:
        """Bind `census` to the sample."""
        self.store.execute(
            "CREATE OR REPLACE TEMP VIEW census AS FROM models JOIN drawn USING (key)"
        )
        return self.store


def compute_shares(view: SnapshotView) -> dict[str, Figure]:
    """Return the figure of each share."""
    figures = {}
    for name, (request, *wanted) in _SHARES.items():
        for figure in view.compute_exclusivity(request):
            if [figure.name, figure.framework] == wanted:
                figures[name] = figure
    return figures


def draw(view: SnapshotView, keys: list[str], probability: float, seed: int) -> SampleView:
    """Return a sample of the snapshot's models."""
    design = SamplingDesign.create(
        probability, seed, None, view.snapshot.observed_to.replace(tzinfo=UTC)
    )
    strata = [f"{start:%F %T}" for start in design.strata()]
    drawn = [key for key in _candidates(keys, design) if design.includes(key)]
    view.store.execute(
        """
        CREATE OR REPLACE TEMP TABLE drawn AS
        SELECT key, CASE WHEN at_cutoff THEN 'alone ' || key ELSE stratum::VARCHAR END
            AS sample_cluster
        FROM (SELECT key, at_cutoff, created_at FROM models WHERE key IN (SELECT unnest($1)))
        ASOF LEFT JOIN (SELECT unnest($2)::TIMESTAMP AS stratum) ON created_at >= stratum
        """,
        [drawn, strata],
    )
    return SampleView(view.store, replace(view.snapshot, sample=probability))


def _candidates(keys: list[str], design: SamplingDesign) -> Iterator[str]:
    """Yield the `_id`s (in order) at the cutoff and in the design's ranges."""
    spans = [(0, int(CUTOFF_END.timestamp())), *design.time_ranges()]
    position = 0
    for key in keys:
        second = int(key[:8], 16)
        while position < len(spans) and second >= spans[position][1]:
            position += 1
        if position < len(spans) and second >= spans[position][0]:
            yield key


def import_dump(store: Store, dump: Path, day: datetime) -> Snapshot:
    """Import the dump; copy what the figures need into the table `models`."""
    ingest_files(store, [dump], NewSnapshot("import", dump.name, Scope(), day, day, None))
    (snapshot,) = list_snapshots(store)
    store.execute(f"CREATE TEMP TABLE models AS FROM models_in({snapshot.id})")
    return snapshot


def main() -> None:
    """Print the coverage of each share, for each probability."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dump", type=Path, help="a file that hfscan import reads, with `_id`s")
    parser.add_argument("--observed-at", default="2024-07-11", help="day of the dump")
    parser.add_argument("--samples", type=int, default=400)
    parser.add_argument("--probabilities", type=float, nargs="+", default=[0.01, 0.05])
    arguments = parser.parse_args()
    day = datetime.fromisoformat(arguments.observed_at).replace(tzinfo=UTC)
    with (
        tempfile.TemporaryDirectory() as folder,
        Store.open(Path(folder, "h.duckdb"), write=True) as store,
    ):
        view = SnapshotView(store, import_dump(store, arguments.dump, day))
        keys = [key for (key,) in store.execute("SELECT key FROM models ORDER BY 1").fetchall()]
        truth = compute_shares(view)
        print("| Share | Probability | True | Design effect | Coverage |")
        print("| --- | ---: | ---: | ---: | ---: |")
        for probability in arguments.probabilities:
            samples = [
                compute_shares(draw(view, keys, probability, seed))
                for seed in range(arguments.samples)
            ]
            for name, true in truth.items():
                _print_coverage(name, probability, true, [sample[name] for sample in samples])


def _print_coverage(name: str, probability: float, true: Figure, samples: list[Figure]) -> None:
    assert true.share is not None
    intervals = [sample.interval or (0.0, 1.0) for sample in samples]
    covered = sum(low <= true.share <= high for low, high in intervals)
    effect = sum(sample.design_effect or 1.0 for sample in samples) / len(samples)
    print(
        f"| {name} | {probability:g} | {true.share:.1%} | {effect:.1f} | "
        f"{covered / len(samples):.1%} |"
    )


if __name__ == "__main__":
    main()

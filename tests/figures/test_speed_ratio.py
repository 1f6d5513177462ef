"""The ratio of measured times, with its interval."""

from contextlib import contextmanager

import pytest
from parity_runs import make_run, make_timing

from hfscan.figures import load
from hfscan.store import Store
from hfscan.store.parity import record_run


def time_way(checkpoint, backend, variant, milliseconds, memory):
    names = {"checkpoint": checkpoint, "variant": variant, "peak_rss_mb": memory}
    return make_timing(backend, milliseconds) | names


@pytest.fixture
def parity_store(tmp_path):
    """Return a function that opens a store of runs: checkpoint -> ratios of time and memory."""

    @contextmanager
    def open_store(*runs):
        with Store.open(tmp_path / "h.duckdb", write=True) as store:
            for run in runs:
                timings = [
                    time_way(checkpoint, *way)
                    for checkpoint, (ratios, memory_ratio) in run.items()
                    for way in (
                        ("pytorch", "eager", [10 * ratio for ratio in ratios], 100 * memory_ratio),
                        ("tensorflow", "function", [10.0] * len(ratios), 100.0),
                    )
                ]
                record_run(store, make_run("2026-02-01", timings=timings))
            yield store

    return open_store


def compare_speed(store, **parameters):
    rows = load("speed_ratio").run(store, parameters)
    assert len(rows) <= 1
    return rows[0] if rows else None


SPREAD = {
    "a": ([0.5, 0.6, 0.7], 0.5),
    "b": ([0.9, 1.0, 1.1], 1.0),
    "c": ([1.4, 1.5, 1.6], 1.2),
}


def test_speed_ratio_has_an_interval_around_the_median(parity_store):
    with parity_store(SPREAD) as store:
        row = compare_speed(store)
        assert (row["checkpoints"], row["measurements"], row["ratio"]) == (3, 9, 1.0)
        # three draws of the same checkpoint are likely enough to decide both ends
        assert 0.5 <= row["low"] <= 0.7
        assert 1.4 <= row["high"] <= 1.6
        assert (row["memory_ratio"], row["memory_low"], row["memory_high"]) == (1.0, 0.5, 1.2)
        assert row["gpu_memory_ratio"] is None
        assert compare_speed(store) == row
        assert compare_speed(store, mode="inference") is None


def test_speed_ratio_of_like_checkpoints_is_tight(parity_store):
    run = {str(n): ([0.8, 0.79 + n / 1_000, 0.81], 0.9 + n / 1_000) for n in range(20)}
    with parity_store(run) as store:
        row = compare_speed(store)
    assert 0.79 <= row["low"] <= row["ratio"] <= row["high"] <= 0.81
    assert row["high"] - row["low"] < 0.01
    assert 0.9 <= row["memory_low"] < row["memory_high"] < 0.92


def test_speed_ratio_of_one_checkpoint_is_of_its_rounds(parity_store):
    with parity_store({"a": ([0.7, 0.8, 0.9, 1.0, 1.1], 0.8)}) as store:
        row = compare_speed(store)
    assert (row["checkpoints"], row["ratio"]) == (1, 0.9)
    assert 0.7 <= row["low"] < 0.9 < row["high"] <= 1.1
    # one measurement of memory does not tell how much it varies
    assert (row["memory_ratio"], row["memory_low"], row["memory_high"]) == (0.8, None, None)


def test_speed_ratio_uses_the_newest_run_of_each_checkpoint(parity_store):
    older = {name: ([9.0, 9.0, 9.0], 9.0) for name in SPREAD}
    with parity_store(SPREAD) as store:
        expected = compare_speed(store)
    with parity_store(older, older, SPREAD) as store:
        assert compare_speed(store) == expected
        assert compare_speed(store, device="cuda") is None

"""The ratio of measured times, with its interval."""

from contextlib import contextmanager
from statistics import median

import pytest
from parity_runs import make_run, make_timing, record_run

from hfscan.figures import load
from hfscan.store import Store
from hfscan.store.parity import start_run, store_results


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


def test_speed_ratio_of_named_models_needs_all_of_them(tmp_path):
    ways = [
        time_way(name, backend, variant, [time] * 3, 100.0) | {"architecture": name}
        for name, ratio in (("AlexNet", 2.0), ("VGG19", 4.0), ("Other", 9.0))
        for backend, variant, time in (
            ("pytorch", "eager", 10 * ratio), ("tensorflow", "function", 10.0)
        )
    ]  # fmt: skip
    with Store.open(tmp_path / "h.duckdb", write=True) as store:
        record_run(store, make_run("2026-02-01", timings=ways))
        assert compare_speed(store)["ratio"] == 4.0
        assert compare_speed(store, architectures="AlexNet,VGG19")["ratio"] == 3.0
        assert compare_speed(store, architectures="AlexNet,VGG19,MobileNet") is None


def test_folders_of_one_name_are_not_mixed(tmp_path):
    timings = {
        number: [
            time_way("a", "pytorch", "eager", [time] * 3, 100.0),
            time_way("a", "tensorflow", "function", [2 * time] * 3, 100.0),
        ]
        for number, time in ((1, 10.0), (2, 100.0))
    }
    with Store.open(tmp_path / "h.duckdb", write=True) as store:
        environment = make_run("2026-02-01")["environment"]
        day = "2026-02-01T10:00:00Z"
        run = start_run(store, environment, started_at=day, hfscan_version="0", checkpoints=2)
        store_results(store, run, {}, timings, environment)
        rows = load("framework_speed").run(store, {})
        assert [row["time_ratio"] for row in rows] == [0.5, 0.5]
        row = compare_speed(store)
        assert (row["checkpoints"], row["ratio"], row["low"], row["high"]) == (2, 0.5, 0.5, 0.5)


GRAPHS = [  # backend, variant, mode, milliseconds by round
    ("pytorch", "eager", "inference", [10.0, 20.0, 40.0]),
    ("pytorch", "compile", "inference", [5.0, 30.0, 40.0]),
    ("pytorch", "eager", "training", [30.0, 30.0, 30.0]),
    ("tensorflow", "eager", "inference", [20.0, 20.0, 20.0]),
    ("tensorflow", "function", "inference", [8.0, 6.0, 10.0]),
    ("tensorflow", "function", "training", [8.0, 6.0, 10.0]),
    ("onnx", "session", "inference", [9.0, 9.0, 9.0]),
]


def record_graphs(store, day, threads=1, factor=1.0):
    timings = [
        time_way("a", backend, variant, [factor * value for value in milliseconds], 100.0)
        | {"mode": mode, "first_call_seconds": 2.0}
        for backend, variant, mode, milliseconds in GRAPHS
    ]
    run = make_run(day, timings=timings)
    run["environment"] |= {
        "threads": threads,
        "processor": {"name": "P", "family": 26, "model": 2, "instruction_sets": ["avx2", "fma"]},
        "backends": {"torch-export": {"math": "MKL 1 (AVX2)", "gemm_gflops": 99.96}, "onnx": {}},
    }
    record_run(store, run)


def test_graph_speed_compares_with_the_same_frameworks_eager_mode(tmp_path):
    with Store.open(tmp_path / "h.duckdb", write=True) as store:
        record_graphs(store, "2026-02-01", factor=7.0)
        record_graphs(store, "2026-02-02")  # the newest counts
        rows = {(row["backend"], row["variant"]): row for row in load("graph_speed").run(store, {})}
    times = {(backend, variant, mode): values for backend, variant, mode, values in GRAPHS}
    assert len(rows) == len({(backend, variant) for backend, variant, *_ in times})
    for (backend, variant, mode), values in times.items():
        row = rows[backend, variant]
        base = times.get((backend if backend != "onnx" else "pytorch", "eager", mode))
        expected = base and median(a / b for a, b in zip(values, base, strict=True))
        assert row[f"{mode}_ms"] == median(values)
        assert row[f"{mode}_first_seconds"] == 2.0
        assert row[f"{mode}_ratio"] == pytest.approx(expected, abs=1e-6)
    assert rows["tensorflow", "function"]["training_ratio"] is None  # PyTorch's is not its own


def test_cpu_time_is_compared_at_one_thread_only(tmp_path):
    ratios = {}
    with Store.open(tmp_path / "h.duckdb", write=True) as store:
        for threads in (1, 4):
            record_graphs(store, f"2026-02-0{threads}", threads)
            ratios[threads] = {
                (row["variant"], row["mode"]): (row["time_ratio"], row["cpu_ratio"])
                for row in load("run_speed").run(store, {})
            }
    assert ratios[1]["compile", "inference"] == (1.0, 1.0)
    assert ratios[4]["compile", "inference"] == (1.0, None)


def test_machine_of_timings_is_stored(tmp_path):
    with Store.open(tmp_path / "h.duckdb", write=True) as store:
        record_graphs(store, "2026-02-01")
        record_run(store, make_run("2026-02-02"))  # timed nothing
        rows = load("parity_machines").run(store, {})
    assert [(row["run"], row["backend"], row["libraries"], row["gemm_gflops"]) for row in rows] == [
        (1, "onnx", None, None),
        (1, "torch-export", "MKL 1 (AVX2)", 100.0),
    ]
    machine = ("P", 26, 2, None, "avx2 fma", 1)
    names = ("processor", "family", "model", "stepping", "instruction_sets", "threads")
    assert all(tuple(row[name] for name in names) == machine for row in rows)

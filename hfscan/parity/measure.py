"""Times the lanes against each other: alternating, so that a busy machine slows all alike."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hfscan.parity import plan
from hfscan.parity.runs import Runner
from hfscan.parity.verdict import Result
from hfscan.parity.worker import LaneError, first_line

Row = dict[str, Any]
Ran = Mapping[str, tuple[plan.Case, Result]]  # lane -> what is timed in it


def measure(runner: Runner, ran: Ran, *, train: bool = False) -> list[Row]:
    """Time one case of each lane, or one training step of it, in every variant that is wanted.

    The first call of each (compiling, tracing) stands apart. Then come rounds in which each is
    called once; the ratio is of two calls of one round, to the first lane's first variant.
    """
    settings = runner.pool.settings
    rows: list[Row] = [
        {
            "checkpoint": result.checkpoint,
            "what": "training" if train else "inference",
            "lane": lane,
            "variant": variant,
            "device": result.device,
            "dtype": result.dtype,
            "file": case.weights.name,
        }
        for lane, (case, result) in ran.items()
        if plan.facts(lane).trains or not train
        for variant in plan.facts(lane).variants[: None if settings.variants else 1]
    ]
    before = _load()
    _first_calls(runner, ran, rows, train)
    timed = [row for row in rows if "fault" not in row]
    laps: list[list[float]] = [[] for _ in timed]
    for _ in range(settings.laps):
        for row, times in zip(timed, laps, strict=True):
            times.append(_time(runner, row, train))
    for row, times in zip(timed, laps, strict=True):
        ratios = np.array(times) / np.array(laps[0])
        row["latency_ms"] = spread(times)
        row["ratio"] = {
            "to": f"{timed[0]['lane']} {timed[0]['variant']}",
            "median": float(np.median(ratios)),
            "min": float(ratios.min()),
            "max": float(ratios.max()),
        }
        row["load_average"] = [before, _load()]
        row.update(runner.pool.worker(row["lane"]).call("peak"))
    return rows


def spread(milliseconds: Sequence[float]) -> dict[str, float]:
    """Return median, ninth decile and number."""
    p50, p90 = np.percentile(milliseconds, [50, 90])
    return {"p50": float(p50), "p90": float(p90), "n": len(milliseconds)}


def _first_calls(runner: Runner, ran: Ran, rows: Sequence[Row], train: bool) -> None:
    for row in rows:
        case, result = ran[row["lane"]]
        try:
            if runner.opened.get(case.lane) != (case, result.dtype):
                runner.open(case, result, result.device, result.dtype)
            row["first_call_seconds"] = _time(runner, row, train) / 1e3
        except LaneError as error:
            row["fault"] = first_line(error)


def _time(runner: Runner, row: Row, train: bool) -> float:
    answer = runner.pool.worker(row["lane"]).call(
        "time", inputs=runner.given, variant=row["variant"], train=train
    )
    return float(answer["milliseconds"])


def _load() -> float | None:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None

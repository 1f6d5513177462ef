"""Types of numeric options: finite, and bounded, so that no value overflows further inside."""

import math
from typing import Any

import click

LARGEST_COUNT = 2**31 - 1
LARGEST_THREADS = 1024
LARGEST_DAYS = 36_500
LARGEST_GIB = 1_000_000
LARGEST_SECONDS = 604_800
LARGEST_MB = 1_000_000_000


class Count(click.IntRange):
    """A whole number from `min` to `max`."""

    def __init__(self, min: int = 0, max: int = LARGEST_COUNT) -> None:
        super().__init__(min, max)


class Number(click.FloatRange):
    """A finite number from `min` to `max`. With `min_open`, `min` itself is excluded."""

    def __init__(self, min: float, max: float, *, min_open: bool = False) -> None:
        super().__init__(min, max, min_open=min_open)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number; fail if it is out of range or not a number (NaN)."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):  # passes every comparison of the range
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number

"""Figures: a named query + a definition + a population + an observation, with both its numbers."""

from hfscan.figures.census import ALL, Census, contains_floor, may_hold_floor
from hfscan.figures.figure import (
    GROUPINGS,
    WEIGHTS,
    By,
    Figure,
    Floor,
    Grouping,
    Population,
    Weight,
)
from hfscan.figures.plausible import check_import, describe_drops
from hfscan.figures.queries import Query, load
from hfscan.figures.trend import adoption, trend
from hfscan.frameworks import Definition

__all__ = [
    "ALL",
    "GROUPINGS",
    "WEIGHTS",
    "By",
    "Census",
    "Definition",
    "Figure",
    "Floor",
    "Grouping",
    "Population",
    "Query",
    "Weight",
    "adoption",
    "check_import",
    "contains_floor",
    "describe_drops",
    "load",
    "may_hold_floor",
    "trend",
]

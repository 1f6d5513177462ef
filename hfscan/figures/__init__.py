"""Figures: a named query + a definition + a population + a snapshot, with both its numbers."""

from hfscan.figures.census import ALL, Census, check_left, contains_cutoff, may_hold_cutoff
from hfscan.figures.figure import (
    GROUPINGS,
    WEIGHTS,
    By,
    Cutoff,
    Figure,
    Grouping,
    Population,
    Weight,
)
from hfscan.figures.period import FIRST_YEAR, Period, label_of
from hfscan.figures.plausible import check_import, describe_drops
from hfscan.figures.queries import Query, load
from hfscan.figures.trend import adoption, trend
from hfscan.frameworks import Definition

__all__ = [
    "ALL",
    "FIRST_YEAR",
    "GROUPINGS",
    "WEIGHTS",
    "By",
    "Census",
    "Cutoff",
    "Definition",
    "Figure",
    "Grouping",
    "Period",
    "Population",
    "Query",
    "Weight",
    "adoption",
    "check_import",
    "check_left",
    "contains_cutoff",
    "describe_drops",
    "label_of",
    "load",
    "may_hold_cutoff",
    "trend",
]

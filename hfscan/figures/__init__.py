"""Figures: shares of a population of models, computed by named queries over one snapshot."""

from hfscan.figures.checks import (
    check_import,
    check_not_empty,
    check_totals,
    describe_drops,
)
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
from hfscan.figures.period import (
    FIRST_YEAR,
    Period,
    contains_cutoff,
    label_of,
    may_contain_cutoff,
)
from hfscan.figures.queries import Query, load
from hfscan.figures.request import FigureRequest
from hfscan.figures.trend import adoption, trend
from hfscan.figures.view import ALL, SnapshotView
from hfscan.frameworks import Definition

__all__ = [
    "ALL",
    "FIRST_YEAR",
    "GROUPINGS",
    "WEIGHTS",
    "By",
    "Cutoff",
    "Definition",
    "Figure",
    "FigureRequest",
    "Grouping",
    "Period",
    "Population",
    "Query",
    "SnapshotView",
    "Weight",
    "adoption",
    "check_import",
    "check_not_empty",
    "check_totals",
    "contains_cutoff",
    "describe_drops",
    "label_of",
    "load",
    "may_contain_cutoff",
    "trend",
]

"""Figures: shares of a population of models, computed by named queries over one snapshot."""

from hfscan.choices import GROUPINGS, WEIGHTS, Cutoff, Grouping, Population, Weight
from hfscan.figures.account_groups import AccountGroups, load_account_groups
from hfscan.figures.checks import check_import, check_not_empty, check_totals, describe_drops
from hfscan.figures.figure import Figure, FigureRequest, check_weight
from hfscan.figures.lineage import find_lineage
from hfscan.figures.per_snapshot import add_zeros, label_snapshots, run_per_snapshot
from hfscan.figures.period import Period, format_period
from hfscan.figures.quality import Flag, find_flags, find_flags_of_figures
from hfscan.figures.queries import Query, list_queries, load
from hfscan.figures.subject import Subject, find_subject
from hfscan.figures.support import ModelSupport, explain_model
from hfscan.figures.trend import compare_snapshots, compute_adoption, list_breaks
from hfscan.figures.view import ALL, SnapshotView
from hfscan.frameworks import Definition

__all__ = [
    "ALL", "GROUPINGS", "WEIGHTS", "AccountGroups", "Cutoff", "Definition",
    "Figure", "FigureRequest", "Flag", "Grouping", "ModelSupport", "Period", "Population",
    "Query", "SnapshotView", "Subject", "Weight", "add_zeros", "check_import",
    "check_not_empty", "check_totals", "check_weight", "compare_snapshots", "compute_adoption",
    "describe_drops", "explain_model", "find_flags",
    "find_flags_of_figures", "find_lineage", "find_subject", "format_period", "label_snapshots",
    "list_breaks",
    "list_queries", "load", "load_account_groups", "run_per_snapshot",
]  # fmt: skip

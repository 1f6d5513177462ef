"""What options and parameters may be set to. Separate, so that `--help` imports nothing else."""

from typing import Literal, get_args

Population = Literal["created", "existing"]
Cutoff = Literal["excluded", "included", "only"]
Weight = Literal["models", "downloads", "authors"]
Grouping = Literal[
    "month", "year", "task", "library", "author", "license", "architecture", "language", "size",
    "gated", "storage_region",
]  # fmt: skip

GROUPINGS: tuple[Grouping, ...] = get_args(Grouping)
POPULATIONS: tuple[Population, ...] = get_args(Population)
WEIGHTS: tuple[Weight, ...] = get_args(Weight)

FIRST_YEAR = 2016
"""The first year that can be requested; the Hub's oldest repositories are from 2018."""

DIALECTS = ("spark", "bigquery", "snowflake")
"""Engines that the SQL of a named query can be written for."""

TABLES = ("models", "figures", "snapshots", "frameworks", "creation_dates", "history")
"""Tables of an export. The history is written only on request."""

TEXT_EXTENSIONS = {".txt": "terminal", ".md": "md", ".json": "json", ".html": "html"}
"""File extension -> format of a report."""

IMAGE_EXTENSIONS = {".svg": "svg", ".png": "png"}
"""File extension -> format of a report's first chart."""

EXTENSIONS = TEXT_EXTENSIONS | IMAGE_EXTENSIONS
LINEAGE_EXTENSIONS = {".txt": "terminal", ".mmd": "mermaid", ".html": "html", ".json": "json"}
RESULT_FORMATS = ("terminal", "csv", "json", "md")  # formats of the result of a query

"""Which evidence makes a model serve a framework: taxonomy.toml, as SQL and in Python."""

from hfscan.frameworks.classify import Classification, Reason, classify
from hfscan.frameworks.sql import masks_sql
from hfscan.frameworks.taxonomy import (
    DEFINITIONS,
    Definition,
    Framework,
    Rule,
    Taxonomy,
    fingerprint,
    taxonomy,
)

__all__ = [
    "DEFINITIONS",
    "Classification",
    "Definition",
    "Framework",
    "Reason",
    "Rule",
    "Taxonomy",
    "classify",
    "fingerprint",
    "masks_sql",
    "taxonomy",
]

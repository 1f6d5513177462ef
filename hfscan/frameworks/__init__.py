"""Classify models by framework, under taxonomy.toml: as SQL and in Python."""

from hfscan.frameworks.classify import Classification, Evidence, classify
from hfscan.frameworks.masks import MASKS, is_current, masks_sql, reclassify, write_taxonomy
from hfscan.frameworks.taxonomy import (
    DEFAULT_DEFINITION,
    DEFINITIONS,
    Definition,
    Framework,
    Rule,
    Taxonomy,
    fingerprint,
    newest_transformers,
    taxonomy,
)

__all__ = [
    "DEFAULT_DEFINITION", "DEFINITIONS", "MASKS", "Classification", "Definition", "Evidence",
    "Framework", "Rule", "Taxonomy", "classify", "fingerprint", "is_current", "masks_sql",
    "newest_transformers", "reclassify", "taxonomy", "write_taxonomy",
]  # fmt: skip

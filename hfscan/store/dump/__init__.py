"""Read dumps: recognize the content of each file, and convert it to one JSON object per model."""

from hfscan.store.dump.convert import Conversion, convert
from hfscan.store.dump.files import DumpFile, digest, find, inspect_all, is_plain
from hfscan.store.dump.names import canonical_name, hides_model
from hfscan.store.dump.relation import json_relation, parquet_relation

__all__ = [
    "Conversion",
    "DumpFile",
    "canonical_name",
    "convert",
    "digest",
    "find",
    "hides_model",
    "inspect_all",
    "is_plain",
    "json_relation",
    "parquet_relation",
]

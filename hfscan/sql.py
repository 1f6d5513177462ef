"""Literals and names, as SQL writes them."""

import re
from pathlib import Path


def literal(value: str | Path) -> str:
    """Return a string or a path in single quotes."""
    return "'" + str(value).replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return the name of a column in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def file_literal(path: Path) -> str:
    """Return a path in single quotes that no reader of files takes for a pattern of names."""
    return literal(re.sub(r"[*?[]", r"[\g<0>]", str(path)))

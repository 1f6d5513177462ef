"""Literals and names in SQL."""

import re
from collections.abc import Iterable
from pathlib import Path


def literal(value: str | Path) -> str:
    """Return a string or a path in single quotes."""
    return "'" + str(value).replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return the name of a column in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def file_literal(path: Path) -> str:
    """Return a path in single quotes, escaped so that readers do not take it for a glob."""
    return literal(re.sub(r"[*?[]", r"[\g<0>]", str(path)))


def file_literals(paths: Iterable[Path]) -> str:
    """Return the list of `file_literal` of several paths."""
    return f"[{', '.join(map(file_literal, paths))}]"

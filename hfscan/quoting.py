"""Literals and names, as SQL writes them."""

from pathlib import Path


def literal(value: str | Path) -> str:
    """Return a string or a path in single quotes."""
    return "'" + str(value).replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return the name of a column in double quotes."""
    return '"' + name.replace('"', '""') + '"'

"""Reads `reports/<name>/report.toml`."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hfscan.errors import ReportConfigError
from hfscan.suggest import unknown


def read(name: str, where: Path) -> dict[str, Any]:
    """Read and validate the plan of the report `name`. Raises ReportConfigError."""
    there = sorted(path.parent.name for path in where.glob("*/report.toml"))
    if name not in there:
        raise ReportConfigError(unknown(f"report in {where} called", name, there))
    path = where / name / "report.toml"
    try:
        plan = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ReportConfigError(f"{path} cannot be read: {error}.") from error
    sections = plan.get("section", [])
    for part in sections:
        if lacking := {"name", "title", "population"} - part.keys():
            raise ReportConfigError(f"{path}: a section has no {', '.join(sorted(lacking))}.")
        if not re.fullmatch(r"[a-z][a-z0-9_]*", part["name"]):  # it becomes a file's
            raise ReportConfigError(f"{path}: {part['name']!r} is no name; use a-z, 0-9 and _.")
    if "title" not in plan or plan.get("headline") not in {part["name"] for part in sections}:
        raise ReportConfigError(
            f"{path} must have a title, and as its headline the name of a section."
        )
    return plan


def plain(text: str, words: Mapping[str, Any]) -> str:
    """Fill the placeholders of a plan's text. Raises ReportConfigError on unknown ones."""
    try:
        return text.format_map(words)
    except (KeyError, IndexError, ValueError, AttributeError, TypeError) as error:
        known = ", ".join(f"{{{name}}}" for name in words)
        raise ReportConfigError(
            f"The plan's text {text!r} cannot be filled. Known: {known}."
        ) from error

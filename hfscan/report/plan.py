"""Reads `reports/<name>/report.toml`."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hfscan.errors import PlanError
from hfscan.suggest import unknown


def read(name: str, where: Path) -> dict[str, Any]:
    """Return the plan of the report `name`, once it is known to be one. Raises PlanError."""
    there = sorted(path.parent.name for path in where.glob("*/report.toml"))
    if name not in there:
        raise PlanError(unknown(f"report in {where} called", name, there))
    path = where / name / "report.toml"
    try:
        plan = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PlanError(f"{path} cannot be read: {error}.") from error
    sections = plan.get("section", [])
    for part in sections:
        if lacking := {"name", "title", "population"} - part.keys():
            raise PlanError(f"{path}: a section has no {', '.join(sorted(lacking))}.")
        if not re.fullmatch(r"[a-z][a-z0-9_]*", part["name"]):  # it becomes a file's
            raise PlanError(f"{path}: {part['name']!r} is no name; use a-z, 0-9 and _.")
    if "title" not in plan or plan.get("headline") not in {part["name"] for part in sections}:
        raise PlanError(f"{path} must have a title, and as its headline the name of a section.")
    return plan


def plain(text: str, words: Mapping[str, Any]) -> str:
    """Return a plan's text with its placeholders filled. Raises PlanError on an unknown one."""
    try:
        return text.format_map(words)
    except (KeyError, IndexError, ValueError, AttributeError, TypeError) as error:
        known = ", ".join(f"{{{name}}}" for name in words)
        raise PlanError(f"The plan's text {text!r} cannot be filled. Known: {known}.") from error

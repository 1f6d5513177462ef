"""Load and validate `reports/<name>/report.toml`, and fill its texts and sections."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hfscan.errors import ReportConfigError
from hfscan.figures import load
from hfscan.report.model import Row, Section
from hfscan.suggest import unknown

_POPULATIONS = ("created", "existing", "requested", "none")


def load_spec(name: str, where: Path) -> dict[str, Any]:
    """Return the specification of the report `name` in `where`. Raises ReportConfigError."""
    names = sorted(path.parent.name for path in where.glob("*/report.toml"))
    if name not in names:
        raise ReportConfigError(unknown(f"report in {where} called", name, names))
    path = where / name / "report.toml"
    try:
        spec = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ReportConfigError(f"{path} cannot be read: {error}.") from error
    sections = spec.get("section", [])
    for section in sections:
        if missing := {"name", "title", "population"} - section.keys():
            raise ReportConfigError(f"{path}: a section has no {', '.join(sorted(missing))}.")
        if not re.fullmatch(r"[a-z][a-z0-9_]*", section["name"]):  # it becomes a file name
            raise ReportConfigError(
                f"{path}: {section['name']!r} is not a valid section name. Use a-z, 0-9 and _."
            )
        if section["population"] not in _POPULATIONS:
            raise ReportConfigError(
                f"{path}: {unknown('population', section['population'], _POPULATIONS)}"
            )
    if "title" not in spec or spec.get("headline") not in {part["name"] for part in sections}:
        raise ReportConfigError(
            f"{path} must have a title, and the name of one of its sections as headline."
        )
    return spec


def fill_text(text: str, values: Mapping[str, Any]) -> str:
    """Return a text with its placeholders filled. Raises ReportConfigError on an unknown one."""
    try:
        return text.format_map(values)
    except (KeyError, IndexError, ValueError, AttributeError, TypeError) as error:
        known = ", ".join(f"{{{name}}}" for name in values)
        raise ReportConfigError(
            f"{text!r} has an unknown placeholder. Known placeholders: {known}."
        ) from error


def new_section(
    spec: Mapping[str, Any], values: Mapping[str, Any], rows: Iterable[Row], **fields: Any
) -> Section:
    """Return the section of a specification, its texts filled with `values`.

    `fields`: those of the section that the specification and its query do not say.
    """
    query = load(spec.get("query", "exclusivity"))
    fields.setdefault("formats", query.columns)
    return Section(
        name=spec["name"],
        title=fill_text(spec["title"], values),
        note=spec.get("note") and fill_text(spec["note"], values),
        query=query.name,
        rows=tuple(rows),
        vary_by=spec.get("vary_by"),
        columns=spec.get("columns"),
        pivot=spec.get("pivot"),
        only_total=spec.get("only_total", False),
        chart=spec.get("chart", query.chart),
        **fields,
    )

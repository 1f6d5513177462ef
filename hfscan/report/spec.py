"""Load and validate `reports/<name>/report.toml`, and fill its texts and sections."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from string import Formatter
from typing import Any

from hfscan.errors import ReportConfigError
from hfscan.figures import load
from hfscan.paths import data_dir
from hfscan.report.format import format_value
from hfscan.report.model import Finding, Row, Section
from hfscan.suggest import unknown

_POPULATIONS = ("created", "existing", "requested", "none")


def list_specs(where: Path | None) -> list[str]:
    """Return the names of the reports in a folder, by default hfscan's own."""
    return sorted(path.parent.name for path in (where or data_dir("reports")).glob("*/report.toml"))


def load_spec(name: str, where: Path) -> dict[str, Any]:
    """Return the specification of the report `name` in `where`. Raises ReportConfigError."""
    names = list_specs(where)
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
    headlines = {None, *(part["name"] for part in sections)}
    if "title" not in spec or not sections or spec.get("headline") not in headlines:
        raise ReportConfigError(
            f"{path} must have a title and sections; headline is the name of one of these."
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


class _Value:
    """A value of a row in a text: `{models}`, or counted with a noun, `{models:model}`."""

    def __init__(self, value: Any, kind: str | None) -> None:
        self._value, self._kind = value, kind

    def __format__(self, noun: str) -> str:
        text = format_value(self._kind, self._value)
        return f"{text} {noun}{'' if self._value == 1 else 's'}" if noun else text


def row_values(row: Row, formats: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of a row for `fill_text`. `formats`: column -> format."""
    return {column: _Value(value, formats.get(column)) for column, value in row.items()}


_HIGHLIGHT = ("big", "label", "small")


def list_findings(
    spec: Mapping[str, Any], section: Section, values: Mapping[str, Any]
) -> Iterator[Finding]:
    """Yield the findings of a section, each from the first row that has the values it names.

    Those without such a row, or whose text needs an unknown value, are left out.
    """
    for finding in spec.get("finding", ()):
        texts = [finding[key] for key in ("text", *_HIGHLIGHT) if key in finding]
        named = {name for text in texts for _, name, _, _ in Formatter().parse(text) if name}
        for row in section.rows:
            is_meant = all(str(row[key]) == str(value) for key, value in finding["row"].items())
            if is_meant and all(row.get(name, "") is not None for name in named):
                filled = {**values, **row_values(row, section.formats)}
                text, *others = (fill_text(text, filled) for text in texts)
                yield Finding(text, dict(zip(_HIGHLIGHT, others, strict=True)) if others else None)
                break


def new_section(
    spec: Mapping[str, Any], values: Mapping[str, Any], rows: Iterable[Row], **fields: Any
) -> Section:
    """Return the section of a specification, its texts filled with `values`.

    `fields`: those of the section that the specification and its query do not say.
    """
    query, columns = load(spec.get("query", "exclusivity")), spec.get("columns")
    fields.setdefault("formats", query.columns)
    return Section(
        name=spec["name"],
        title=fill_text(spec["title"], values),
        note=spec.get("note") and fill_text(spec["note"], values),
        query=query.name,
        rows=tuple(rows),
        vary_by=spec.get("vary_by"),
        columns=columns and {key: fill_text(text, values) for key, text in columns.items()},
        pivot=spec.get("pivot"),
        sparklines=spec.get("sparklines"),
        only_total=spec.get("only_total", False),
        split_by=spec.get("split_by"),
        chart=spec.get("chart", query.chart),
        **fields,
    )

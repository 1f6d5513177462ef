"""Write a self-contained HTML page.

Jinja2 escapes all text. A content security policy allows only the page's own style and scripts, by
hash, and no network access. Charts are SVG; the scripts replace them with interactive ones.
"""

import base64
import hashlib
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, TextIO

from hfscan._version import __version__
from hfscan.figures import load
from hfscan.paths import data_dir
from hfscan.report import charts
from hfscan.report.format import (
    class_label,
    figure_label,
    format_headline,
    format_number,
    format_percent,
    format_provenance,
    format_scope,
    format_value,
)
from hfscan.report.model import QueryRef, Report, Section
from hfscan.report.tables import Table, section_tables
from hfscan.report.writers import csv_
from hfscan.text import sanitize


def write(report: Report, out: TextIO) -> None:
    """Write the page to `out`."""
    # only this format needs it
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415
    from markupsafe import Markup  # noqa: PLC0415

    source = data_dir("reports") / "page"
    environment = Environment(
        loader=FileSystemLoader(source),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"sanitize": sanitize, "nowrap": _nowrap, "markup": Markup}
    style = charts.colors() + (source / "style.css").read_text(encoding="utf-8")
    script = (source / "page.js").read_text(encoding="utf-8")
    vega = charts.vega_script()
    page = environment.get_template("report.html").render(
        report=report,
        parts=[_Part(report, section) for section in report.sections],
        highlights=list(_highlights(report))[:4],
        is_synthetic=any(snapshot.synthetic for snapshot in report.snapshots),
        headline=format_headline(report),
        provenance=format_provenance(report),
        scope=None if report.text else format_scope(report.snapshot),
        style=Markup(style),  # noqa: S704 - hfscan's own files
        script=Markup(script),  # noqa: S704
        patterns=Markup(charts.PATTERNS),  # noqa: S704
        style_hash=_hash(style),
        script_hash=_hash(script),
        vega=Markup(vega),  # noqa: S704
        vega_hash=_hash(vega),
        version=__version__,
    )
    out.write(page)


@dataclass(frozen=True)
class _Part:
    """A section with what the template needs."""

    report: Report
    section: Section

    @cached_property
    def tables(self) -> list[Table]:
        return section_tables(self.section, self.report)

    @cached_property
    def chart(self) -> charts.Chart | None:
        return charts.chart_of(self.section, self.report)

    @property
    def is_open(self) -> bool:
        """Whether the table is visible without a click."""
        is_main = self.section == self.report.headline or self.section.vary_by == "definition"
        return is_main or not self.chart

    @property
    def csv_link(self) -> str:
        """The section's rows as a `data:` link."""
        text = csv_.to_csv(csv_.section_rows(self.section))
        return f"data:text/csv;charset=utf-8;base64,{base64.b64encode(text.encode()).decode()}"

    @property
    def queries(self) -> list[tuple[str, str]]:
        """For each query, the commands that repeat it, and its SQL."""
        commands: dict[str, list[str]] = {}
        for reference in self._references:
            commands.setdefault(reference.query, []).append(_command(reference))
        return [(_join(lines), load(name).sql) for name, lines in commands.items()]

    @property
    def _references(self) -> Sequence[QueryRef]:
        section, report = self.section, self.report
        if section.queries or not section.query:
            return section.queries
        parameters = section.parameters
        if parameters is None:
            parameters = _figure_parameters(section)
        snapshot = None if report.text else report.snapshot.id
        return (QueryRef(section.query, parameters, snapshot),)


def _join(lines: Sequence[str]) -> str:
    return "\n".join(filter(None, lines))


def _command(reference: QueryRef) -> str:
    """Return the command that repeats a query; empty for one over figures, not models."""
    if "figures" in {parameter.name for parameter in load(reference.query).parameters}:
        return ""
    parameters = [
        f"--param {shlex.quote(f'{name}={_parameter_text(value)}')}"
        for name, value in reference.parameters.items()
        if value is not None
    ]
    snapshot = [] if reference.snapshot is None else [f"--snapshot {reference.snapshot}"]
    return " ".join([f"hfscan query {reference.query}", *snapshot, *parameters])


def _figure_parameters(section: Section) -> dict[str, Any]:
    """Return the parameters of `exclusivity.sql` for the section's first figures."""
    figure = section.figures[0]
    since, until = figure.period or (None, None)
    return {
        "frameworks": figure.frameworks,
        "definition": figure.definition,
        "since": since if figure.population == "created" else None,
        "until": until,
        "cutoff": figure.cutoff,
        "weight": figure.weight,
        "by": figure.by,
        "exclude_top_authors": figure.exclude_top_authors or None,
    }


def _parameter_text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return f"{value:%Y-%m-%d}" if isinstance(value, datetime) else str(value)


def _highlights(report: Report) -> Iterator[Mapping[str, str]]:
    """Yield what is shown in large type: the headline's shares, or the report's own texts."""
    if report.text:
        yield from report.text.highlights
        return
    for row in report.headline.rows:
        shares = (format_percent(row["share"]), format_percent(row["compared_share"]))
        yield {
            "big": format_value("points", row["points"]),
            "label": class_label(row["name"], row["framework"], report.frameworks),
            "small": f"points: {' to '.join(shares)}",
        }
    for figure in report.headline.figures:
        if figure.cutoff in (None, "excluded") and figure.name in ("exclusive", "shared"):
            counts = format_number(figure.numerator), format_number(figure.denominator)
            yield {
                "big": format_percent(figure.share),
                "label": figure_label(figure, report.frameworks),
                "small": " of ".join(counts),
            }


def _nowrap(text: str) -> str:
    """Return the text as markup without line breaks in dates and before percent signs."""
    from markupsafe import Markup, escape  # noqa: PLC0415

    escaped = str(escape(sanitize(text))).replace(" %", "\N{NO-BREAK SPACE}%")
    return Markup(_DATE.sub(r'<span class="date">\g<0></span>', escaped))  # noqa: S704 - escaped


_DATE = re.compile(r"\b\d{4}-\d\d-\d\d\b")


def _hash(text: str) -> str:
    """Return the source expression that allows exactly this text in a content security policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

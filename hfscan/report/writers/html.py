"""Write a self-contained HTML page.

Jinja2 escapes all text. A content security policy allows only the page's own style and scripts, by
hash, and no network access. Charts are SVG; the scripts replace them with interactive ones.
"""

import base64
import hashlib
import re
import shlex
from collections.abc import Iterator, Mapping
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
    format_number,
    format_percent,
    format_share,
    format_value,
)
from hfscan.report.model import QueryRef, Report, Section
from hfscan.report.sentences import (
    format_missing,
    format_provenance,
    format_scope,
    list_answers,
)
from hfscan.report.tables import Table, section_tables
from hfscan.report.writers import csv_
from hfscan.text import sanitize


def write(report: Report, out: TextIO) -> None:
    """Write the page to `out`."""
    parts = [_Part(report, section) for section in report.sections]
    trusted = {
        "style": read_style(),
        "script": charts.read_page_file("page.js"),
        "vega": charts.vega_script() if any(part.chart for part in parts) else "",
        "patterns": charts.read_page_file("patterns.svg"),
    }
    page = render_page(
        "report.html",
        trusted,
        report=report,
        parts=parts,
        highlights=list(_highlights(report))[:4],
        is_synthetic=any(snapshot.synthetic for snapshot in report.snapshots),
        answers=list_answers(report),
        provenance=format_provenance(report),
        missing=None if report.text else format_missing(report.snapshot),
        scope=None if report.text else format_scope(report.snapshot),
    )
    out.write(page)


def read_style(*further: str) -> str:
    """Return the style of all pages, with those of `further` files."""
    return "".join(map(charts.read_page_file, ("colors.css", "style.css", *further)))


def render_page(template: str, trusted: Mapping[str, str], **values: object) -> str:
    """Return a page of reports/page/.

    `trusted`: hfscan's own style and scripts, which the page's policy allows by their hashes. All
    other text is escaped.
    """
    # only this format needs it
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415
    from markupsafe import Markup  # noqa: PLC0415

    environment = Environment(
        loader=FileSystemLoader(data_dir("reports") / "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"sanitize": sanitize, "nowrap": _nowrap, "markup": Markup}
    return environment.get_template(template).render(
        **values,
        **{name: Markup(text) for name, text in trusted.items()},  # noqa: S704 - hfscan's own files
        **{f"{name}_hash": _hash(text) for name, text in trusted.items()},
        version=__version__,
    )


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
        section, report = self.section, self.report
        snapshot = None if report.text else report.snapshot.id
        references = section.queries
        if section.query and not references:
            references = (QueryRef(section.query, section.parameters, snapshot),)
        commands: dict[str, list[str]] = {}
        for reference in references:
            commands.setdefault(reference.query, []).append(_command(reference))
        return [
            ("\n".join(filter(None, lines)), load(name).sql) for name, lines in commands.items()
        ]


def _command(reference: QueryRef) -> str:
    """Return the command that repeats a query; empty for one over figures, not models."""
    query = load(reference.query)
    if "figures" in query.defaults:
        return ""
    words = ["hfscan query", query.name]
    words += [] if reference.snapshot is None else [f"--snapshot {reference.snapshot}"]
    words += ["--per-snapshot"] * reference.per_snapshot
    for parameter in query.parameters:
        value = reference.parameters.get(parameter.name)
        if value is not None and parameter.name == "account_groups":
            words.append("--account-groups FILE.csv")
            continue
        if value is not None and value != parameter.default:
            words.append(f"--param {shlex.quote(f'{parameter.name}={_parameter_text(value)}')}")
    return " ".join(words)


def _parameter_text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return f"{value:%Y-%m-%d}" if isinstance(value, datetime) else str(value)


def _highlights(report: Report) -> Iterator[Mapping[str, str]]:
    """Yield what is shown in large type: the headline's shares, or the report's own texts."""
    if report.text:
        yield from report.text.highlights
        return
    if report.findings:
        yield from (finding.highlight for finding in report.findings if finding.highlight)
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
                "big": format_share(figure),
                "label": figure_label(figure, report.frameworks),
                "small": " of ".join(counts),
            }


def _nowrap(text: str) -> str:
    """Return the text as markup: no line breaks in dates, sparklines and before percent signs."""
    from markupsafe import Markup, escape  # noqa: PLC0415

    escaped = str(escape(sanitize(text))).replace(" %", "\N{NO-BREAK SPACE}%")
    return Markup(_UNBROKEN.sub(r'<span class="date">\g<0></span>', escaped))  # noqa: S704 - escaped


_UNBROKEN = re.compile(r"\b\d{4}-\d\d-\d\d\b|[▁-█][▁-█ ]*")  # dates and sparklines


def _hash(text: str) -> str:
    """Return the source expression that allows exactly this text in a content security policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

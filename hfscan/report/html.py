"""The report as one HTML page: no network, no script but its own few lines, nothing untrusted.

Jinja2 escapes whatever is not known to be markup; a content security policy names the page's own
style and script by their hashes, so that no other can run, and lets nothing be fetched.
"""

import base64
import hashlib
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TextIO

from hfscan import __version__
from hfscan.figures import load
from hfscan.report import chart, csv, words
from hfscan.report.plan import Report, Section
from hfscan.report.table import Table, tables
from hfscan.resources import folder


def write(report: Report, out: TextIO) -> None:
    """Write the page to `out`."""
    # only this format needs it
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415
    from markupsafe import Markup  # noqa: PLC0415

    here = folder("reports") / "page"
    environment = Environment(
        loader=FileSystemLoader(here),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = chart.colors() + _text(here / "style.css"), _text(here / "page.js")
    environment.filters |= {"printable": words.printable, "said": _said, "markup": Markup}
    page = environment.get_template("report.html").render(
        report=report,
        parts=[_Part(report, section) for section in report.sections],
        keys=list(_keys(report)),
        headline=words.headline(report),
        source=words.source(report),
        style=Markup(style),  # noqa: S704 - our own files
        script=Markup(script),  # noqa: S704
        patterns=Markup(chart.PATTERNS),  # noqa: S704
        style_hash=_hash(style),
        script_hash=_hash(script),
        version=__version__,
        number=words.number,
    )
    out.write(page)


@dataclass(frozen=True)
class _Part:
    """A section as the page shows it."""

    report: Report
    section: Section

    @cached_property
    def tables(self) -> list[Table]:
        return tables(self.section, self.report.names)

    @cached_property
    def chart(self) -> chart.Chart | None:
        return chart.draw(self.report, self.section)

    @property
    def open(self) -> bool:
        """Whether the table is seen without a click."""
        return not self.chart or self.section in (self.report.headline, *self._decides)

    @property
    def _decides(self) -> Iterator[Section]:
        return (one for one in self.report.sections if one.across == "definition")

    @property
    def csv(self) -> str:
        """The section's rows as a `data:` link."""
        text = csv.text(csv.rows(self.section))
        return f"data:text/csv;charset=utf-8;base64,{base64.b64encode(text.encode()).decode()}"

    @property
    def sql(self) -> str:
        return load(self.section.query).sql

    @property
    def command(self) -> str:
        """What repeats the section's query."""
        given = self.section.parameters
        if given == {}:  # of figures, not of the census
            return ""
        given = given or _asked(self.section)
        told = " ".join(
            f"--param {shlex.quote(f'{name}={_value(value)}')}"
            for name, value in given.items()
            if value is not None
        )
        return f"hfscan query {self.section.query} --source {self.report.source.id} {told}"


def _asked(section: Section) -> dict[str, Any]:
    """Return the parameters of the exclusivity query that gave the section's first figures."""
    one = section.figures[0]
    since, until = one.period or (None, None)
    return {
        "universe": one.universe,
        "definition": one.definition,
        "since": since if one.population == "created" else None,
        "until": until,
        "floor": one.floor,
        "weight": one.weight,
        "by": one.by,
        "without_top": one.without_top or None,
    }


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return f"{value:%Y-%m-%d}" if isinstance(value, datetime) else str(value)


def _keys(report: Report) -> Iterator[dict[str, str]]:
    """Yield the headline's shares, to be set large."""
    for row in report.headline.rows:
        shares = (words.percent(row["share"]), words.percent(row["other_share"]))
        yield {
            "share": words.cell("points", row["points"]),
            "label": words.what(row["name"], row["framework"], report.names),
            "of": f"points: {' to '.join(shares)}",
        }
    for one in report.headline.figures:
        if one.floor in (None, "excluded") and one.name in ("exclusive", "shared"):
            yield {
                "share": words.percent(one.share),
                "label": words.label(one, report.names),
                "of": f"{words.number(one.numerator)} of {words.number(one.denominator)}",
            }


def _said(text: str) -> str:
    """Return the text with no line break between a number and its sign."""
    return words.printable(text).replace(" %", "\N{NO-BREAK SPACE}%")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Return the source expression that lets a content security policy run exactly this."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

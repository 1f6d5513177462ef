"""The report as one HTML page: no network, no script but its own and Vega's, nothing untrusted.

Jinja2 escapes whatever is not known to be markup; a content security policy names the page's own
style and scripts by their hashes, so that no other can run, and lets nothing be fetched. Charts are
there as drawings; the scripts put live ones in their place.
"""

import base64
import hashlib
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TextIO

from hfscan._version import __version__
from hfscan.figures import load
from hfscan.paths import data_dir
from hfscan.report import chart, csv, words
from hfscan.report.report import Asked, Report, Section
from hfscan.report.table import Table, tables
from hfscan.text import sanitize


def write(report: Report, out: TextIO) -> None:
    """Write the page to `out`."""
    # only this format needs it
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415
    from markupsafe import Markup  # noqa: PLC0415

    here = data_dir("reports") / "page"
    environment = Environment(
        loader=FileSystemLoader(here),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = chart.colors() + _text(here / "style.css"), _text(here / "page.js")
    parts = [_Part(report, section) for section in report.sections]
    library = chart.bundle()
    environment.filters |= {"sanitize": sanitize, "said": _said, "markup": Markup}
    page = environment.get_template("report.html").render(
        report=report,
        parts=parts,
        keys=list(_keys(report)),
        synthetic=any(one.synthetic for one in report.snapshots),
        headline=words.headline(report),
        snapshot=words.snapshot(report),
        style=Markup(style),  # noqa: S704 - our own files
        script=Markup(script),  # noqa: S704
        patterns=Markup(chart.PATTERNS),  # noqa: S704
        style_hash=_hash(style),
        script_hash=_hash(script),
        library=Markup(library),  # noqa: S704
        library_hash=_hash(library),
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
        return tables(self.section, self.report)

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
    def sql(self) -> list[tuple[str, str]]:
        """What repeats each query, and its text."""
        told: dict[str, list[str]] = {}
        for one in self._questions:
            told.setdefault(one.query, []).append(_command(one))
        return [("\n".join(filter(None, lines)), load(name).sql) for name, lines in told.items()]

    @property
    def _questions(self) -> Sequence[Asked]:
        section, report = self.section, self.report
        if section.asked:
            return section.asked
        given = section.parameters if section.parameters is not None else _asked(section)
        return (Asked(section.query, given, None if report.said else report.snapshot.id),)


def _command(one: Asked) -> str:
    """Return what repeats the query; nothing where it is over figures, not over the census."""
    if "figures" in {parameter.name for parameter in load(one.query).parameters}:
        return ""
    told = [
        f"--param {shlex.quote(f'{name}={_value(value)}')}"
        for name, value in one.parameters.items()
        if value is not None
    ]
    snapshot = [] if one.snapshot is None else [f"--snapshot {one.snapshot}"]
    return " ".join([f"hfscan query {one.query}", *snapshot, *told])


def _asked(section: Section) -> dict[str, Any]:
    """Return the parameters of the exclusivity query that gave the section's first figures."""
    one = section.figures[0]
    since, until = one.period or (None, None)
    return {
        "frameworks": one.frameworks,
        "definition": one.definition,
        "since": since if one.population == "created" else None,
        "until": until,
        "cutoff": one.cutoff,
        "weight": one.weight,
        "by": one.by,
        "exclude_top_authors": one.exclude_top_authors or None,
    }


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return f"{value:%Y-%m-%d}" if isinstance(value, datetime) else str(value)


def _keys(report: Report) -> Iterator[Mapping[str, str]]:
    """Yield what is set large: the headline's shares, or what the plan says."""
    if report.said:
        yield from report.said.keys
        return
    for row in report.headline.rows:
        shares = (words.percent(row["share"]), words.percent(row["other_share"]))
        yield {
            "big": words.cell("points", row["points"]),
            "label": words.what(row["name"], row["framework"], report.names),
            "small": f"points: {' to '.join(shares)}",
        }
    for one in report.headline.figures:
        if one.cutoff in (None, "excluded") and one.name in ("exclusive", "shared"):
            yield {
                "big": words.percent(one.share),
                "label": words.label(one, report.names),
                "small": f"{words.number(one.numerator)} of {words.number(one.denominator)}",
            }


def _said(text: str) -> str:
    """Return the text as markup: no line break in a date, or between a number and its sign."""
    from markupsafe import Markup, escape  # noqa: PLC0415

    plain = str(escape(sanitize(text))).replace(" %", "\N{NO-BREAK SPACE}%")
    return Markup(_DATE.sub(r'<span class="whole">\g<0></span>', plain))  # noqa: S704 - escaped


_DATE = re.compile(r"\b\d{4}-\d\d-\d\d\b")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Return the snapshot expression that lets a content security policy run exactly this."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

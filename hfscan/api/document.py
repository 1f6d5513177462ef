"""Reports, charts and explanations of the Python API, which a notebook shows."""

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

from hfscan.api.records import Records, escape_html, format_table
from hfscan.choices import EXTENSIONS
from hfscan.errors import InvalidRequestError
from hfscan.figures import ModelSupport
from hfscan.frameworks import DEFINITIONS, Definition
from hfscan.fs import write_output
from hfscan.report import Report as BuiltReport
from hfscan.report import Section, render_report, render_text
from hfscan.report.charts import chart_of
from hfscan.report.drawing import Chart as DrawnChart
from hfscan.report.sentences import list_answers
from hfscan.report.tables import section_tables
from hfscan.suggest import unknown


class Chart:
    """A chart of a report; a notebook shows it."""

    def __init__(self, chart: DrawnChart) -> None:
        self._chart = chart

    @property
    def text(self) -> str:
        """The chart's text alternative."""
        return self._chart.alt

    @property
    def rows(self) -> Records:
        """The numbers that the chart draws, each with its text."""
        return Records(self._chart.rows)

    def to_svg(self) -> str:
        """Return the chart as an SVG document, 680 pixels wide."""
        return self._chart.document

    def _repr_html_(self) -> str:
        data = b64encode(self.to_svg().encode()).decode()
        return f'<img alt="{escape(self.text)}" src="data:image/svg+xml;base64,{data}">'


class Report:
    """A report: its answer, figures, tables and charts. A notebook shows the answer."""

    def __init__(self, report: BuiltReport) -> None:
        self._report = report
        self._sections = {section.name: section for section in report.sections}

    @property
    def title(self) -> str:
        return self._report.title

    @property
    def answer(self) -> str:
        """The sentences at the report's beginning, one paragraph each."""
        return "\n\n".join(list_answers(self._report))

    @property
    def notes(self) -> tuple[str, ...]:
        """What limits the figures."""
        return self._report.notes

    @property
    def sections(self) -> tuple[str, ...]:
        """The names of the sections, in reading order."""
        return tuple(self._sections)

    @property
    def figures(self) -> Records:
        """The figures of the requested definition and frameworks."""
        return Records(figure.as_dict() for figure in self._report.figures)

    @property
    def breakdown(self) -> Records:
        """All models, each in one class: the total, then each group."""
        return Records(self._report.breakdown)

    def table(self, section: str) -> Records:
        """Return the rows or figures of a section. Raises InvalidRequestError without it."""
        found = self._find(section)
        rows = found.rows or (figure.as_dict() for figure in found.figures)
        return Records(rows, found.columns or ())

    def chart(self, section: str | None = None) -> Chart:
        """Return the chart of a section; by default the first. Raises InvalidRequestError."""
        names = self.sections if section is None else (section,)
        charts = (chart_of(self._find(name), self._report) for name in names)
        drawn = next(filter(None, charts), None)
        if drawn is None:
            raise InvalidRequestError(
                f"The section {section} has no chart."
                if section
                else f"The report {self._report.name} has no chart."
            )
        return Chart(drawn)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as `hfscan report --format json` writes it (docs/json.md)."""
        document: dict[str, Any] = json.loads(render_text(self._report, "json"))
        return document

    def to_markdown(self) -> str:
        """Return all sections as Markdown."""
        return render_text(self._report, "md")

    def to_html(self) -> str:
        """Return a self-contained page with all sections and charts."""
        return render_text(self._report, "html")

    def write(self, path: str | Path) -> None:
        """Write the report to a file: .html, .md, .json or .txt; its first chart: .svg or .png.

        Raises InvalidRequestError on another extension, and StorageError.
        """
        file = Path(path)
        if (format_ := EXTENSIONS.get(file.suffix.lower())) is None:
            raise InvalidRequestError(
                f"{path} has no known extension. Known: {', '.join(EXTENSIONS)}."
            )
        write_output(file, render_report(self._report, format_), advice="choose another path")

    def _find(self, name: str) -> Section:
        if name not in self._sections:
            raise InvalidRequestError(unknown("section", name, self._sections))
        return self._sections[name]

    def __repr__(self) -> str:
        return f"<Report: {self.title}>"

    def _repr_html_(self) -> str:
        paragraphs = (f"<p><b>{escape_html(text)}</b></p>" for text in list_answers(self._report))
        headline = self._report.headline
        notes = (f"<p>{escape_html(note)}</p>" for note in (*self.notes, *headline.texts))
        tables = map(format_table, section_tables(headline, self._report))
        return f"<h3>{escape_html(self.title)}</h3>{''.join((*paragraphs, *tables, *notes))}"


class Explanation(Records):
    """Why a model is classified as it is: a row for each piece of evidence."""

    def __init__(self, support: ModelSupport, notes: Iterable[str]) -> None:
        super().__init__(support.rows, notes=notes)
        self._support = support
        self.model: str = support.model["id"]
        self.snapshot = support.snapshot

    @cached_property
    def frameworks(self) -> Mapping[Definition, frozenset[str] | None]:
        """Definition -> the frameworks that the model supports; None: unknown."""
        return {name: getattr(self._support.classification, name) for name in DEFINITIONS}

    def _repr_html_(self) -> str:
        items = (
            f"<li>{name}: {escape_html(self._support.describe(name))}</li>" for name in DEFINITIONS
        )
        day = f"{self.snapshot.observed_to:%Y-%m-%d}"
        head = f"<p>{escape_html(self.model)} in snapshot {self.snapshot.id} of {day}</p>"
        return f"{head}<ul>{''.join(items)}</ul>{super()._repr_html_()}"

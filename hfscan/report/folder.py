"""The report in several formats, as files of one folder."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from hfscan.fs import write_output
from hfscan.report import chart, csv, html, json, markdown, terminal
from hfscan.report.report import Report

_WRITERS = {"json": json.write, "html": html.write, "terminal": terminal.write}
_ENDINGS = {"terminal": "txt"}


def write_folder(report: Report, formats: Sequence[str], folder: Path) -> list[Path]:
    """Write the report to the folder, which is made where it is missing; return the files.

    `report-2022.html`, `.json`, `.txt`, `.md` with its charts in `report-2022-charts/`, and a CSV
    file for each section in `report-2022-csv/`. Raises StorageError.
    """
    written = []
    for format_ in formats:
        for name, text in _files(report, format_):
            write_output(folder / name, text, advice="choose another folder")
            written.append(folder / name)
    return written


def _files(report: Report, format_: str) -> Iterator[tuple[str, str]]:
    """Yield the files of a format: names made of the plan's words only, never of the Hub's."""
    base = report.file_name
    out = io.StringIO()
    if format_ == "csv":
        yield from ((f"{base}-csv/{name}", text) for name, text in csv.files(report))
        return
    if format_ == "md":
        charts = {}
        for section in report.sections:
            if drawn := chart.draw(report, section):
                charts[section.name] = f"{base}-charts/{section.name}.svg"
                yield charts[section.name], chart.standalone(drawn)
        markdown.write(report, out, charts)
    else:
        _WRITERS[format_](report, out)
    yield f"{base}.{_ENDINGS.get(format_, format_)}", out.getvalue()

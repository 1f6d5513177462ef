"""Write a report in several formats to one folder."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from hfscan.fs import write_output
from hfscan.report.charts import chart_of
from hfscan.report.model import Report
from hfscan.report.writers import FORMATS, csv_, markdown


def write_folder(report: Report, formats: Sequence[str], folder: Path) -> list[Path]:
    """Write the report to the folder, creating it if necessary; return the files.

    `report-2022.html`, `.json`, `.txt`, `.md` with its charts in `report-2022-charts/`, and a CSV
    file for each section in `report-2022-csv/`. Raises StorageError.
    """
    paths = []
    for format_ in formats:
        for name, text in _files(report, format_):
            write_output(folder / name, text, advice="choose another folder")
            paths.append(folder / name)
    return paths


def _files(report: Report, format_: str) -> Iterator[tuple[str, str]]:
    """Yield name and text of each file. Names contain no text from the Hub."""
    base = report.file_name
    if format_ == "csv":
        yield from ((f"{base}-csv/{name}", text) for name, text in csv_.report_files(report))
        return
    out = io.StringIO()
    if format_ == "md":
        charts = {}
        for section in report.sections:
            if chart := chart_of(section, report):
                charts[section.name] = f"{base}-charts/{section.name}.svg"
                yield charts[section.name], chart.document
        markdown.write(report, out, charts)
    else:
        FORMATS[format_](report, out)
    yield f"{base}.{'txt' if format_ == 'terminal' else format_}", out.getvalue()

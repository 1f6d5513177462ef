"""Draw the chart that a report leads with, as an SVG or PNG file."""

from hfscan.errors import InvalidRequestError
from hfscan.report.charts import chart_of
from hfscan.report.model import Report

IMAGE_FORMATS = ("svg", "png")


def draw_report(report: Report, format_: str) -> str | bytes:
    """Return the report's first chart. Raises InvalidRequestError where it has none."""
    charts = (chart_of(section, report) for section in report.sections)
    if (chart := next(filter(None, charts), None)) is None:
        raise InvalidRequestError(
            f"The report {report.name} has no chart. Write it as .html, .md, .json or .txt."
        )
    return chart.png if format_ == "png" else chart.document

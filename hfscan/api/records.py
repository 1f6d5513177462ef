"""Rows of the Python API: data frames of other libraries, and tables in a notebook."""

import importlib
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, overload

from hfscan.report.tables import Table, result_table
from hfscan.text import format_count, sanitize

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

_MOST_ROWS = 50  # in a notebook


class Records(Sequence[Mapping[str, Any]]):
    """Rows that convert to a data frame of another library. A key that a row lacks becomes None.

    `columns`: those of a result without rows. `notes`: sentences on the rows, such as that nothing
    matches the parameters of a query.
    """

    def __init__(
        self,
        rows: Iterable[Mapping[str, Any]],
        columns: Iterable[str] = (),
        notes: Iterable[str] = (),
    ) -> None:
        rows = tuple(rows)
        self.notes = tuple(notes)
        self.columns = tuple(dict.fromkeys(key for row in rows for key in row)) or tuple(columns)
        self._rows = rows

    @overload
    def __getitem__(self, index: int) -> Mapping[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> "Records": ...
    def __getitem__(self, index: int | slice) -> "Mapping[str, Any] | Records":
        found = self._rows[index]
        return Records(found, self.columns, self.notes) if isinstance(found, tuple) else found

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        columns = ", ".join(self.columns) or "none"
        notes = "".join(f" {text}" for text in self.notes)
        return f"<{type(self).__name__}: {format_count(len(self), 'row')} of {columns}>{notes}"

    def to_arrow(self) -> "pyarrow.Table":
        """Return a pyarrow.Table. Raises ImportError without pyarrow."""
        return _import("pyarrow").Table.from_pydict(
            {key: [row.get(key) for row in self._rows] for key in self.columns}
        )

    def to_pandas(self) -> "pandas.DataFrame":
        """Return a pandas.DataFrame. Raises ImportError without pandas."""
        return _import("pandas").DataFrame(self._complete_rows(), columns=list(self.columns))

    def to_polars(self) -> "polars.DataFrame":
        """Return a polars.DataFrame. Raises ImportError without polars."""
        frame: polars.DataFrame = _import("polars").DataFrame(
            self._complete_rows(), schema=list(self.columns), infer_schema_length=None
        )
        return frame

    def _complete_rows(self) -> list[dict[str, Any]]:
        return [{key: row.get(key) for key in self.columns} for row in self._rows]

    def _repr_html_(self) -> str:
        rows = self._complete_rows()[:_MOST_ROWS]
        table = format_table(result_table(self.columns, (tuple(row.values()) for row in rows)))
        more = len(self) - len(rows)
        notes = "".join(f"<p>{escape_html(text)}</p>" for text in self.notes)
        rest = f"<p>{format_count(more, 'more row')}. All: to_pandas().</p>" if more else ""
        return table + rest + notes


def format_table(table: Table) -> str:
    """Return the table as HTML; its text is escaped."""
    align = ["left" if is_text else "right" for is_text in table.is_text]
    head = "".join(map(_cell, table.headings, align, ["th"] * len(align)))
    body = "".join(f"<tr>{''.join(map(_cell, row, align))}</tr>" for row in table.rows)
    caption = f"<caption>{escape_html(table.title)}</caption>" if table.title else ""
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(text: str, align: str, tag: str = "td") -> str:
    return f'<{tag} style="text-align: {align}">{escape_html(text)}</{tag}>'


def escape_html(text: str) -> str:
    """Return the text on one line, escaped for HTML."""
    return escape(sanitize(text))


def _import(package: str) -> Any:
    """Return an optional package. Raises ImportError where it is not installed."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(
            f"{package} is not installed. To install it: pip install {package}"
        ) from error

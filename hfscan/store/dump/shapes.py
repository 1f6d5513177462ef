"""Find the models in JSON of any shape: lists, pages, objects by repo id."""

import json
from collections.abc import Iterator

import msgspec

from hfscan.store.dump.names import ENVELOPES, IDS, OBJECT_KEY, is_known, match_fields, rename
from hfscan.text import sanitize

LARGEST_OBJECT = 16 << 20  # bytes; they hold 250,000 file names

Row = dict[str, msgspec.Raw]
Text = bytes | memoryview
_Cells = list[list[msgspec.Raw]]

_WRAPPERS = ("models", "rows", "items", "data", "results", "records", "entries", "hits", "edges")
"""Keys of the list of models in an object with other facts, the most reliable first."""
_HEADERS, _BODIES = ("columns", "meta"), ("data", "rows")
"""Keys of a table's column names (or of objects with a `name`), and of its rows, lists of cells."""
_DEEPEST = 8  # lists and wrappers in each other
_NULL, _BROKEN = msgspec.Raw(b"null"), msgspec.Raw(b"{")
_INVALID = (msgspec.DecodeError, ValueError, OverflowError, RecursionError)
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_object = msgspec.json.Decoder(Row).decode
_decode_rows = msgspec.json.Decoder(list[list[msgspec.Raw]]).decode


class Unwrapper:
    """Yields the models of JSON values, and counts what it leaves out.

    `models` have an id. `oversized` and `damaged` are left out. `stranger` describes the first
    value that is not a model, or is None. `announced`: the total number of rows that a page of the
    dataset viewer or of a search states; `partial`: it states that this page is incomplete.
    """

    def __init__(self) -> None:
        self.models = self.oversized = self.damaged = self.announced = 0
        self.partial = False
        self.stranger: str | None = None

    def rows(self, value: Text, depth: int = 0) -> Iterator[Row]:
        """Yield a row for each model in a JSON value; and one without an id for any other item."""
        try:
            value, opened = _open(value)
        except _INVALID:
            self.damaged += 1
            return
        if isinstance(opened, list) and depth < _DEEPEST:
            for item in opened:
                yield from self.rows(memoryview(item), depth + 1)
        elif isinstance(opened, dict):
            yield from self._from_object(value, opened, depth)
        else:
            yield self._no_model(_kind(value))

    def _from_object(self, value: Text, fields: Row, depth: int) -> Iterator[Row]:
        try:
            yield from self._of_fields(value, fields, depth)
        except msgspec.DecodeError:  # at deeper levels
            self.damaged += 1

    def _of_fields(self, value: Text, fields: Row, depth: int) -> Iterator[Row]:
        row = rename(fields, _NULL)
        envelope = _enveloped(fields)
        if envelope is not None:
            yield from self._keyed(_document_key(fields), memoryview(envelope))
        elif has_id(row):
            yield from self._model(value, row)
        elif depth >= _DEEPEST:
            yield self._no_model("lists and objects nested too deeply")
        else:
            self._note_extent(fields)
            yield from self._from_container(fields, row, depth + 1)

    def _from_container(self, fields: Row, row: Row, depth: int) -> Iterator[Row]:
        """Yield the models of an object that has no id of its own."""
        models = _transposed_by_id(fields) or _transposed(row) or _viewed(fields)
        if models is not None:
            for model in models:
                yield from self._from_object(msgspec.json.encode(model), model, depth)
        elif (table := _table(fields)) is not None:
            yield from self._from_table(*table, depth)
        elif (inner := _wrapped(fields)) is not None:
            yield from self.rows(memoryview(inner), depth)
        elif _is_keyed_by_id(fields):
            for key, item in fields.items():
                yield from self._keyed(key, memoryview(item))
        else:
            yield self._no_model(_description(fields), row)

    def _from_table(self, names: list[str], rows: _Cells, depth: int) -> Iterator[Row]:
        models = [dict(zip(names, row, strict=True)) for row in rows if len(row) == len(names)]
        self.damaged += len(rows) - len(models)
        for model in models:
            yield from self._from_object(msgspec.json.encode(model), model, depth)

    def _note_extent(self, fields: Row) -> None:
        stated = (bytes(fields.get(key, _NULL)) for key in ("partial", "timed_out", "truncated"))
        self.partial = self.partial or b"true" in stated
        total = fields.get("num_rows_total", _NULL)
        if "hits" in fields:
            total = fields.get("total", _NULL)
            if _begins(total) == b"{":
                total = _decode_object(total).get("value", _NULL)
        digits = bytes(total)
        self.announced = max(self.announced, int(digits) if digits.isdigit() else 0)

    def _keyed(self, key: str, value: Text) -> Iterator[Row]:
        try:
            value, opened = _open(value)
        except _INVALID:
            self.damaged += 1
            return
        if not isinstance(opened, dict):
            yield self._no_model(_kind(value))
            return
        row = rename(opened, _NULL)
        repo = msgspec.Raw(msgspec.json.encode(key))
        if not (key or has_id(row)):
            yield self._no_model(_description(opened), row)
            return
        if not has_id(row) or ("/" in key and "id" not in row and "modelId" not in row):
            row["id"] = repo
        elif "/" in key and row.get("id", row.get("modelId")) != repo:
            row[OBJECT_KEY] = repo
        yield from self._model(value, row)

    def _model(self, value: Text, row: Row) -> Iterator[Row]:
        if len(value) > LARGEST_OBJECT:
            self.oversized += 1
            return
        try:
            msgspec.json.decode(value)  # `Raw` is not looked into
        except _INVALID:
            self.damaged += 1
            return
        self.models += 1
        yield row

    def _no_model(self, description: str, row: Row | None = None) -> Row:
        self.stranger = self.stranger or description
        return row or {}


def has_id(row: Row) -> bool:
    """Return whether a row, under the API's names, identifies its model."""
    return any(_begins(row.get(name, _NULL)) not in b"n[{tf" for name in IDS)


def _open(value: Text) -> tuple[Text, list[msgspec.Raw] | Row | None]:
    """Return the value, and its items or fields, None if it has neither.

    NaN and Infinity, which Python writes, become null. An item that is not valid Unicode becomes
    an unreadable item, so that only it is lost. Raises _INVALID.
    """
    if _begins(value) not in b"[{":
        return value, None
    try:
        return value, _decode(value)
    except msgspec.DecodeError:
        loose = json.loads(bytes(value).decode(errors="surrogateescape"))
    if isinstance(loose, list):
        return value, [_encode(item) for item in loose]
    encode = _encode if any(name in loose for name in IDS) else _encode_items
    fields = {key: encode(item) for key, item in loose.items()}
    return msgspec.json.encode(fields), fields


def _encode(value: object) -> msgspec.Raw:
    try:
        return msgspec.Raw(msgspec.json.encode(value))
    except (UnicodeError, OverflowError):
        return _BROKEN


def _encode_items(value: object) -> msgspec.Raw:
    """Encode a list of models so that a damaged item becomes null, and the others are kept."""
    if not isinstance(value, list):
        return _encode(value)
    items = (_encode(item) for item in value)
    return msgspec.Raw(msgspec.json.encode([_NULL if item is _BROKEN else item for item in items]))


def _decode(value: Text | msgspec.Raw) -> list[msgspec.Raw] | Row:
    return _decode_list(value) if _begins(value) == b"[" else _decode_object(value)


def _wrapped(fields: Row) -> msgspec.Raw | None:
    """Return the list of models that an object wraps, None where it wraps none for certain."""
    if bytes(fields.get("error", _NULL)) != b"null":
        return None
    wrapped = [fields[key] for key in _WRAPPERS if key in fields and _begins(fields[key]) in b"[{"]
    if wrapped or any(map(is_known, fields)):
        return wrapped[0] if wrapped else None
    lists = [value for value in fields.values() if _begins(value) == b"["]
    return lists[0] if len(lists) == 1 else None


def _is_keyed_by_id(fields: Row) -> bool:
    first = next(iter(fields.values()), _NULL)
    if _begins(first) != b"{" or any(map(is_known, fields)):
        return False
    try:
        return any(map(is_known, _decode_object(first)))
    except msgspec.DecodeError:
        return False


def _transposed(fields: Row) -> Iterator[Row] | None:
    """Yield the rows of columns, lists or objects by row (pandas writes such); None for others."""
    key = next((name for name in IDS if name in fields), None)
    if key is None or any(_begins(value) not in b"[{" for value in fields.values()):
        return None
    columns: dict[str, Row] = {}
    decoded = {name: _decode(value) for name, value in fields.items()}
    if len({len(items) for items in decoded.values() if isinstance(items, list)}) > 1:
        return None  # which value belongs to which row is unknown
    for name, opened in decoded.items():
        items = enumerate(opened) if isinstance(opened, list) else opened.items()
        columns[name] = {str(row): item for row, item in items}
    return (
        {name: column.get(row, _NULL) for name, column in columns.items()} for row in columns[key]
    )


def _transposed_by_id(fields: Row) -> Iterator[Row] | None:
    """Yield the rows of columns, objects by repo id (pandas' index of ids); None for others."""
    if not any(map(is_known, fields)) or _names_repos(tuple(fields)):
        return None
    if any(_begins(column) != b"{" for column in fields.values()):
        return None
    columns = {name: _decode_object(value) for name, value in fields.items()}
    first, *others = columns.values()
    has_ids = any("/" in key for key in first)
    if not has_ids or any(column.keys() != first.keys() for column in others):
        return None
    return (
        {"id": _encode(key)} | {name: column[key] for name, column in columns.items()}
        for key in first
    )


def _table(fields: Row) -> tuple[list[str], _Cells] | None:
    """Return the column names and the rows of a table, such as pandas' orient="split".

    An `index` of repo ids is a column where there is no other. Return None for what is no table.
    """
    header = next((fields[key] for key in _HEADERS if key in fields), _NULL)
    body = next((fields[key] for key in _BODIES if key in fields), _NULL)
    if _begins(header) != b"[" or _begins(body) != b"[":
        return None
    try:
        names, rows = [_column_name(column) for column in _decode_list(header)], _decode_rows(body)
    except msgspec.ValidationError:
        return None
    if len({*names}) < len(names):
        return None
    if _names_repos(tuple(names)):
        return names, rows
    index = msgspec.json.decode(fields.get("index", _NULL))
    if isinstance(index, list) and len(index) == len(rows) and _are_ids(index):
        return ["id", *names], [[_encode(id_), *row] for id_, row in zip(index, rows, strict=True)]
    return (names, rows) if "_id" in names else None


def _names_repos(names: tuple[str, ...]) -> bool:
    return not {"id", "modelId"}.isdisjoint(match_fields(names))


def _column_name(column: msgspec.Raw) -> str:
    """Return the name of a column. Raises ValidationError where it has none."""
    if _begins(column) == b"{":
        column = _decode_object(column).get("name", _NULL)
    return msgspec.json.decode(column, type=str)


def _are_ids(keys: list[object]) -> bool:
    return all(isinstance(key, str) for key in keys) and any("/" in str(key) for key in keys)


def _enveloped(fields: Row) -> msgspec.Raw | None:
    """Return the model in an object that holds one beside facts about it, None where none is."""
    if "id" in fields or "modelId" in fields:
        return None
    values = (fields[key] for key in ENVELOPES if key in fields)
    return next((value for value in values if _begins(value) == b"{"), None)


def _document_key(fields: Row) -> str:
    """Return the repo id that a document store keeps a model under; '' where it is another key."""
    key = msgspec.json.decode(fields.get("_id", _NULL))
    return key if isinstance(key, str) and "/" in key else ""


def _viewed(fields: Row) -> Iterator[Row] | None:
    """Yield the row of an item of the dataset viewer, cut cells as unreadable; None for others."""
    if "row" not in fields or _begins(fields["row"]) != b"{":
        return None
    cells = _open(fields.get("truncated_cells", _NULL))[1]
    names = cells if isinstance(cells, list) else []
    cut = {bytes(name).decode().strip('"') for name in names}
    row = _decode_object(fields["row"])
    # not readable as any field
    row |= {key: _encode([{"truncated": row[key]}]) for key in cut & row.keys()}
    return iter([row])


def _begins(value: Text | msgspec.Raw) -> bytes:
    """Return the first byte of a JSON value, which tells its type."""
    return bytes(memoryview(value)[:1])


def _kind(value: Text) -> str:
    kinds = {b"[": "lists in lists", b'"': "text", b"n": "null", b"t": "true", b"f": "false"}
    return kinds.get(_begins(value), "numbers")


def _description(fields: Row) -> str:
    error = bytes(fields.get("error", _NULL))
    if error != b"null":
        return f"an error message ({sanitize(error.decode(errors='replace'), 100)})"
    if not fields:
        return "an empty object"
    if any(_begins(fields.get(name, _NULL)) == b"[" for name in IDS):
        return f"columns of unequal length ({sanitize(', '.join(fields), 100)})"
    return f"an object with {sanitize(', '.join(fields), 100)}"

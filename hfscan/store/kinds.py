"""Tell lists of the Hub's datasets and spaces from lists of models: all have ids and tags."""

import duckdb

from hfscan.errors import ImportFileError
from hfscan.quoting import literal

_EVIDENCE: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "datasets": (
        ("paperswithcode_id", "citation", "dataset_info"),
        ("task_categories:", "task_ids:", "size_categories:", "annotations_creators:"),
    ),
    "spaces": (("sdk", "sdk_version", "runtime", "emoji", "colorFrom", "app_file"), ()),
}
"""What is no model -> fields that a model does not have, and beginnings of its tags."""


def check_models(connection: duckdb.DuckDBPyConnection, origin: str) -> None:
    """Raise ImportFileError if most staged rows are datasets or spaces by their fields or tags.

    Rows with a library or a task are models, whatever else they have.
    """
    counts = ", ".join(f"count(*) FILTER ({_condition(*one)})" for one in _EVIDENCE.values())
    found = connection.execute(f"SELECT count(*), {counts} FROM staged").fetchone()
    assert found is not None
    rows, *matches = found
    for what, count in zip(_EVIDENCE, matches, strict=True):
        if 2 * count > rows:
            raise ImportFileError(
                f"{origin} seems to be a list of {what}, not of models: {count:,} of {rows:,} rows "
                f"have the fields or tags of {what}. Nothing was imported."
            )


def _condition(fields: tuple[str, ...], tags: tuple[str, ...]) -> str:
    tests = [f"list_has_any(coalesce(unknown, []), {list(fields)})"]
    tests += [
        f"len(list_filter(tags, lambda tag: starts_with(tag, {literal(tag)}))) > 0" for tag in tags
    ]
    return f"library_name IS NULL AND pipeline_tag IS NULL AND ({' OR '.join(tests)})"

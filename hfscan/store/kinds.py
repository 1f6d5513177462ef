"""Recognize lists of datasets and spaces, which have ids and tags as lists of models do."""

from hfscan.errors import ImportFileError
from hfscan.sql import literal
from hfscan.store.database import Store


def _has_any(column: str, *items: str) -> str:
    return f"list_has_any(coalesce({column}, []), {list(items)})"


def _has_tag_with_prefix(*prefixes: str) -> str:
    tests = " OR ".join(f"starts_with(tag, {literal(prefix)})" for prefix in prefixes)
    return f"len(list_filter(tags, lambda tag: {tests})) > 0"


_FIELDS_OF_DATASETS = ("paperswithcode_id", "citation", "dataset_info")
_FIELDS_OF_SPACES = ("sdk", "sdk_version", "runtime", "emoji", "colorFrom", "app_file")
TELLTALE_FIELDS = frozenset(_FIELDS_OF_DATASETS + _FIELDS_OF_SPACES)
"""Fields that models do not have."""

_EVIDENCE: dict[str, tuple[str, ...]] = {
    "datasets": (
        _has_any("unknown", *_FIELDS_OF_DATASETS),
        _has_any("tags", "library:datasets"),
        _has_tag_with_prefix(
            "task_categories:", "task_ids:", "size_categories:", "annotations_creators:"
        ),
    ),
    "spaces": (
        _has_any("unknown", *_FIELDS_OF_SPACES),
        _has_any("tags", "gradio", "streamlit", "docker", "static"),
        "is_space_card",  # cardData.sdk
    ),
}
"""Kind of repository -> conditions on staged rows that few models without library and task meet."""


def check_models(store: Store, origin: str) -> None:
    """Raise ImportFileError if most staged rows are datasets or spaces by their fields or tags.

    Rows with a library or a task are models, whatever else they have.
    """
    candidates = "library_name IS NULL AND pipeline_tag IS NULL"
    rows, count = store.fetch_one(f"SELECT count(*), count(*) FILTER ({candidates}) FROM staged")
    if 2 * count <= rows:  # the tests below read all tags
        return
    counts = ", ".join(
        f"count(*) FILTER (coalesce({' OR '.join(conditions)}, false))"
        for conditions in _EVIDENCE.values()
    )
    matches = store.fetch_one(f"SELECT {counts} FROM staged WHERE {candidates}")
    for kind, count in zip(_EVIDENCE, matches, strict=True):
        if 2 * count > rows:
            raise ImportFileError(
                f"{origin} seems to be a list of {kind}, not of models: {count:,} of {rows:,} rows "
                f"have the fields or tags of {kind}. Nothing was imported."
            )

"""What rows of snapshots, versions, counts and creation dates must be, wherever they come from."""

from hfscan.objectid import CUTOFF_END, CUTOFF_START
from hfscan.store.parquet import Rule, in_the_past, not_negative, one_of, required

SOURCE_RULES = (
    *required("id", "kind", "origin", "observed_from", "observed_to", "models", "missing_columns"),
    one_of("kind", ("crawl", "update", "import")),
    *in_the_past(("observed_from", "observed_to")),
    Rule("observed_from > observed_to", "observed_from lies after observed_to"),
    Rule("since >= until", "since does not lie before until"),
    *not_negative(("models", "requests")),
    Rule("model_limit < 1", "model_limit is less than 1"),
    Rule("sample <= 0 OR sample > 1 OR isnan(sample)", "sample is no probability"),
)

PLACE_RULES = (
    *required("series_id", "position", "digest"),
    Rule("id < 1 OR series_id < 1 OR position < 1", "id, series_id or position is less than 1"),
)

DATE_RULES = (
    *required("id", "kind", "origin", "recorded_at"),
    Rule("id = ''", "id is empty"),
    one_of("kind", ("first commit", "import")),
    *in_the_past(("created_at", "recorded_at")),
)

VERSION_RULES = (
    *required("snapshot", "model", "gone", "key"),
    Rule("model < 1", "a model's number is less than 1"),
    Rule("NOT gone AND (id IS NULL OR id = '')", "id is missing"),
    Rule("NOT gone AND has_id IS NULL", "has_id is missing"),
    *in_the_past(("created_at", "last_modified")),
    *not_negative(("parameters",)),
    Rule(
        f"at_cutoff IS DISTINCT FROM (created_at >= TIMESTAMP '{CUTOFF_START:%F %T}' "
        f"AND created_at < TIMESTAMP '{CUTOFF_END:%F %T}')",
        "at_cutoff contradicts created_at",
    ),
)

COUNT_RULES = (
    *required("snapshot", "model"),
    *not_negative(("downloads", "downloads_all_time", "likes")),
)

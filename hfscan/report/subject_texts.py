"""Write the title and the first sentences of the reports on a model, an account or a family."""

from collections.abc import Iterator

from hfscan.report.format import format_date
from hfscan.report.model import Row
from hfscan.text import format_count


def describe_model(row: Row) -> dict[str, str]:
    """Return `title` and `answer`, from the row of `model_summary.sql`."""
    return {"title": row["id"], "answer": " ".join(_list_model_sentences(row))}


def _list_model_sentences(row: Row) -> Iterator[str]:
    if row["at_cutoff"]:  # the placeholder of all older models, or what was seen before it
        day = format_date(min(row["created_at"], row["first_seen"]))
        yield f"It was created on or before {day}; the Hub does not know when."
    elif row["created_at"] is not None:
        yield f"It was created on {format_date(row['created_at'])}."
    first, last = format_date(row["first_seen"]), format_date(row["last_seen"])
    presence = f"It is in {row['snapshots']:,} snapshots from {first} to {last}"
    if row["snapshots"] == 1:
        presence = f"It is in the snapshot of {first}"
    if row["absent_at"] is not None:
        day = format_date(row["absent_at"])
        presence += f", but not in that of {day}: deleted, private or renamed"
    yield f"{presence}."
    if row["other_names"]:
        yield f"Other names: {', '.join(row['other_names'])}."


def describe_group(row: Row) -> dict[str, str]:
    """Return `title` and `answer`, from the row of `group_summary.sql`."""
    models = format_count(row["models"], "model")
    answer = f"{models} in the snapshot of {format_date(row['last_seen'])}"
    if row["snapshots"] > 1:
        answer += f"; {row['first_models']:,} in that of {format_date(row['first_seen'])}"
    title = row["author"] or f"The family of {row['family']}"
    return {"title": title, "answer": f"{answer}. {_describe_changes(row)}"}


def _describe_changes(row: Row) -> str:
    if not row["pairs"]:
        return "Changes show between two complete snapshots of the Hub."
    verbs = {"came": "came", "gone": "went away", "renamed": "were renamed"}
    parts = [
        f"{verb} {'once' if row[event] == 1 else f'{row[event]:,} times'}"
        for event, verb in verbs.items()
        if row[event]
    ]
    changes = f"models {', '.join(parts)}" if parts else "no model came, went away or was renamed"
    return f"Between complete snapshots of the Hub, {changes}."

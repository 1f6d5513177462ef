"""Write the title and the first sentences of the reports on a model, an account or a family."""

from collections.abc import Iterator, Sequence
from operator import itemgetter

from hfscan.report.format import format_date
from hfscan.report.model import Row
from hfscan.text import format_count

_SUMS = ("downloads", "likes")
_MOST_DAYS = 3  # that are named, those that lack most


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
        absence = "a later one of that day" if day == last else f"that of {day}"
        presence += f", but not in {absence}: deleted, private or renamed"
    yield f"{presence}."
    if row["other_names"]:
        yield f"Other names: {', '.join(row['other_names'])}."


def describe_group(row: Row) -> dict[str, str]:
    """Return `title`, `answer` and of how many models the sums are, from `group_summary.sql`."""
    models = format_count(row["models"], "model")
    first, last = format_date(row["first_seen"]), format_date(row["last_seen"])
    answer = f"{models} in the snapshot of {last}"
    if row["snapshots"] > 1:
        snapshot = "the first one of that day" if first == last else f"that of {first}"
        answer += f"; {row['first_models']:,} in {snapshot}"
    title = row["author"] or f"The family of {row['family']}"
    parts = {
        f"with_{sum_}_text": _describe_part(row[f"with_{sum_}"], row[f"{sum_}_models"])
        for sum_ in _SUMS
    }
    return {"title": title, "answer": f"{answer}. {_describe_changes(row)}"} | parts


def _describe_part(known: int | None, models: int | None) -> str:
    """Return ", of 333 of 492 models", after a sum of counts that some models lack; "" if none."""
    if known is None or models is None or known == models:
        return ""
    return f", of {known:,} of {format_count(models, 'model')}"


def describe_sums(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return of how many models the sums of `group_history.sql` are, where some lack a count."""
    return tuple(filter(None, (_describe_sum(rows, name) for name in _SUMS)))


def _describe_sum(rows: Sequence[Row], name: str) -> str | None:
    lacking = [row for row in rows if row[name] is not None and row[f"with_{name}"] < row["models"]]
    if not lacking:
        return None
    shown = sorted(lacking, key=lambda row: row[f"with_{name}"] / row["models"])[:_MOST_DAYS]
    parts = ", ".join(
        f"{row[f'with_{name}']:,} of {format_count(row['models'], 'model')} "
        f"({format_date(row['observed_at'])})"
        for row in sorted(shown, key=itemgetter("observed_at"))
    )
    more = len(lacking) - len(shown)
    others = f" and not for all in {format_count(more, 'other snapshot')}" if more else ""
    return f"{name.capitalize()} are known for {parts}{others}. Sums leave the others out."


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

"""Turnover and histories counted again in plain Python: no SQL, nothing of hfscan's code.

A snapshot is its time (UTC) and its models: {name: object}, as the Hub's list has them. There is no
`_id`: a model is the same if its name and its date of creation are.
"""

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from itertools import pairwise
from math import exp
from typing import Any, NamedTuple

from evidence import classify

CUTOFF = "2022-03-02T23:29:"
CUTOFF_DAY = datetime(2022, 3, 2)
ACCOUNTS_OF_2024 = (
    "FacebookAI Salesforce albert almanach distilbert google-bert google-t5 openai-community "
    "transfo-xl xlnet"
).split()
"""The accounts that models without one got in 2024."""
DAY = 86_400_000_000  # microseconds


class Snapshot(NamedTuple):
    time: datetime
    models: dict[str, dict[str, Any]]


def find_renames(old: Snapshot, new: Snapshot) -> dict[str, str]:
    """Return the old name -> the new one, of models that got an account."""
    candidates = (
        (name, f"{account}/{name}")
        for name in old.models
        if "/" not in name and name not in new.models
        for account in ACCOUNTS_OF_2024
    )
    return {name: moved for name, moved in candidates if moved in new.models}


def created_at(model: dict[str, Any]) -> datetime | None:
    """Return when a model was created, None if that is unknown."""
    text = model.get("createdAt")
    if not text or text.startswith(CUTOFF):
        return None
    return datetime.fromisoformat(text).replace(tzinfo=None)


def identify(snapshot: Snapshot, other: Snapshot) -> dict[tuple, dict[str, Any]]:
    """Return (name, creation date) of each model -> the model; no dates where `other` has none."""
    has_dates = any(model.get("createdAt") for model in other.models.values())
    return {
        (name, created_at(model) if has_dates else None): model
        for name, model in snapshot.models.items()
    }


def count_turnover(snapshots: list[Snapshot]) -> list[dict[str, int]]:
    """Return the numbers of changes of each pair of snapshots."""
    rows, seen = [], set()
    for old, new in pairwise(snapshots):
        renames = find_renames(old, new)
        before, after = identify(old, new), identify(new, old)
        added = {key for key in after.keys() - before if key[0] not in renames.values()}
        gone = {key for key in before.keys() - after if key[0] not in renames}
        back = added & seen
        dates = [created_at(after[key]) for key in added - back]
        born = [date for date in dates if date and date >= old.time]
        # of a date that says only "by the cutoff", if that was later than the snapshot before
        undated = [
            key for key, date in zip(added - back, dates, strict=True)
            if not date and not (after[key].get("createdAt") and old.time > CUTOFF_DAY)
        ]  # fmt: skip
        rows.append(
            {
                "born": len(born),
                "appeared": len(added) - len(back) - len(born) - len(undated),
                "undated": len(undated),
                "back": len(back),
                "gone": len(gone),
                "renamed": len(renames),
            }
        )
        seen |= before.keys()
    return rows


def list_stays(snapshots: list[Snapshot]) -> list[tuple[datetime, datetime, datetime, bool]]:
    """Return creation, first and last time of each stay of a model, and whether it then died."""
    days = [identify(snapshot, snapshot) for snapshot in snapshots]
    stays = []
    for key in set().union(*days):
        present, created = [key in day for day in days], key[1]
        start = None
        for number, (snapshot, is_there) in enumerate(zip(snapshots, present, strict=True)):
            if is_there and start is None:
                start = snapshot.time
            if start is not None and not (is_there and number + 1 < len(snapshots)):
                last = snapshots[number if is_there else number - 1].time
                dies = not is_there and not any(present[number:])
                end = last + (snapshot.time - last) / 2 if dies else last
                stays.append((created, start, end, dies))
                start = None
    return stays


def count_survival(
    snapshots: list[Snapshot], every: int
) -> tuple[dict[str, dict[int, tuple]], float]:
    """Return {year or (all): {age: (deaths, model days, share, survival)}}, and the coverage."""
    deaths, times = defaultdict(Counter), defaultdict(Counter)
    total = undated = 0
    for created, start, end, dies in list_stays(snapshots):
        total += (end - start) // timedelta(microseconds=1)
        if created is None:
            undated += (end - start) // timedelta(microseconds=1)
            continue
        first, last = (
            max(0, (moment - created) // timedelta(microseconds=1)) for moment in (start, end)
        )
        for group in ("(all)", str(created.year)):
            for age in range(first // (every * DAY), last // (every * DAY) + 1):
                low, high = age * every * DAY, (age + 1) * every * DAY
                times[group][age] += min(last, high) - max(first, low)
            deaths[group][last // (every * DAY)] += dies
    result = {}
    for group in times:
        hazard, result[group] = 0.0, {}
        for age in sorted(age for age, time in times[group].items() if time):
            count, time = deaths[group][age], times[group][age]
            rate = count / time * every * DAY
            hazard += rate
            result[group][(age + 1) * every] = (
                count, round(time / DAY, 3), round(1 - exp(-rate), 9), round(exp(-hazard), 9),
            )  # fmt: skip
    return result, round(1 - undated / total, 9)


def licenses(model: dict[str, Any]) -> str:
    names = sorted(tag[8:] for tag in model["tags"] if tag.startswith("license:"))
    return " + ".join(names) or "(none)"


def count_license_changes(old: Snapshot, new: Snapshot) -> dict[tuple[str, str], tuple]:
    """Return {(before, after): (models, with before, downloads, downloads with before)}."""
    renames = find_renames(old, new)
    models, downloads = Counter(), Counter()
    for name, model in old.models.items():
        later = new.models.get(renames.get(name, name))
        dates = {created_at(model), created_at(later or {})} - {None}
        if later is not None and len(dates) < 2:  # else another model of the same name
            models[licenses(model), licenses(later)] += 1
            downloads[licenses(model), licenses(later)] += later.get("downloads") or 0
    totals, download_totals = Counter(), Counter()
    for pair in models:
        totals[pair[0]] += models[pair]
        download_totals[pair[0]] += downloads[pair]
    return {
        pair: (models[pair], totals[pair[0]], downloads[pair], download_totals[pair[0]])
        for pair in models
    }


def list_events(snapshots: list[Snapshot], name: str) -> list[tuple]:
    """Return (event, since, until, new, before) of one model that keeps its name."""
    first = next(s for s in snapshots if name in s.models)
    events: list[tuple] = [("first seen", None, first.time, None, None)]
    last: dict[str, tuple] = {}
    known: datetime | None = None
    was_there: bool | None = None
    for before, snapshot in zip((None, *snapshots), snapshots, strict=False):
        model = snapshot.models.get(name)
        if was_there is not None and (model is not None) != was_there:
            kind = "back" if model else "gone"
            events.append((kind, before.time, snapshot.time, None, None))
        was_there = model is not None or (None if was_there is None else False)
        if model is None:
            continue
        created = created_at(model)
        if created and created != known:
            events.append(("created", created, created, None, None))
        known = created
        for event, values in describe(model).items():
            since, old = last.get(event, (None, values))
            new, removed = sorted({*values} - {*old}), sorted({*old} - {*values})
            if new or removed:
                events.append((event, since, snapshot.time, new, removed))
            last[event] = (snapshot.time, values)
    return sorted(events, key=str)


def describe(model: dict[str, Any]) -> dict[str, list[str]]:
    """Return what events can be about -> its values, without what is unknown."""
    task, library, tags = model.get("pipeline_tag"), model.get("library_name"), model["tags"]
    values = {
        "license": [tag[8:] for tag in tags if tag.startswith("license:")],
        "task": [task] if task else [],
        "library": [library] if library else [],
        "gate": [str(model["gated"]).lower()],
        "tags": [
            tag for tag in tags if not tag.startswith("license:") and tag not in (task, library)
        ],
    }
    best = classify(tags, library, None, None)[-1]
    return values if best is None else {**values, "frameworks": sorted(best)}


def list_group(snapshot: Snapshot, author: str) -> list[dict[str, Any]]:
    return [model for name, model in snapshot.models.items() if name.startswith(f"{author}/")]

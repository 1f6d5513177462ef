"""Which snapshots share a file of a saved history.

Those of an earlier year share one, those of an earlier month of this year too; later ones have each
its own. So a restore reads 52 files of each table after ten years of days, not 3,650.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import groupby


@dataclass(frozen=True)
class SavedSnapshot:
    """A snapshot, and the `previous` one of its series that its rows differ from; 0: the first."""

    id: int
    previous: int
    observed_to: datetime

    @property
    def month(self) -> tuple[int, int]:
        return self.observed_to.year, self.observed_to.month


def plan_files(snapshots: Iterable[SavedSnapshot]) -> dict[str, tuple[int, ...]]:
    """Return the name of each file -> the ids of the snapshots in it."""
    known = list(snapshots)
    year, month = max((snapshot.month for snapshot in known), default=(0, 0))

    def part(snapshot: SavedSnapshot) -> tuple[int, ...]:
        if snapshot.month[0] < year:
            return snapshot.month[:1]
        return snapshot.month if snapshot.month[1] < month else (*snapshot.month, snapshot.id)

    return _group(known, part)


def list_possible_files(snapshots: Iterable[SavedSnapshot]) -> dict[str, tuple[int, ...]]:
    """Return the same for all files that may be there: older ones are of shorter periods."""
    known = list(snapshots)
    return (
        _group(known, lambda snapshot: (snapshot.id,))
        | _group(known, lambda snapshot: snapshot.month)
        | _group(known, lambda snapshot: snapshot.month[:1])
    )


def _group(
    snapshots: list[SavedSnapshot], part: Callable[[SavedSnapshot], tuple[int, ...]]
) -> dict[str, tuple[int, ...]]:
    ordered = sorted(snapshots, key=lambda snapshot: (part(snapshot), snapshot.id))
    groups = [tuple(group) for _, group in groupby(ordered, part)]
    return {_name(group): tuple(snapshot.id for snapshot in group) for group in groups}


def _name(group: tuple[SavedSnapshot, ...]) -> str:
    """Return a name that gives all that the file depends on."""
    first, last = group[0], group[-1]
    if first is last:
        return f"{first.id:06}-after-{first.previous:06}.parquet"
    pairs = repr([(snapshot.id, snapshot.previous) for snapshot in group])
    return f"{first.id:06}-to-{last.id:06}-{sha256(pairs.encode()).hexdigest()[:16]}.parquet"

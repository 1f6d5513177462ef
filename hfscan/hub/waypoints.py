"""Cursors that the Hub gave an earlier full crawl, so that a later one can begin in its midst."""

import contextlib
from collections.abc import Iterable
from pathlib import Path

import msgspec

from hfscan.fs import add_checksum, atomic_write, strip_checksum
from hfscan.hub import cursor
from hfscan.hub.journal import Entry

_FEWEST = 40  # pages; a shorter crawl gains nothing from workers
_MOST = 1_000  # more than enough to part a Hub evenly


class Waypoint(msgspec.Struct, frozen=True):
    """Where a page ended: the walk that goes on there begins beyond `id`, in its direction."""

    id: str
    cursor: str
    ascending: bool


class Waypoints(msgspec.Struct, frozen=True):
    """Waypoints of one Hub in the order of their `_id`, about equally many models apart."""

    endpoint: str
    points: tuple[Waypoint, ...]

    @classmethod
    def of(cls, endpoint: str, entries: Iterable[Entry]) -> "Waypoints | None":
        """Return the waypoints of a finished full crawl, None when it was a short one."""
        points = [
            Waypoint(entry.last, found, entry.walker % 2 == 0)
            for entry in entries
            if entry.next_url and entry.last and entry.models and not entry.presumed
            if (found := cursor.read(entry.next_url))
        ]
        if len(points) < _FEWEST:
            return None
        step = -(-len(points) // _MOST)
        return cls(endpoint, tuple(sorted(points, key=lambda point: point.id)[::step]))

    def parting(self, workers: int) -> tuple[Waypoint, ...]:
        """Return the waypoints that part the Hub into so many stretches, or as many as it can."""
        places = {round(n * len(self.points) / workers) for n in range(1, workers)}
        return tuple(self.points[place] for place in sorted(places) if place < len(self.points))

    def save(self, path: Path) -> None:
        """Write them to a file; where that fails nothing but speed is lost."""
        with contextlib.suppress(OSError):
            atomic_write(path, add_checksum(msgspec.json.encode(self)))


def load(path: Path, endpoint: str) -> Waypoints | None:
    """Return the waypoints in a file, None where there are none of this Hub."""
    try:
        found = msgspec.json.decode(strip_checksum(path.read_bytes()) or b"", type=Waypoints)
    except (OSError, msgspec.DecodeError):
        return None
    return found if found.endpoint == endpoint else None

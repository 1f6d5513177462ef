"""Plans a crawl: into which stretches the Hub is parted, and from which end each is walked."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from math import ceil

from hfscan.hub import cursor
from hfscan.hub.growth import created_before
from hfscan.hub.journal import About, Stretch
from hfscan.hub.sample import Design
from hfscan.hub.walk import HIGHEST, LOWEST, PAGE_SIZE, address, following, period, preceding
from hfscan.hub.waypoints import Waypoint
from hfscan.objectid import CUTOFF_END, lower_bound
from hfscan.scope import Scope

_DENSE = 0.5  # of a sample: beyond, its ranges would cost as many requests as everything
_SMALLEST = 100  # models asked for at once where a range of a sample holds fewer


def plan(
    scope: Scope,
    endpoint: str,
    *,
    plain: bool = False,
    waypoints: Sequence[Waypoint] = (),
    dropped: tuple[str, ...] = (),
    design: Design | None = None,
) -> About:
    """Plan a crawl that begins now.

    `plain`: one walk, from the nearer end, with no cursor but those that it is given. Otherwise
    everything is walked from both ends, or in the stretches that `waypoints` (in order) part, and
    a sample by its ranges where they are far between. `dropped` are fields not to ask for,
    `design` a sample begun before.
    """
    now = datetime.now(UTC)
    if scope.sample is not None and design is None:
        seed = secrets.randbelow(1 << 31) if scope.seed is None else scope.seed
        design = Design.of(scope.sample, seed, scope.since, scope.until)
    stretches: tuple[Stretch, ...]
    dense = design is not None and design.probability > _DENSE
    if plain or dense or not (scope.everything or design):
        stretches = (_plain(scope, endpoint, dropped, now),)
    elif design is not None:
        stretches = _ranges(scope, endpoint, dropped, design)
    else:
        stretches = _parted(scope, endpoint, dropped, waypoints)
    return About(endpoint, scope, stretches, now, dropped, design)


def _plain(scope: Scope, endpoint: str, dropped: tuple[str, ...], now: datetime) -> Stretch:
    size, bounded = PAGE_SIZE, scope.since is not None or scope.until is not None
    if scope.limit is not None and not bounded:  # a period may lie behind many pages
        size = min(PAGE_SIZE, scope.limit)
    up = _nearer_is_oldest(scope, now)
    url = address(scope, endpoint, ascending=up, dropped=dropped, page_size=size)
    low, high = period(scope)
    return Stretch(low, high, up=url if up else None, down=None if up else url)


def _nearer_is_oldest(scope: Scope, now: datetime) -> bool:
    """Return from which end fewer models lie before the period.

    A limit without a period means the newest models.
    """
    if scope.since is None and scope.until is None:
        return scope.limit is None
    before = created_before(scope.since) if scope.since else 0.0
    after = created_before(now) - created_before(scope.until) if scope.until else 0.0
    return before <= after


def _parted(
    scope: Scope, endpoint: str, dropped: tuple[str, ...], waypoints: Sequence[Waypoint]
) -> tuple[Stretch, ...]:
    """Return stretches of everything, each entered by a waypoint at one of its ends."""
    up = address(scope, endpoint, ascending=True, dropped=dropped)
    down = address(scope, endpoint, ascending=False, dropped=dropped)
    if not waypoints:
        return (Stretch(LOWEST, HIGHEST, up, down),)
    stretches: list[Stretch] = []
    low, enter = LOWEST, up
    for point in waypoints:
        if point.ascending:
            bound = following(point.id)
            stretches.append(Stretch(low, bound, up=enter, entered=low != LOWEST))
            low, enter = bound, cursor.entered(up, point.cursor)
        elif enter:  # the last that is walked oldest first, up to where the others come down
            stretches.append(Stretch(low, point.id, up=enter, entered=low != LOWEST))
            low, enter = point.id, ""
        else:
            url = cursor.entered(down, point.cursor)
            stretches.append(Stretch(low, point.id, down=url, entered=True))
            low = point.id
    last = (
        Stretch(low, HIGHEST, up=enter, entered=True)
        if enter
        else Stretch(low, HIGHEST, None, down)
    )
    return (*stretches, last)


def _ranges(
    scope: Scope, endpoint: str, dropped: tuple[str, ...], design: Design
) -> tuple[Stretch, ...]:
    """Return the cutoff band, walked from the Hub's own end, and the ranges of a sample."""
    low, high = period(scope)
    cutoff = lower_bound(CUTOFF_END)
    stretches = []
    if low < cutoff:
        url = address(scope, endpoint, ascending=True, dropped=dropped)
        stretches.append(Stretch(low, min(high, cutoff), up=url))
    size = min(PAGE_SIZE, max(_SMALLEST, ceil(1.5 * design.models_a_span)))
    url = address(scope, endpoint, ascending=True, dropped=dropped, page_size=size)
    for first, end in design.spans():
        start = f"{first:08x}" + "0" * 16
        enter = cursor.entered(url, cursor.after(preceding(start)))
        stretches.append(Stretch(start, f"{end:08x}" + "0" * 16, up=enter, entered=True))
    return tuple(stretches)

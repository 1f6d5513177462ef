"""Synthetic models with the joint distribution of the Hub's models (population.toml).

Model i of (N, seed) is a pure function of these three, so that any page can be made separately.
"""

import re
import struct
import tomllib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from hashlib import blake2b, sha1
from itertools import accumulate
from pathlib import Path
from typing import Any

from hfscan.objectid import CUTOFF_START

_STATISTICS = Path(__file__).with_name("population.toml")
_OLDEST = 3 * 365 * 86_400  # seconds: the first models are of early 2019
_REWRITTEN = 0.003  # 8 of 29,318 in an import of true dates; more, so that small Hubs have some
_CUTOFF_SECONDS = 2  # the models of the cutoff band share a few seconds


class _Weighted:
    """Values with weights, to draw from."""

    def __init__(self, choices: Sequence[tuple[Any, int]]) -> None:
        self._values = [value for value, _ in choices]
        self._bounds = list(accumulate(weight for _, weight in choices))

    def at(self, fraction: float) -> Any:
        """Return the value at this fraction of the total weight."""
        return self._values[bisect_right(self._bounds, fraction * self._bounds[-1])]


class SyntheticPopulation:
    """`models` synthetic models: `ids` ascend, `model(i)` returns the API object."""

    def __init__(self, models: int, seed: int) -> None:
        statistics = tomllib.loads(_STATISTICS.read_text(encoding="utf-8"))
        self._seed = seed
        self._periods = statistics["period"]
        self._kinds = {
            period: _Weighted([((library, tags), n) for library, tags, n in facts["kinds"]])
            for period, facts in self._periods.items()
        }
        self._tasks = {
            library: _Weighted([(task, n) for task, n in tasks])
            for library, tasks in statistics["tasks"].items()
        }
        self._licenses = _Weighted(statistics["licenses"])
        self._languages = _Weighted(statistics["languages"])
        self._model_types, self._files = statistics["model_types"], statistics["files"]
        self.ids = [
            f"{second:08x}36468d709f{i:06x}"
            for i, second in enumerate(_creation_seconds(models, statistics))
        ]

    def model(self, place: int) -> dict[str, Any]:
        """Return the API object of model `place` (0 is the oldest)."""
        draw = _random_floats(f"{self._seed}:{place}").__next__
        object_id = self.ids[place]
        second = int(object_id[:8], 16)
        created = datetime.fromtimestamp(second, UTC)
        period = "cutoff" if second < _CUTOFF_END else str(created.year)
        library, formats = self._kinds[period].at(draw())
        task = self._tasks[library].at(draw()) if library in self._tasks else ""
        types = self._model_types
        kind = types[int(draw() * len(types))] if library == "transformers" else ""
        license_, language = self._licenses.at(draw()), self._languages.at(draw())
        owner = f"author-{int(draw() ** 3 * 5000):04d}"  # few authors own many models
        tags = [library, *formats, kind, task, language, license_ and f"license:{license_}"]
        modified = second + int(draw() ** 4 * 40_000_000)
        downloads = self._downloads(period, draw())
        extra = {"library_name": library, "pipeline_tag": task}
        files = [".gitattributes", "README.md", *(["config.json"] if library else [])]
        files += [self._files[tag] for tag in formats if tag in self._files]
        model: dict[str, Any] = {
            "_id": object_id,
            "id": f"{owner}/model-{place:07d}",
            "author": owner,
            "likes": downloads // 1000,
            "trendingScore": 0,
            "private": False,
            "gated": ("auto", "manual")[place % 2] if draw() < 0.017 else False,
            "disabled": False,
            "downloads": downloads,
            "downloadsAllTime": downloads * 12 + int(draw() * 40),
            "tags": [*dict.fromkeys(tag for tag in tags if tag), "region:us"],
            **{key: value for key, value in extra.items() if value},
            "createdAt": _iso(second),
            "lastModified": _iso(modified),
            "sha": sha1(object_id.encode()).hexdigest(),  # noqa: S324 - looks like git's
            "siblings": [{"rfilename": name} for name in files],
            "config": {"model_type": kind} if kind else {},
        }
        if "safetensors" in formats:
            model["safetensors"] = {"parameters": {"F32": 1 << 20}, "total": 1 << 20}
        if period == "cutoff":  # only the commits have the true age; some were rewritten
            age = draw() ** 2 * _OLDEST if draw() > _REWRITTEN else -_OLDEST
            model[".first_commit"] = _iso(int(second - age))
        return model

    def find(self, name: str) -> str | None:
        """Return the `_id` of the model with this name, or None."""
        match = re.fullmatch(r"author-\d+/model-(\d{7,})", name)
        place = int(match[1]) if match else len(self.ids)
        if place >= len(self.ids) or self.model(place)["id"] != name:
            return None
        return self.ids[place]

    def _downloads(self, period: str, fraction: float) -> int:
        points = self._periods[period]["downloads"]
        place = bisect_right([share for share, _ in points], fraction) - 1
        share, low = points[place]
        if place + 1 == len(points):
            return int(low)
        above, high = points[place + 1]
        return int(low + (high - low) * ((fraction - share) / (above - share)) ** 3)


def _random_floats(text: str) -> Iterator[float]:
    """Yield 16 numbers in [0, 1) that depend on `text` only; much faster than seeding random."""
    digest = blake2b(text.encode()).digest()
    return (number / 2**32 for number in struct.unpack("<16I", digest))


_CUTOFF_END = int(CUTOFF_START.timestamp()) + 60


def _creation_seconds(models: int, statistics: dict[str, Any]) -> list[int]:
    """Return ascending creation seconds, `models` of them, spread as on the Hub."""
    cutoff = statistics["period"]["cutoff"]["models"]
    starts = [datetime.fromisoformat(f"{month}-01T00:00Z") for month in statistics["months"]]
    counts = list(statistics["months"].values())
    bounds = [int(start.timestamp()) for start in starts]
    bounds[0] = _CUTOFF_END  # March 2022 begins with the cutoff
    bounds.append(bounds[-1] + 11 * 86_400)  # the crawl was on the eleventh
    total = cutoff + sum(counts)
    at_cutoff = models * cutoff // total
    first = int(CUTOFF_START.timestamp()) + 4
    seconds = [first + i * _CUTOFF_SECONDS // max(1, at_cutoff) for i in range(at_cutoff)]
    dated, seen, done = models - at_cutoff, 0, 0
    for n, start, end in zip(counts, bounds, bounds[1:], strict=False):
        seen += n
        until = dated * seen // (total - cutoff)
        here = until - done
        seconds += [start + (end - start) * i // here for i in range(here)]
        done = until
    return seconds


def _iso(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}.000Z"

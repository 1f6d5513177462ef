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
from random import Random
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
        self._other_files, self._other_tags = statistics["other_files"], statistics["other_tags"]
        self._names = statistics["names"]
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
        owner = self._name_author(int(draw() ** 3 * 5000))  # few authors own many models
        others = Random(place)  # noqa: S311 - of what no statistic is about; equal for every seed
        tags = [library, *formats, kind, task, language, license_ and f"license:{license_}"]
        tags += self._draw_other_tags(others) if library else []
        modified = second + int(draw() ** 4 * 40_000_000)
        downloads = self._downloads(period, draw())
        extra = {"library_name": library, "pipeline_tag": task}
        files = [".gitattributes", "README.md", *(["config.json"] if library else [])]
        files += [self._files[tag] for tag in formats if tag in self._files]
        files += self._draw_other_files(others)
        name = "-".join(others.sample(self._names["words"], others.choice((0, 1, 1, 2, 2, 3))))
        model: dict[str, Any] = {
            "_id": object_id,
            "id": f"{owner}/{name or 'model'}-{place:07d}",
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
            "siblings": [{"rfilename": file} for file in sorted(files)],
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
        match = re.search(r"-(\d{7,})$", name)
        place = int(match[1]) if match else len(self.ids)
        if place >= len(self.ids) or self.model(place)["id"] != name:
            return None
        return self.ids[place]

    def _name_author(self, number: int) -> str:
        """Return the name of an account; its form follows from the number."""
        forms = self._names["authors"]
        return str(forms[number % len(forms)]).format(number)

    def _draw_other_tags(self, draw: Random) -> Iterator[str]:
        """Yield tags that say nothing about framework, task, license or language."""
        for form in self._other_tags[: draw.choice((2, 3, 5, 5))]:
            yield form.format(draw.randrange(1, 10))

    def _draw_other_files(self, draw: Random) -> Iterator[str]:
        """Yield files that are no weights, as many and as different as on the Hub in 2024.

        Of 8,650 recorded models, half have nine files or more, one in ten 17 and one in a hundred
        60; 42 % have a list like no other, a quarter of these through logs of training.
        """
        yield from draw.sample(self._other_files["common"], draw.choice((0, 4, 6, 7, 7, 8)))
        if draw.random() < 0.4:
            name = self._other_files["logs"] if draw.random() < 0.25 else self._other_files["steps"]
            size = 1 if draw.random() < 0.5 else min(500, int(3 / draw.random()))
            first = draw.randrange(1, 1_000_000)
            yield from (name.format(first, first + step) for step in range(size))

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

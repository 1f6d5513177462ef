"""`GET /api/models`: filter, sort, page. Cursors are base64 JSON, as the Hub's are."""

import base64
import json
import re
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha384
from typing import Any

from hfscan.fakehub import fields
from hfscan.fakehub.population import Model, Population

SORTS = ("createdAt", "downloads", "lastModified", "likes", "trendingScore")
Query = list[tuple[str, str]]


class BadRequest(Exception):  # noqa: N818 - named after the status it becomes
    """The Hub answers 400 with this message."""


@dataclass(frozen=True)
class Page:
    """A page of answers and where the next one begins (None: this is the last)."""

    models: list[dict[str, Any]]
    cursor: str | None


@dataclass(frozen=True)
class _Order:
    """The `_id`s in walking order; `keys` ascend along it, to find a place by bisection."""

    ids: Sequence[str]
    keys: Sequence[Any] | None


class Listing:
    """Answers list requests over a population; orders are kept until the population changes."""

    def __init__(self, population: Population, page_size: int) -> None:
        self._population = population
        self._page_size = page_size
        self._orders: dict[Any, _Order] = {}
        self._version = -1
        self._lock = threading.Lock()

    def page(self, query: Query, reader: str | None) -> Page:
        """Answer one request; `reader` is the account of its token. Raises BadRequest."""
        one = dict(query)
        asked = [value for key, value in query if key in ("expand", "expand[]")]
        if message := fields.bad_expand(asked, detail=False):
            raise BadRequest(message)
        sort = one.get("sort", "trendingScore")
        if sort not in SORTS:
            raise BadRequest(f"Invalid sort parameter: {sort}")
        # ascending order is only for createdAt; elsewhere `direction` is ignored
        ascending = sort == "createdAt" and one.get("direction") == "1"
        order = self._order(sort, query, reader)
        limit = self._limit(one.get("limit"))
        ids, start, step = order.ids, 0, 1
        if sort == "createdAt" and not ascending:
            start, step = len(ids) - 1, -1
        if "cursor" in one:
            start = self._seek(order, sort, ascending, one["cursor"])
        stop = start + step * limit
        places = range(start, max(stop, -1) if step < 0 else min(stop, len(ids)), step)
        models = [m for place in places if (m := self._population.get(ids[place])) is not None]
        keys = self._keys(one, asked)
        more = 0 <= stop < len(ids)
        # the Hub's search engine answers these, and its cursors carry a token of it
        searched = "search" in one or ("filter" in one and "sort" not in one)
        cursor = _cursor(sort, ascending, models[-1], searched) if more and models else None
        return Page([fields.pick(model, keys) for model in models], cursor)

    def _limit(self, text: str | None) -> int:
        if text is None:
            return self._page_size
        if not text.isdigit() or not int(text):
            raise BadRequest(f'"limit" must be a positive number: {text}')
        return min(int(text), self._page_size)

    @staticmethod
    def _keys(one: dict[str, str], asked: list[str]) -> list[str]:
        if asked:
            return fields.expanded(asked, detail=False)
        keys = fields.FULL if one.get("full") in ("true", "1", "True") else fields.PLAIN
        extra = [k for k in ("config", "cardData") if one.get(k) in ("true", "1", "True")]
        return [*keys, *extra]

    def _order(self, sort: str, query: Query, reader: str | None) -> _Order:
        wanted = tuple(sorted(pair for pair in query if pair[0] in _FILTERS))
        with self._lock:
            if self._version != self._population.version:
                self._orders.clear()
                self._version = self._population.version
            key = (sort, wanted, reader)
            if key not in self._orders:
                self._orders[key] = self._ordered(sort, wanted, reader)
            return self._orders[key]

    def _ordered(
        self, sort: str, wanted: tuple[tuple[str, str], ...], reader: str | None
    ) -> _Order:
        ids = self._population.ids
        if sort == "createdAt" and not wanted and not self._population.private:
            return _Order(ids, None)
        # one model at a time: a whole Hub of them at once would not fit
        kept = (model for model in self._population if _matches(model, wanted, reader))
        if sort == "createdAt":
            return _Order([model["_id"] for model in kept], None)
        ranked = sorted((_rank(model.get(sort)), model["_id"]) for model in kept)
        return _Order([object_id for _, object_id in ranked], ranked)

    @staticmethod
    def _seek(order: _Order, sort: str, ascending: bool, cursor: str) -> int:
        try:
            bound = json.loads(base64.b64decode(cursor, validate=True))
            if sort == "createdAt":
                after = bound["_id"]["$gt" if ascending else "$lt"]
                place = (
                    bisect_right(order.ids, after)
                    if ascending
                    else bisect_left(order.ids, after) - 1
                )
                return place
            first = bound["$or"][0] if "$or" in bound else bound
            assert order.keys is not None
            return bisect_right(order.keys, (_rank(first[sort]), first["_id"]["$gt"]))
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise BadRequest("Invalid cursor") from error


_FILTERS: dict[str, Callable[[Model, str], bool]] = {
    "search": lambda model, text: text.lower() in model["id"].lower(),
    "author": lambda model, text: model["id"].startswith(f"{text}/"),
    "filter": lambda model, text: text in (model.get("tags") or ()),
    "library": lambda model, text: text in (model.get("tags") or ()),
    "pipeline_tag": lambda model, text: model.get("pipeline_tag") == text,
    "apps": lambda model, text: all(_runs_in(model, app) for app in text.split(",")),
    "inference": lambda model, text: model.get("inference") == text,
    "inference_provider": lambda model, text: _is_served(model, text.split(",")),
    "num_parameters": lambda model, text: _holds(_bounds(text), _parameters(model)),
    "gated": lambda model, text: bool(model.get("gated")) == (text == "true"),
}


_APPS = {"llama.cpp": "gguf", "ollama": "gguf", "vllm": "safetensors", "mlx-lm": "mlx"}
"""Local app -> the tag of what it reads; the Hub's own rules are finer."""

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}


def _runs_in(model: Model, app: str) -> bool:
    return _APPS.get(app, app) in (model.get("tags") or ())


def _is_served(model: Model, providers: list[str]) -> bool:
    served = {one.get("provider") for one in model.get("inferenceProviderMapping") or ()}
    return bool(served) if "all" in providers else bool(served & set(providers))


def _parameters(model: Model) -> int | None:
    totals = ((model.get(key) or {}).get("total") for key in ("safetensors", "gguf"))
    return next((total for total in totals if total is not None), None)


def _bounds(text: str) -> dict[str, float]:
    """Read "min:6B,max:128B"; either may be missing."""
    found = re.fullmatch(r"(?:(min|max):([\d.]+)([KMBT]?)(?:,|$))+", text, re.IGNORECASE)
    if found is None:
        raise BadRequest(f"Invalid num_parameters: {text}")
    parts = re.findall(r"(min|max):([\d.]+)([KMBT]?)", text, re.IGNORECASE)
    return {key.lower(): float(number) * _UNITS[unit.upper()] for key, number, unit in parts}


def _holds(bounds: dict[str, float], number: int | None) -> bool:
    return number is not None and bounds.get("min", 0) <= number <= bounds.get("max", number)


def _matches(model: Model, wanted: tuple[tuple[str, str], ...], reader: str | None) -> bool:
    if model.get("private") and (reader is None or reader != model["id"].split("/")[0]):
        return False
    return all(_FILTERS[key](model, text) for key, text in wanted)


def _rank(value: Any) -> tuple[int, Any]:
    """Descending, with models that have no value last; ISO times compare as seconds."""
    if value is None:
        return (1, 0)
    if isinstance(value, str):
        return (0, tuple(-ord(letter) for letter in value))
    return (0, -value)


def _cursor(sort: str, ascending: bool, last: Model, searched: bool) -> str:
    object_id = last["_id"]
    bound: dict[str, Any]
    if sort == "createdAt":
        bound = {"_id": {"$gt" if ascending else "$lt": object_id}}
    elif last.get(sort) is None:
        bound = {sort: None, "_id": {"$gt": object_id}}
    else:
        value = last[sort]
        bound = {
            "$or": [{sort: value, "_id": {"$gt": object_id}}, {sort: {"$lt": value}}, {sort: None}]
        }
    if searched:
        token = sha384(object_id.encode()).digest()  # 48 bytes, as the Hub's
        bound["searchSequenceToken"] = base64.b64encode(token).decode()
    return base64.b64encode(json.dumps(bound, separators=(",", ":")).encode()).decode()

"""`GET /api/models`: filter, sort, select fields, paginate. Cursors are base64 JSON, as the Hub's.

Field orders are those of responses recorded in 2024-2026.
"""

import base64
import json
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha384
from typing import Any

from hfscan.fakehub.messages import BadRequestError, Query
from hfscan.fakehub.population import Model, Population

SORTS = ("createdAt", "downloads", "lastModified", "likes", "trendingScore")
PLAIN_FIELDS = (
    "_id id likes trendingScore private downloads tags pipeline_tag library_name createdAt modelId"
).split()
FULL_FIELDS = (
    "_id id author gated lastModified likes trendingScore private sha downloads tags pipeline_tag "
    "library_name createdAt modelId siblings"
).split()
EXPANDED_FIELDS = (
    "_id id author baseModels cardData disabled gated inferenceProviderMapping lastModified likes "
    "trendingScore private sha config downloads downloadsAllTime gguf model-index safetensors "
    "evalResults tags pipeline_tag library_name transformersInfo widgetData createdAt siblings "
    "resourceGroup xetEnabled"
).split()
EXPANDABLE = (
    "author baseModels cardData config createdAt disabled downloads downloadsAllTime evalResults "
    "gated gguf inference inferenceProviderMapping lastModified library_name likes mask_token "
    "model-index pipeline_tag private resourceGroup safetensors sha siblings spaces tags "
    "transformersInfo trendingScore widgetData xetEnabled"
).split()
_INTERNAL_FIELDS = {"gitalyUid"}  # accepted

Filters = Mapping[str, Callable[[Model, str], bool]]
FILTERS: Filters = {
    "search": lambda model, text: text.lower() in model["id"].lower(),
    "author": lambda model, text: model["id"].startswith(f"{text}/"),
    "filter": lambda model, text: text in (model.get("tags") or ()),
    "library": lambda model, text: text in (model.get("tags") or ()),
    "pipeline_tag": lambda model, text: model.get("pipeline_tag") == text,
}
"""Query parameter -> whether a model has its value."""


@dataclass(frozen=True)
class Page:
    """A page of API objects, and the cursor of the next page (None: this is the last)."""

    models: list[Any]
    cursor: str | None


@dataclass(frozen=True)
class _Order:
    """The sorted `_id`s; `keys` ascend with them, for bisection."""

    ids: Sequence[str]
    keys: Sequence[Any] | None


class Listing:
    """Pages of a population. Sort orders are cached until the population changes."""

    filters = FILTERS

    def __init__(self, population: Population, page_size: int) -> None:
        self._population = population
        self._page_size = page_size
        self._orders: dict[Any, _Order] = {}
        self._version = -1
        self._lock = threading.Lock()

    def page(self, query: Query, account: str | None) -> Page:
        """Return the page for this query and account. Raises BadRequestError."""
        parameters = dict(query)
        keys = self._select_keys(parameters, expand_values(query))
        sort = parameters.get("sort", "trendingScore")
        if sort not in SORTS:
            raise BadRequestError(f"Invalid sort parameter: {sort}")
        # ascending order exists for createdAt only; elsewhere `direction` is ignored
        ascending = sort == "createdAt" and parameters.get("direction") == "1"
        order = self._order(sort, query, account)
        limit = self._limit(parameters.get("limit"))
        ids, start, step = order.ids, 0, 1
        if sort == "createdAt" and not ascending:
            start, step = len(ids) - 1, -1
        if "cursor" in parameters:
            start = _seek(order, sort, ascending, parameters["cursor"])
        stop = start + step * limit
        places = range(start, max(-1, min(stop, len(ids))), step)
        models = [m for place in places if (m := self._population.get(ids[place])) is not None]
        has_more = 0 <= stop < len(ids)
        # the Hub's search engine answers these queries, and adds a token to its cursors
        searched = "search" in parameters or ("filter" in parameters and "sort" not in parameters)
        cursor = _cursor(sort, ascending, models[-1], searched) if has_more and models else None
        return Page([select_fields(model, keys) for model in models], cursor)

    def _limit(self, text: str | None) -> int:
        if text is None:
            return self._page_size
        if not text.isdigit() or not int(text):
            raise BadRequestError(f'"limit" must be a positive number: {text}')
        return min(int(text), self._page_size)

    @staticmethod
    def _select_keys(parameters: Mapping[str, str], expand: Sequence[str]) -> list[str]:
        if expand:
            check_expand(expand, EXPANDABLE)
            return [key for key in EXPANDED_FIELDS if key in ("_id", "id") or key in expand]
        is_full = parameters.get("full") in ("true", "1", "True")
        extra = [k for k in ("config", "cardData") if parameters.get(k) in ("true", "1", "True")]
        return [*(FULL_FIELDS if is_full else PLAIN_FIELDS), *extra]

    def _order(self, sort: str, query: Query, account: str | None) -> _Order:
        filters = tuple(sorted(pair for pair in query if pair[0] in self.filters))
        with self._lock:
            if self._version != self._population.version:
                self._orders.clear()
                self._version = self._population.version
            key = (sort, filters, account)
            if key not in self._orders:
                self._orders[key] = self._sort(sort, filters, account)
            return self._orders[key]

    def _sort(self, sort: str, filters: Sequence[tuple[str, str]], account: str | None) -> _Order:
        if sort == "createdAt" and not filters and not self._population.private:
            return _Order(self._population.ids, None)
        # a generator, because all models of a large population do not fit into memory
        models = (
            model
            for model in self._population
            if is_visible(model, account)
            and all(self.filters[key](model, text) for key, text in filters)
        )
        if sort == "createdAt":
            return _Order([model["_id"] for model in models], None)
        ranked = sorted((_rank(model.get(sort)), model["_id"]) for model in models)
        return _Order([object_id for _, object_id in ranked], ranked)


def expand_values(query: Query) -> list[str]:
    return [value for key, value in query if key in ("expand", "expand[]")]


def check_expand(values: Iterable[str], allowed: Iterable[str]) -> None:
    """Raise BadRequestError with the Hub's message if an `expand` value is not allowed."""
    if not set(values) <= {*allowed, *_INTERNAL_FIELDS}:
        raise BadRequestError(f'"expand" must be one of [{", ".join(sorted(allowed))}]')


def select_fields(model: Model, keys: Iterable[str]) -> dict[str, Any]:
    """Return the fields `keys` of a model, in this order, without those that it does not have."""
    owner, slash, _ = model["id"].partition("/")
    derived = {"modelId": model["id"]} | ({"author": owner} if slash else {})
    fields = derived | model
    return {key: fields[key] for key in keys if key in fields}


def is_visible(model: Model, account: str | None) -> bool:
    """Return whether an account may see a model: private ones belong to their owner."""
    return not model.get("private") or account == model["id"].split("/")[0]


def _seek(order: _Order, sort: str, ascending: bool, cursor: str) -> int:
    """Return the place where a cursor's page begins."""
    try:
        bound = json.loads(base64.b64decode(cursor, validate=True))
        if sort == "createdAt":
            if ascending:
                return bisect_right(order.ids, bound["_id"]["$gt"])
            return bisect_left(order.ids, bound["_id"]["$lt"]) - 1
        first = bound["$or"][0] if "$or" in bound else bound
        assert order.keys is not None
        return bisect_right(order.keys, (_rank(first[sort]), first["_id"]["$gt"]))
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise BadRequestError("Invalid cursor") from error


def _rank(value: Any) -> tuple[int, Any]:
    """Return a key for descending order, models without a value last."""
    if value is None:
        return (1, 0)
    if isinstance(value, str):
        return (0, tuple(-ord(letter) for letter in value))
    return (0, -value)


def _cursor(sort: str, ascending: bool, last: Model, searched: bool) -> str:
    object_id, value = last["_id"], last.get(sort)
    bound: dict[str, Any] = {sort: value, "_id": {"$gt": object_id}}
    if sort == "createdAt":
        bound = {"_id": {"$gt" if ascending else "$lt": object_id}}
    elif value is not None:
        bound = {"$or": [bound, {sort: {"$lt": value}}, {sort: None}]}
    if searched:
        token = sha384(object_id.encode()).digest()  # 48 bytes, as the Hub's
        bound["searchSequenceToken"] = base64.b64encode(token).decode()
    return base64.b64encode(json.dumps(bound, separators=(",", ":")).encode()).decode()

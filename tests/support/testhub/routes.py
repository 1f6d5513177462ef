"""The routes of the fake Hub of the tests: repositories, datasets, and faults of list pages."""

import base64
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from hfscan.fakehub import routes
from hfscan.fakehub.listing import (
    EXPANDABLE,
    Page,
    check_expand,
    expand_values,
    is_visible,
    select_fields,
)
from hfscan.fakehub.messages import (
    BadRequestError,
    Request,
    Response,
    error_response,
    json_response,
)
from hfscan.fakehub.population import Model
from hfscan.fakehub.routes import head_commit, make_commits, parse_number

from . import files
from .datasets import Datasets
from .filters import Listing
from .messages import range_response, redirect_response
from .population import Population

DETAIL_FIELDS = (
    "_id id private pipeline_tag library_name tags downloads likes modelId author sha lastModified "
    "gated disabled mask_token widgetData model-index config cardData transformersInfo gguf "
    "siblings spaces createdAt safetensors inference usedStorage"
).split()
EXPANDED_DETAIL_FIELDS = (
    "_id id author baseModels cardData config disabled downloads downloadsAllTime gated gguf "
    "lastModified library_name likes mask_token model-index pipeline_tag private sha tags "
    "transformersInfo trendingScore widgetData siblings spaces createdAt safetensors "
    "childrenModelCount inference usedStorage inferenceProviderMapping evalResults resourceGroup "
    "xetEnabled"
).split()
DETAIL_EXPANDABLE = (*EXPANDABLE, "childrenModelCount", "usedStorage")
_PREFIX = re.compile(r"/api/resolve-cache/(models/)?|/api/models/|/")
_CACHED = r"/api/resolve-cache/(models/)?(?P<id>.+?)/(?P<revision>[0-9a-f]{40})/(?P<path>.+)"


class Routes(routes.Routes):
    """The Hub's routes over a population, and over datasets that clients publish."""

    listing_class = Listing
    _population: Population

    def __init__(self, population: Any, page_size: int) -> None:
        self.datasets = Datasets()
        super().__init__(population, page_size)

    def routes(self) -> dict[str, Callable[..., Response]]:
        """Return path pattern -> method; the first that matches answers."""
        return super().routes() | {
            r"/api/models-tags-by-type": self._tags_by_type,
            r"/api/models/(?P<id>.+?)/refs": self._refs,
            r"/api/models/(?P<id>.+?)/paths-info/(?P<revision>[^/]+)": self._paths_info,
            r"/api/models/(?P<id>.+?)/tree/(?P<revision>[^/]+)(/(?P<path>.*))?": self._tree,
            r"/api/models/(?P<id>.+?)/revision/(?P<revision>.+)": self._detail,
            r"/api/models/(?P<id>[^/]+(/[^/]+)?)": self._detail,
            r"/(?P<id>.+?)/resolve/(?P<revision>[^/]+)/(?P<path>.+)": self._resolve,
            _CACHED: self._resolve,
        }

    def answer(self, request: Request) -> Response:
        """Return the response to a request."""
        return self.datasets.answer(request) or super().answer(request)

    def find_page(self, request: Request) -> Page:
        """Return the page of models for a list request, with its fault."""
        fault = request.fault
        if fault == "bad-cursor" and "cursor" in dict(request.query):
            raise BadRequestError("Invalid cursor")
        if fault == "drift":
            ids = self._population.ids
            self._population.edit(ids[self._population.version % len(ids)], trendingScore=1000)
        if fault == "short-page":  # fewer models than requested, and still a next page
            size = min(parse_number(request.query, "limit", self._page_size), self._page_size)
            query = [pair for pair in request.query if pair[0] != "limit"]
            request = replace(request, query=[*query, ("limit", str(max(1, size // 3)))])
        page = super().find_page(request)
        models, cursor = page.models, page.cursor
        if fault == "empty-last-page" and models and not cursor:
            cursor = base64.b64encode(json.dumps({"_id": {"$gt": "f" * 24}}).encode()).decode()
        if fault == "repeated-row" and models:
            models = [*models, models[-1]]
        if fault == "skipped-row":
            models = models[:-1]
        if fault == "odd-types":
            models = [_make_odd(model) for model in models]
        if fault == "bad-rows":
            middle = len(models) // 2
            models = [*models[:middle], {"_id": None, "id": "a/b"}, None, *models[middle:]]
        return Page(models, cursor)

    def find_model(self, request: Request, id: str, revision: str = "main") -> Model | Response:
        """Return the model at a revision, or the redirect or error response."""
        model, is_current = self._population.find(id) or (None, True)
        if model is None or not is_visible(model, request.account):
            return super().find_model(request, id, revision)
        if model.get("disabled"):
            return error_response(403, "Access to this resource is disabled.")
        if not is_current:
            start = len(_PREFIX.match(request.path)[0])
            target = request.path[:start] + model["id"] + request.path[start + len(id) :]
            query = "&".join(f"{quote(k)}={quote(v, safe='')}" for k, v in request.query)
            return redirect_response(quote(target) + (query and f"?{query}"), html=False)
        return super().find_model(request, id, revision)

    def _detail(self, request: Request, id: str, revision: str = "main") -> Response:
        model = self.find_model(request, id, revision)
        if isinstance(model, Response):
            return model
        keys, expand = DETAIL_FIELDS, expand_values(request.query)
        if expand:
            check_expand(expand, DETAIL_EXPANDABLE)
            keys = [key for key in EXPANDED_DETAIL_FIELDS if key in ("_id", "id", *expand)]
        if ".folder" in model:
            blobs = dict(request.query).get("blobs", "").lower() == "true"
            siblings = files.list_siblings(model, blobs=blobs)
            model = model | {"sha": head_commit(model), "siblings": siblings}
        return json_response(select_fields(model, keys))

    def _refs(self, request: Request, id: str) -> Response:
        model = self.find_model(request, id)
        if isinstance(model, Response):
            return model
        head = head_commit(model)
        main = {"name": "main", "ref": "refs/heads/main", "targetCommit": head}
        return json_response({"tags": [], "branches": [main], "converts": []})

    def _tree(self, request: Request, id: str, revision: str, path: str = "") -> Response:
        model = self.find_model(request, id, revision)
        if isinstance(model, Response):
            return model
        parameters = dict(request.query)
        recursive, expand = (
            parameters.get(key, "").lower() in ("true", "1") for key in ("recursive", "expand")
        )
        entries = files.list_tree(model, path, recursive=recursive)
        if path and not entries:
            return error_response(404, f"{path} does not exist on {revision}", code="EntryNotFound")
        max_entries = files.MAX_ENTRIES // 10 if expand else files.MAX_ENTRIES
        limit = min(parse_number(request.query, "limit", max_entries) or max_entries, max_entries)
        try:
            entries, cursor = files.paginate(entries, limit, parameters.get("cursor"))
        except (ValueError, KeyError, TypeError) as error:
            raise BadRequestError("Invalid cursor") from error
        link = cursor and self.next_link(request.path, sorted(request.query), cursor)
        if expand:
            commit = make_commits(model)[0]
            last = {"lastCommit": {key: commit[key] for key in ("id", "title", "date")}}
            entries = [entry | last for entry in entries]
        return json_response(entries, {"link": link} if link else None)

    def _paths_info(self, request: Request, id: str, revision: str) -> Response:
        if request.method != "POST":
            return error_response(404, routes.NO_PAGE)
        model = self.find_model(request, id, revision)
        if isinstance(model, Response):
            return model
        try:
            paths = files.parse_paths(request.body)
        except ValueError as error:
            raise BadRequestError('"paths" must be an array') from error
        if len(paths) > files.MAX_PATHS:
            raise BadRequestError(f'"paths" must hold at most {files.MAX_PATHS} paths')
        entry_by_path = {
            entry["path"]: entry for entry in files.list_tree(model, "", recursive=True)
        }
        return json_response(
            [entry_by_path[path] for path in dict.fromkeys(paths) if path in entry_by_path]
        )

    def _resolve(self, request: Request, id: str, revision: str, path: str) -> Response:
        model = self.find_model(request, id, revision)
        if isinstance(model, Response):
            return model
        if model.get("gated"):
            status = 401 if request.account is None else 403
            message = f"Access to model {model['id']} is restricted."
            return error_response(status, message, code="GatedRepo")
        file = files.list_files(model).get(path)
        if file is None:
            return error_response(404, "Entry not found", code="EntryNotFound")
        data = file.read_bytes()
        head, etag = head_commit(model), f'"{files.compute_blob_id(data)}"'
        if "/resolve/" in request.path:
            kind = "" if id.startswith(("datasets/", "spaces/")) else "models/"
            cached = quote(f"/api/resolve-cache/{kind}{model['id']}/{head}/{path}")
            target = f"{cached}?{quote(request.path, safe='')}=&etag={quote(etag)}"
            headers = {"x-linked-etag": etag, "x-repo-commit": head}
            return redirect_response(target, headers, html=True)
        is_text = file.suffix in (".json", ".md", ".txt")
        headers = {
            "content-type": "text/plain; charset=utf-8" if is_text else "application/octet-stream",
            "etag": etag,
            "x-repo-commit": head,
        }
        return range_response(Response(200, data, headers), request.range)

    def _tags_by_type(self, request: Request) -> Response:
        kinds = {"pipeline_tag": "pipeline_tag", "library": "library_name"}
        kind_filter = dict(request.query).get("type")
        names_by_kind: dict[str, set[str]] = {
            kind: set() for kind in kinds if kind_filter in (None, kind)
        }
        for model in self._population:
            for kind, names in names_by_kind.items():
                if name := model.get(kinds[kind]):
                    names.add(name)
        return json_response(
            {
                kind: [{"id": name, "label": name, "type": kind} for name in sorted(names)]
                for kind, names in names_by_kind.items()
            }
        )


def _make_odd(model: dict[str, Any]) -> dict[str, Any]:
    """Return the model with fields of unexpected types.

    `_id` and `id` stay, and so does `private`: without it a model is left out.
    """
    return {
        key: value if key in ("_id", "id", "private") else [{"odd": str(value)[:20]}]
        for key, value in model.items()
    }

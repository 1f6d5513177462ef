"""What each route answers. Answers are made here and sent by server.py."""

import base64
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from hfscan.fakehub import fields, repository, trees
from hfscan.fakehub.answers import as_json, failure, part, redirect
from hfscan.fakehub.datasets import Datasets
from hfscan.fakehub.faults import Answer
from hfscan.fakehub.listing import BadRequest, Listing, Query
from hfscan.fakehub.population import Model, Population
from hfscan.fakehub.request import Ask

_PREFIX = re.compile(r"/api/resolve-cache/(models/)?|/api/models/|/")
_CACHED = r"/api/resolve-cache/(models/)?(?P<id>.+?)/(?P<revision>[0-9a-f]{40})/(?P<path>.+)"


class Routes:
    """The Hub's routes over a population, and over `datasets` that clients make.

    `base` is the server's own URL.
    """

    def __init__(self, population: Population, page_size: int) -> None:
        self._population = population
        self._page_size = page_size
        self._listing = Listing(population, page_size)
        self.datasets = Datasets()
        self.base = ""
        self._routes: tuple[tuple[re.Pattern[str], Callable[..., Answer]], ...] = tuple(
            (re.compile(pattern), route)
            for pattern, route in (
                (r"/api/models", self._list),
                (r"/api/whoami-v2", self._whoami),
                (r"/api/models-tags-by-type", self._tags_by_type),
                (r"/api/models/(?P<id>.+?)/commits/(?P<revision>[^/]+)", self._commits),
                (r"/api/models/(?P<id>.+?)/refs", self._refs),
                (r"/api/models/(?P<id>.+?)/paths-info/(?P<revision>[^/]+)", self._paths_info),
                (r"/api/models/(?P<id>.+?)/tree/(?P<revision>[^/]+)(/(?P<path>.*))?", self._tree),
                (r"/api/models/(?P<id>.+?)/revision/(?P<revision>.+)", self._detail),
                (r"/api/models/(?P<id>[^/]+(/[^/]+)?)", self._detail),
                (r"/(?P<id>.+?)/resolve/(?P<revision>[^/]+)/(?P<path>.+)", self._resolve),
                (_CACHED, self._resolve),
            )
        )

    def answer(self, ask: Ask) -> Answer:
        """Answer a request."""
        if (answer := self.datasets.answer(ask)) is not None:
            return answer
        for pattern, route in self._routes:
            if match := pattern.fullmatch(ask.path):
                try:
                    return route(ask, **{k: v for k, v in match.groupdict().items() if v})
                except BadRequest as error:
                    return failure(400, str(error))
        return failure(404, "Sorry, we can't find the page you are looking for.")

    def _list(self, ask: Ask) -> Answer:
        if ask.fault == "bad-cursor" and "cursor" in dict(ask.query):
            raise BadRequest("Invalid cursor")
        if ask.fault == "drift":
            ids = self._population.ids
            self._population.edit(ids[self._population.version % len(ids)], trendingScore=1000)
        query = ask.query
        if ask.fault == "short-page":
            # fewer models than asked for, and still a next page
            size = min(_number(query, "limit", self._page_size), self._page_size)
            query = _with(query, "limit", str(max(1, size // 3)))
        page = self._listing.page(query, ask.reader)
        models, headers = page.models, {}
        if page.cursor:
            headers["link"] = self._next(ask.path, ask.query, page.cursor)
        elif ask.fault == "empty-last-page" and models:
            last = json.dumps({"_id": {"$gt": "f" * 24}}).encode()
            headers["link"] = self._next(ask.path, ask.query, base64.b64encode(last).decode())
        if ask.fault == "repeated-row" and models:
            models = [*models, models[-1]]
        if ask.fault == "skipped-row":
            models = models[:-1]
        if ask.fault == "odd-types":
            models = [_odd(model) for model in models]
        rows: list[object] = [*models]
        if ask.fault == "bad-rows":
            rows[len(rows) // 2 :] = [{"_id": None, "id": "a/b"}, None, *rows[len(rows) // 2 :]]
        return as_json(rows, headers)

    def _next(self, path: str, query: Query, cursor: str) -> str:
        pairs = [(k.replace("expand[]", "expand"), v) for k, v in query if k != "cursor"]
        text = "&".join(f"{k}={quote(v, safe='')}" for k, v in [*pairs, ("cursor", cursor)])
        return f'<{self.base}{path}?{text}>; rel="next"'

    def _detail(self, ask: Ask, id: str, revision: str = "main") -> Answer:
        found = self._find(ask, id, revision)
        if isinstance(found, Answer):
            return found
        asked = [value for key, value in ask.query if key in ("expand", "expand[]")]
        if message := fields.bad_expand(asked, detail=True):
            raise BadRequest(message)
        keys = fields.expanded(asked, detail=True) if asked else fields.DETAIL
        if ".folder" in found:
            blobs = dict(ask.query).get("blobs", "").lower() == "true"
            listed = repository.siblings(found, blobs=blobs)
            found = found | {"sha": repository.sha(found), "siblings": listed}
        return as_json(fields.pick(found, keys))

    def _commits(self, ask: Ask, id: str, revision: str) -> Answer:
        found = self._find(ask, id, revision)
        if isinstance(found, Answer):
            return found
        limit, page = _number(ask.query, "limit", 100), _number(ask.query, "p", 0)
        commits = repository.commits(found)
        headers = {"x-total-count": str(len(commits))}
        if limit and (page + 1) * limit < len(commits):
            rest = "".join(f"&{k}={quote(v, safe='')}" for k, v in ask.query if k != "p")
            headers["link"] = f'<{self.base}{ask.path}?p={page + 1}{rest}>; rel="next"'
        return as_json(commits[page * limit : (page + 1) * limit], headers)

    def _refs(self, ask: Ask, id: str) -> Answer:
        found = self._find(ask, id)
        if isinstance(found, Answer):
            return found
        head = repository.sha(found)
        main = {"name": "main", "ref": "refs/heads/main", "targetCommit": head}
        return as_json({"tags": [], "branches": [main], "converts": []})

    def _tree(self, ask: Ask, id: str, revision: str, path: str = "") -> Answer:
        found = self._find(ask, id, revision)
        if isinstance(found, Answer):
            return found
        one = dict(ask.query)
        recursive, expand = (
            one.get(key, "").lower() in ("true", "1") for key in ("recursive", "expand")
        )
        entries = repository.tree(found, path, recursive=recursive)
        if path and not entries:
            return failure(404, f"{path} does not exist on {revision}", code="EntryNotFound")
        most = trees.LARGEST // 10 if expand else trees.LARGEST
        limit = min(_number(ask.query, "limit", most) or most, most)
        try:
            entries, cursor = trees.page(entries, limit, one.get("cursor"))
        except (ValueError, KeyError, TypeError) as error:
            raise BadRequest("Invalid cursor") from error
        headers = {"link": self._next(ask.path, sorted(ask.query), cursor)} if cursor else {}
        if expand:
            commit = repository.commits(found)[0]
            last = {"lastCommit": {key: commit[key] for key in ("id", "title", "date")}}
            entries = [entry | last for entry in entries]
        return as_json(entries, headers)

    def _paths_info(self, ask: Ask, id: str, revision: str) -> Answer:
        if ask.method != "POST":
            return failure(404, "Sorry, we can't find the page you are looking for.")
        found = self._find(ask, id, revision)
        if isinstance(found, Answer):
            return found
        try:
            wanted = trees.paths(ask.body)
        except ValueError as error:
            raise BadRequest('"paths" must be an array') from error
        if len(wanted) > trees.MOST_PATHS:
            raise BadRequest(f'"paths" must hold at most {trees.MOST_PATHS} paths')
        known = {entry["path"]: entry for entry in repository.tree(found, "", recursive=True)}
        return as_json([known[path] for path in dict.fromkeys(wanted) if path in known])

    def _resolve(self, ask: Ask, id: str, revision: str, path: str) -> Answer:
        found = self._find(ask, id, revision)
        if isinstance(found, Answer):
            return found
        if found.get("gated"):
            status = 401 if ask.reader is None else 403
            message = f"Access to model {found['id']} is restricted."
            return failure(status, message, code="GatedRepo")
        file = repository.files(found).get(path)
        if file is None:
            return failure(404, "Entry not found", code="EntryNotFound")
        data = file.read_bytes()
        head, etag = repository.sha(found), f'"{repository.blob_id(data)}"'
        if "/resolve/" in ask.path:
            kind = "" if id.startswith(("datasets/", "spaces/")) else "models/"
            cached = quote(f"/api/resolve-cache/{kind}{found['id']}/{head}/{path}")
            target = f"{cached}?{quote(ask.path, safe='')}=&etag={quote(etag)}"
            return redirect(target, {"x-linked-etag": etag, "x-repo-commit": head}, html=True)
        text = file.suffix in (".json", ".md", ".txt")
        headers = {
            "content-type": "text/plain; charset=utf-8" if text else "application/octet-stream",
            "etag": etag,
            "x-repo-commit": head,
        }
        return part(Answer(200, data, headers), ask.range)

    def _whoami(self, ask: Ask) -> Answer:
        if ask.reader is None:
            return failure(401, "Invalid username or password.")
        return as_json({"type": "user", "name": ask.reader})

    def _tags_by_type(self, ask: Ask) -> Answer:
        kinds = {"pipeline_tag": "pipeline_tag", "library": "library_name"}
        wanted = dict(ask.query).get("type")
        found: dict[str, set[str]] = {kind: set() for kind in kinds if wanted in (None, kind)}
        for model in self._population:
            for kind, names in found.items():
                if name := model.get(kinds[kind]):
                    names.add(name)
        return as_json(
            {
                kind: [{"id": name, "label": name, "type": kind} for name in sorted(names)]
                for kind, names in found.items()
            }
        )

    def _find(self, ask: Ask, repo: str, revision: str = "main") -> Model | Answer:
        """Return the model, or the answer that stands in for it."""
        found = self._population.find(repo)
        model, named = found or (None, True)
        hidden = model and model.get("private") and ask.reader != model["id"].split("/")[0]
        if model is None or hidden:
            if ask.reader is None:
                return failure(401, "Invalid username or password.")
            return failure(404, "Repository not found", code="RepoNotFound")
        if model.get("disabled"):
            return failure(403, "Access to this resource is disabled.")
        if not named:
            start = len(_PREFIX.match(ask.path)[0])  # type: ignore[index] # a path has its "/"
            target = ask.path[:start] + model["id"] + ask.path[start + len(repo) :]
            query = "&".join(f"{quote(k)}={quote(v, safe='')}" for k, v in ask.query)
            return redirect(quote(target) + (query and f"?{query}"), html=False)
        # git takes the first digits of a hash for the whole
        short = len(revision) >= 7 and repository.sha(model).startswith(revision)
        if revision != "main" and not short:
            return failure(404, f"Invalid rev id: {revision}", code="RevisionNotFound")
        return model


def _number(query: Query, key: str, default: int) -> int:
    text = dict(query).get(key, str(default))
    if not text.isdecimal():
        raise BadRequest(f'"{key}" must be a number: {text}')
    return int(text)


def _with(query: Query, key: str, value: str) -> Query:
    return [*((k, v) for k, v in query if k != key), (key, value)]


def _odd(model: dict[str, Any]) -> dict[str, Any]:
    """Return the model with fields of types that the contract does not have.

    Names stay, and so does `private`: without it a model is left out.
    """
    return {
        key: value if key in ("_id", "id", "private") else [{"odd": str(value)[:20]}]
        for key, value in model.items()
    }

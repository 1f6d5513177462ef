"""What each route answers. Answers are made here and sent by server.py."""

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import msgspec

from hfscan.minihub import fields
from hfscan.minihub.faults import Answer
from hfscan.minihub.listing import BadRequest, Listing, Query
from hfscan.minihub.population import Model, Population

_JSON = "application/json; charset=utf-8"


@dataclass(frozen=True)
class Ask:
    """A request: its path, query in order, and the account of its token (None: anonymous)."""

    method: str
    path: str
    query: Query
    reader: str | None
    fault: str | None = None


class Routes:
    """The Hub's routes over a population. `base` is the server's own URL."""

    def __init__(self, population: Population, page_size: int) -> None:
        self._population = population
        self._listing = Listing(population, page_size)
        self.base = ""
        self._routes: tuple[tuple[re.Pattern[str], Callable[..., Answer]], ...] = tuple(
            (re.compile(pattern), route)
            for pattern, route in (
                (r"/api/models", self._list),
                (r"/api/whoami-v2", self._whoami),
                (r"/api/models-tags-by-type", self._tags_by_type),
                (r"/api/models/(?P<id>.+?)/commits/(?P<revision>[^/]+)", self._commits),
                (r"/api/models/(?P<id>.+?)/refs", self._refs),
                (r"/api/models/(?P<id>.+?)/tree/(?P<revision>[^/]+)(/(?P<path>.*))?", self._tree),
                (r"/api/models/(?P<id>.+?)/revision/(?P<revision>[^/]+)", self._detail),
                (r"/api/models/(?P<id>[^/]+(/[^/]+)?)", self._detail),
                (r"/(?P<id>.+?)/resolve/(?P<revision>[^/]+)/(?P<path>.+)", self._resolve),
            )
        )

    def answer(self, ask: Ask) -> Answer:
        """Answer a request."""
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
        if ask.fault == "short-page":
            # fewer models than asked for, and still a next page
            limit = dict(ask.query).get("limit", "1000")
            ask = replace(ask, query=_with(ask.query, "limit", str(max(1, int(limit) // 3))))
        page = self._listing.page(ask.query, ask.reader)
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
        return as_json(models, headers)

    def _next(self, path: str, query: Query, cursor: str) -> str:
        pairs = [(k.replace("expand[]", "expand"), v) for k, v in query if k != "cursor"]
        text = "&".join(f"{k}={quote(v, safe='')}" for k, v in [*pairs, ("cursor", cursor)])
        return f'<{self.base}{path}?{text}>; rel="next"'

    def _detail(self, ask: Ask, id: str, revision: str = "main") -> Answer:
        found = self._find(ask, id)
        if isinstance(found, Answer):
            return found
        asked = [value for key, value in ask.query if key in ("expand", "expand[]")]
        if message := fields.bad_expand(asked, detail=True):
            raise BadRequest(message)
        if revision not in ("main", found.get("sha")):
            return failure(404, f"Invalid rev id: {revision}", code="RevisionNotFound")
        keys = fields.expanded(asked, detail=True) if asked else fields.DETAIL
        model = fields.pick(found, keys)
        folder = found.get(".folder")
        if folder and "siblings" in keys:
            model["siblings"] = [{"rfilename": name} for name in _files(Path(folder))]
        return as_json(model)

    def _commits(self, ask: Ask, id: str, revision: str) -> Answer:
        found = self._find(ask, id)
        if isinstance(found, Answer):
            return found
        one = dict(ask.query)
        limit, page = int(one.get("limit", "100")), int(one.get("p", "0"))
        commits = _history(found)
        headers = {"x-total-count": str(len(commits))}
        if (page + 1) * limit < len(commits):
            rest = "".join(f"&{k}={quote(v, safe='')}" for k, v in ask.query if k != "p")
            headers["link"] = f'<{self.base}{ask.path}?p={page + 1}{rest}>; rel="next"'
        return as_json(commits[page * limit : (page + 1) * limit], headers)

    def _refs(self, ask: Ask, id: str) -> Answer:
        found = self._find(ask, id)
        if isinstance(found, Answer):
            return found
        main = {"name": "main", "ref": "refs/heads/main", "targetCommit": _sha(found)}
        return as_json({"tags": [], "branches": [main], "converts": []})

    def _tree(self, ask: Ask, id: str, revision: str, path: str = "") -> Answer:
        found = self._find(ask, id)
        if isinstance(found, Answer):
            return found
        folder = found.get(".folder")
        names = (
            _files(Path(folder)) if folder else [s["rfilename"] for s in found.get("siblings", ())]
        )
        entries = []
        for name in names:
            data = (Path(folder) / name).read_bytes() if folder else b""
            entries.append({"type": "file", "oid": _blob(data), "size": len(data), "path": name})
        return as_json(entries)

    def _resolve(self, ask: Ask, id: str, revision: str, path: str) -> Answer:
        found = self._find(ask, id)
        if isinstance(found, Answer):
            return found
        if found.get("gated"):
            return failure(401, f"Access to model {found['id']} is restricted.", code="GatedRepo")
        folder = found.get(".folder")
        if not folder or path not in _files(Path(folder)):
            return failure(404, "Entry not found", code="EntryNotFound")
        data = (Path(folder) / path).read_bytes()
        headers = {
            "content-type": "application/octet-stream",
            "etag": f'"{_blob(data)}"',
            "x-repo-commit": _sha(found),
            "accept-ranges": "bytes",
        }
        return Answer(200, data, headers)

    def _whoami(self, ask: Ask) -> Answer:
        if ask.reader is None:
            return failure(401, "Invalid username or password.")
        return as_json({"type": "user", "name": ask.reader})

    def _tags_by_type(self, ask: Ask) -> Answer:
        libraries = sorted({m["library_name"] for m in self._population if m.get("library_name")})
        tags = [{"id": name, "label": name, "type": "library"} for name in libraries]
        return as_json({"library": tags})

    def _find(self, ask: Ask, repo: str) -> Model | Answer:
        """Return the model, or the answer that stands in for it."""
        found = self._population.find(unquote(repo))
        model, named = found or (None, True)
        hidden = model and model.get("private") and ask.reader != model["id"].split("/")[0]
        if model is None or hidden:
            if ask.reader is None:
                return failure(401, "Invalid username or password.")
            return failure(404, "Repository not found", code="RepoNotFound")
        if model.get("disabled"):
            return failure(403, "Access to this resource is disabled.")
        if not named:
            target = ask.path.replace(repo, quote(model["id"]), 1)
            if ask.query:
                target += "?" + "&".join(f"{k}={quote(v, safe='')}" for k, v in ask.query)
            text = f"Temporary Redirect. Redirecting to {target}"
            headers = {"content-type": "text/plain; charset=utf-8", "location": target}
            return Answer(307, text.encode(), headers)
        return model


def parse(target: str) -> tuple[str, Query]:
    """Split a request target into its path (unquoted) and its query, in order."""
    parts = urlsplit(target)
    return unquote(parts.path), parse_qsl(parts.query, keep_blank_values=True)


def as_json(value: object, headers: Mapping[str, str] | None = None, status: int = 200) -> Answer:
    """Return a JSON answer with the weak ETag the Hub sends (Express style)."""
    body = msgspec.json.encode(value)
    digest = base64.b64encode(hashlib.sha1(body).digest())[:27].decode()  # noqa: S324
    etag = f'W/"{len(body):x}-{digest}"'
    return Answer(status, body, {"content-type": _JSON, "etag": etag, **(headers or {})})


def failure(status: int, message: str, code: str | None = None) -> Answer:
    """Return an error as the Hub words it."""
    headers = {"x-error-message": message} | ({"x-error-code": code} if code else {})
    return as_json({"error": message}, headers, status)


def compressed(answer: Answer) -> Answer:
    """Return the answer gzipped, as for a client that accepts it."""
    if "content-encoding" in answer.headers or len(answer.body) < 1024:
        return answer
    headers = answer.headers | {"content-encoding": "gzip", "vary": "Accept-Encoding"}
    return replace(answer, body=gzip.compress(answer.body, 1, mtime=0), headers=headers)


def _history(model: Model) -> list[dict[str, Any]]:
    """Make a history up, newest first; it starts at ".first_commit" or the creation."""
    first = datetime.fromisoformat(model.get(".first_commit") or model["createdAt"])
    last = datetime.fromisoformat(model.get("lastModified") or model["createdAt"])
    count = 1 + int(model["_id"][-2:], 16) % 5
    step = max(timedelta(), last - first) / max(1, count - 1)
    dates = [(first + step * place).astimezone(UTC) for place in range(count)]
    titles = ["initial commit", *(f"Update {place}" for place in range(1, count))]
    user = model["id"].split("/")[0]
    commits = [
        {
            "id": hashlib.sha1(f"{model['_id']}{place}".encode()).hexdigest(),  # noqa: S324
            "title": title,
            "message": "",
            "authors": [{"user": user, "avatar": ""}],
            "date": f"{date:%Y-%m-%dT%H:%M:%S}.000Z",
        }
        for place, (title, date) in enumerate(zip(titles, dates, strict=True))
    ]
    commits[-1]["id"] = _sha(model)
    return commits[::-1]


def _sha(model: Model) -> str:
    return str(model.get("sha") or hashlib.sha1(model["_id"].encode()).hexdigest())  # noqa: S324


def _blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()  # noqa: S324 - git's


def _files(folder: Path) -> list[str]:
    return sorted(f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file())


def _with(query: Query, key: str, value: str) -> Query:
    return [*((k, v) for k, v in query if k != key), (key, value)]


def _odd(model: dict[str, Any]) -> dict[str, Any]:
    """Every field but the keys in a type that the contract does not have."""
    return {
        key: value if key in ("_id", "id", "createdAt") else [{"odd": str(value)[:20]}]
        for key, value in model.items()
    }

"""The routes of the fake Hub: lists, commits, and the account of a token."""

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from hfscan.fakehub.listing import Listing, Page, is_visible
from hfscan.fakehub.messages import (
    BadRequestError,
    Query,
    Request,
    Response,
    error_response,
    json_response,
)
from hfscan.fakehub.population import Model, Population

NO_PAGE = "Sorry, we can't find the page you are looking for."


class Routes:
    """The Hub's routes over a population. `base_url` is the URL of the server."""

    listing_class = Listing

    def __init__(self, population: Population, page_size: int) -> None:
        self.base_url = ""
        self._population = population
        self._page_size = page_size
        self._listing = self.listing_class(population, page_size)
        self._routes = [(re.compile(pattern), route) for pattern, route in self.routes().items()]

    def routes(self) -> dict[str, Callable[..., Response]]:
        """Return path pattern -> method; the first that matches answers."""
        return {
            r"/api/models": self._list,
            r"/api/whoami-v2": self._whoami,
            r"/api/models/(?P<id>.+?)/commits/(?P<revision>[^/]+)": self._commits,
        }

    def answer(self, request: Request) -> Response:
        for pattern, route in self._routes:
            if match := pattern.fullmatch(request.path):
                try:
                    return route(request, **{k: v for k, v in match.groupdict().items() if v})
                except BadRequestError as error:
                    return error_response(400, str(error))
        return error_response(404, NO_PAGE)

    def find_page(self, request: Request) -> Page:
        """Return the page of models for a list request. Raises BadRequestError."""
        return self._listing.page(request.query, request.account)

    def find_model(self, request: Request, id: str, revision: str = "main") -> Model | Response:
        """Return the model at a revision, or the error response."""
        model, is_current = self._population.find(id) or (None, True)
        if model is None or not is_current or not is_visible(model, request.account):
            if request.account is None:
                return error_response(401, "Invalid username or password.")
            return error_response(404, "Repository not found", code="RepoNotFound")
        # the Hub accepts the first digits of a commit id
        is_commit = len(revision) >= 7 and head_commit(model).startswith(revision)
        if revision != "main" and not is_commit:
            return error_response(404, f"Invalid rev id: {revision}", code="RevisionNotFound")
        return model

    def next_link(self, path: str, query: Query, cursor: str) -> str:
        """Return the Link header of the next page."""
        pairs = [(k.replace("expand[]", "expand"), v) for k, v in query if k != "cursor"]
        text = "&".join(f"{k}={quote(v, safe='')}" for k, v in [*pairs, ("cursor", cursor)])
        return f'<{self.base_url}{path}?{text}>; rel="next"'

    def _list(self, request: Request) -> Response:
        page = self.find_page(request)
        link = page.cursor and self.next_link(request.path, request.query, page.cursor)
        return json_response(page.models, {"link": link} if link else None)

    def _commits(self, request: Request, id: str, revision: str) -> Response:
        model = self.find_model(request, id, revision)
        if isinstance(model, Response):
            return model
        limit, page = parse_number(request.query, "limit", 100), parse_number(request.query, "p", 0)
        commits = make_commits(model)
        headers = {"x-total-count": str(len(commits))}
        if limit and (page + 1) * limit < len(commits):
            rest = "".join(f"&{k}={quote(v, safe='')}" for k, v in request.query if k != "p")
            headers["link"] = f'<{self.base_url}{request.path}?p={page + 1}{rest}>; rel="next"'
        return json_response(commits[page * limit : (page + 1) * limit], headers)

    def _whoami(self, request: Request) -> Response:
        if request.account is None:
            return error_response(401, "Invalid username or password.")
        return json_response({"type": "user", "name": request.account})


def parse_number(query: Query, key: str, default: int) -> int:
    """Return a number of the query. Raises BadRequestError."""
    text = dict(query).get(key, str(default))
    if not text.isdecimal():
        raise BadRequestError(f'"{key}" must be a number: {text}')
    return int(text)


def head_commit(model: Model) -> str:
    """Return the id of the head commit: the model's own, or a synthetic one."""
    return str(model.get("sha") or sha1(model["_id"].encode()))


def make_commits(model: Model) -> list[dict[str, Any]]:
    """Return a synthetic history, newest first, from ".first_commit" or the creation date."""
    first = datetime.fromisoformat(model.get(".first_commit") or model["createdAt"])
    last = datetime.fromisoformat(model.get("lastModified") or model["createdAt"])
    count = 1 + int(model["_id"][-2:], 16) % 5
    step = max(timedelta(), last - first) / max(1, count - 1)
    user = model["id"].split("/")[0]
    history = [
        {
            "id": sha1(f"{model['_id']}{place}".encode()),
            "title": f"Update {place}" if place else "initial commit",
            "message": "",
            "authors": [{"user": user, "avatar": ""}],
            "date": f"{(first + step * place).astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000Z",
        }
        for place in range(count)
    ]
    history[-1]["id"] = head_commit(model)
    return history[::-1]


def sha1(data: bytes) -> str:
    """Return the SHA-1 that git uses for ids."""
    return hashlib.sha1(data).hexdigest()  # noqa: S324

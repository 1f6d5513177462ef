"""Datasets that clients create, fill, tag and read, in memory.

Static Spaces are among them: that of `OWNER/NAME` has the id `spaces:OWNER/NAME`.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from hfscan.fakehub.messages import Request, Response, error_response, json_response
from hfscan.fakehub.routes import parse_number, sha1

from .files import compute_blob_id, parse_paths
from .messages import range_response, redirect_response

_LARGE = (".parquet", ".arrow", ".zst")
"""File name endings used here that the Hub's default .gitattributes stores in LFS."""

_STARTED = datetime.now(UTC)
_SPACE = "spaces:"

_API = r"/api/datasets/(?P<id>[^/]+/[^/]+)"
_FILES = r"/datasets/(?P<id>[^/]+/[^/]+)/resolve"


@dataclass
class Dataset:
    """A repository: the files of its head, and the messages of its commits, oldest first.

    `tags` maps names to commits, `files_by_commit` earlier commits to their files, `dates` commits
    to their times (of the others the server's start is given).
    """

    private: bool = False
    files: dict[str, bytes] = field(default_factory=dict)
    commits: list[str] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    files_by_commit: dict[str, dict[str, bytes]] = field(default_factory=dict)
    dates: dict[str, datetime] = field(default_factory=dict)

    @property
    def sha(self) -> str:
        """Return the head commit."""
        return sha1(repr(self.commits).encode())

    def find_revision(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """Return the commit that a branch, tag or commit names, with its files."""
        sha = self.tags.get(revision, revision)
        if sha in ("main", self.sha):
            return self.sha, self.files
        return (sha, self.files_by_commit[sha]) if sha in self.files_by_commit else None

    def add_commit(self, files: Mapping[str, bytes], title: str, date: datetime) -> str:
        """Add a commit that writes these files; return its id."""
        if self.commits:
            self.files_by_commit[self.sha] = self.files
        self.files = {**self.files, **files}
        self.commits.append(title)
        self.dates[self.sha] = date
        return self.sha

    def list_commits(self) -> list[dict[str, Any]]:
        """Return the commits, newest first, as the Hub describes them."""
        found = []
        for count in range(len(self.commits), 0, -1):
            sha = sha1(repr(self.commits[:count]).encode())
            date = self.dates.get(sha, _STARTED).astimezone(UTC)
            found.append(
                {
                    "id": sha,
                    "title": self.commits[count - 1],
                    "message": "",
                    "authors": [],
                    "date": f"{date:%Y-%m-%dT%H:%M:%S}.000Z",
                }
            )
        return found


class Datasets:
    """All datasets, by id. `base_url` is the server's own URL. Thread-safe."""

    def __init__(self) -> None:
        self.base_url = ""
        self.repos: dict[str, Dataset] = {}
        self._blobs: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._routes = tuple(
            (method, re.compile(pattern), route)
            for method, pattern, route in (
                ("POST", r"/api/repos/create", self._create),
                ("POST", r"/api/validate-yaml", self._validate),
                ("POST", rf"{_API}/preupload/main", self._preupload),
                ("POST", r"/datasets/(?P<id>[^/]+/[^/]+)\.git/info/lfs/objects/batch", self._batch),
                ("PUT", r"/lfs/(?P<oid>[0-9a-f]{64})", self._put),
                ("POST", r"/lfs/verify", self._verify),
                ("POST", rf"{_API}/commit/main", self._commit),
                ("POST", rf"{_API}/tag/(?P<revision>[^/]+)", self._tag),
                ("GET", rf"{_API}(/revision/(?P<revision>[^/]+))?", self._info),
                ("GET", rf"{_API}/commits/(?P<revision>[^/]+)", self._commits),
                ("POST", rf"{_API}/paths-info/(?P<revision>[^/]+)", self._paths_info),
                ("GET", rf"{_API}/tree/(?P<revision>[^/]+)(/(?P<path>.+))?", self._tree),
                ("GET", r"/lfs/(?P<oid>[0-9a-f]{64})", self._read_large),
                ("GET", rf"{_FILES}/(?P<revision>[^/]+)/(?P<path>.+)", self._resolve),
                ("HEAD", rf"{_FILES}/(?P<revision>[^/]+)/(?P<path>.+)", self._resolve),
            )
        )

    def answer(self, request: Request) -> Response | None:
        """Return the response to a request about datasets, None for other requests."""
        path = re.sub(r"^(/api)?/spaces/", rf"\1/datasets/{_SPACE}", request.path)
        request = replace(request, path=path)
        for method, pattern, route in self._routes:
            match = pattern.fullmatch(request.path)
            if match and method == request.method:
                # the URL of an upload grants access, like a signed one
                if request.account is None and method == "POST" and route != self._paths_info:
                    return error_response(401, "Invalid username or password.")
                with self._lock:
                    return route(request, **{k: v for k, v in match.groupdict().items() if v})
        return None

    def _create(self, request: Request) -> Response:
        options = json.loads(request.body)
        name = f"{options.get('organization') or request.account}/{options['name']}"
        kind = options.get("type")
        if kind == "space" and options.get("sdk") != "static":
            return error_response(400, "This fake Hub has only static Spaces.")
        name = _SPACE + name if kind == "space" else name
        if kind not in ("dataset", "space") or _parse_owner(name) != request.account:
            return error_response(403, "You don't have the rights to create this repository.")
        if name in self.repos:
            url = {
                "error": "You already created this dataset repo",
                "url": f"{self.base_url}/{name}",
            }
            return json_response(url, status=409)
        private = options.get("private") or options.get("visibility") == "private"
        self.repos[name] = Dataset(bool(private))
        name = name.removeprefix(_SPACE)
        return json_response({"url": f"{self.base_url}/{kind}s/{name}", "name": name, "id": name})

    def _validate(self, request: Request) -> Response:
        content = json.loads(request.body)["content"]
        errors = [] if content.startswith("---\n") else [{"message": "no YAML front matter"}]
        return json_response({"errors": errors, "warnings": []}, status=400 if errors else 200)

    def _preupload(self, request: Request, id: str) -> Response:
        dataset = self._find_writable(request, id)
        if isinstance(dataset, Response):
            return dataset
        return json_response(
            {
                "files": [
                    {
                        "path": file["path"],
                        "uploadMode": "lfs" if file["path"].endswith(_LARGE) else "regular",
                        "shouldIgnore": False,
                        **_format_oid(file["path"], dataset.files.get(file["path"])),
                    }
                    for file in json.loads(request.body)["files"]
                ]
            }
        )

    def _batch(self, request: Request, id: str) -> Response:
        dataset = self._find_writable(request, id)
        if isinstance(dataset, Response):
            return dataset
        objects = []
        for item in json.loads(request.body)["objects"]:
            entry = {"oid": item["oid"], "size": item["size"]}
            if item["oid"] not in self._blobs:
                entry["actions"] = {
                    "upload": {"href": f"{self.base_url}/lfs/{item['oid']}"},
                    "verify": {"href": f"{self.base_url}/lfs/verify"},
                }
            objects.append(entry)
        return json_response({"transfer": "basic", "objects": objects})

    def _put(self, request: Request, oid: str) -> Response:
        if hashlib.sha256(request.body).hexdigest() != oid:
            return error_response(400, "The content does not match its oid.")
        self._blobs[oid] = request.body
        return json_response({})

    def _verify(self, request: Request) -> Response:
        expected = json.loads(request.body)
        body = self._blobs.get(expected["oid"])
        if body is None or len(body) != expected["size"]:
            return error_response(404, "Object does not exist on the server.")
        return json_response({})

    def _commit(self, request: Request, id: str) -> Response:
        dataset = self._find_writable(request, id)
        if isinstance(dataset, Response):
            return dataset
        files, summary = dict(dataset.files), ""
        for line in request.body.splitlines():
            operation = json.loads(line)
            value = operation["value"]
            if operation["key"] == "header":
                summary = value["summary"]
                if value.get("parentCommit", dataset.sha) != dataset.sha:
                    return error_response(
                        412, "A commit has happened since. Please refresh and retry."
                    )
            elif operation["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif operation["key"] == "lfsFile":
                if value["oid"] not in self._blobs:
                    return error_response(400, "Your push was rejected: the LFS object is missing.")
                files[value["path"]] = self._blobs[value["oid"]]
            elif files.pop(value["path"], None) is None:
                return error_response(
                    404, "A file with this name doesn't exist", code="EntryNotFound"
                )
        dataset.files_by_commit[dataset.sha] = dataset.files
        dataset.files = files
        dataset.commits.append(summary)
        page = id.replace(":", "/") if id.startswith(_SPACE) else f"datasets/{id}"
        url = f"{self.base_url}/{page}/commit/{dataset.sha}"
        return json_response({"success": True, "commitOid": dataset.sha, "commitUrl": url})

    def _tag(self, request: Request, id: str, revision: str) -> Response:
        dataset = self._find_writable(request, id)
        if isinstance(dataset, Response):
            return dataset
        commit, name = dataset.find_revision(revision), json.loads(request.body)["tag"]
        if commit is None:
            return _unknown_revision(revision)
        if name in dataset.tags:
            return error_response(409, f"Reference already exists: {name}")
        dataset.tags[name] = commit[0]
        return json_response({"ref": f"refs/tags/{name}"})

    def _info(self, request: Request, id: str, revision: str = "main") -> Response:
        dataset = self._find_readable(request, id)
        if isinstance(dataset, Response):
            return dataset
        if (commit := dataset.find_revision(revision)) is None:
            return _unknown_revision(revision)
        names = [{"rfilename": name} for name in sorted(commit[1])]
        info: dict[str, Any] = {"id": id, "private": dataset.private, "sha": commit[0]}
        return json_response(info | {"siblings": names, "tags": [], "downloads": 0, "likes": 0})

    def _commits(self, request: Request, id: str, revision: str) -> Response:
        dataset = self._find_readable(request, id)
        if isinstance(dataset, Response):
            return dataset
        limit, page = parse_number(request.query, "limit", 50), parse_number(request.query, "p", 0)
        commits = dataset.list_commits()
        headers = {"x-total-count": str(len(commits))}
        if (page + 1) * limit < len(commits):
            target = f"{self.base_url}{request.path}?p={page + 1}&limit={limit}"
            headers["link"] = f'<{target}>; rel="next"'
        return json_response(commits[page * limit : (page + 1) * limit], headers)

    def _paths_info(self, request: Request, id: str, revision: str) -> Response:
        dataset = self._find_readable(request, id)
        if isinstance(dataset, Response):
            return dataset
        if (commit := dataset.find_revision(revision)) is None:
            return _unknown_revision(revision)
        entries = {entry["path"]: entry for entry in _list_entries(commit[1])}
        return json_response(
            [entries[path] for path in parse_paths(request.body) if path in entries]
        )

    def _tree(self, request: Request, id: str, revision: str, path: str = "") -> Response:
        dataset = self._find_readable(request, id)
        if isinstance(dataset, Response):
            return dataset
        if (commit := dataset.find_revision(revision)) is None:
            return _unknown_revision(revision)
        prefix = f"{path}/" if path else ""
        entries = [entry for entry in _list_entries(commit[1]) if entry["path"].startswith(prefix)]
        if ("recursive", "true") not in [(key, value.lower()) for key, value in request.query]:
            entries = [entry for entry in entries if "/" not in entry["path"][len(prefix) :]]
        return json_response(entries)

    def _resolve(self, request: Request, id: str, revision: str, path: str) -> Response | None:
        if id not in self.repos:
            return None  # may be a model of the population
        dataset = self._find_readable(request, id)
        if isinstance(dataset, Response):
            return dataset
        if (commit := dataset.find_revision(revision)) is None:
            return _unknown_revision(revision)
        body = commit[1].get(path)
        if body is None:
            return error_response(404, "Entry not found", code="EntryNotFound")
        if path.endswith(_LARGE):
            oid = _sha256(body)
            self._blobs[oid] = body
            headers = {"x-linked-etag": f'"{oid}"', "x-linked-size": str(len(body))}
            headers |= {"x-repo-commit": commit[0], "etag": f'"{oid}"'}
            # another host, as on the Hub
            storage = self.base_url.replace("127.0.0.1", "localhost")
            return redirect_response(f"{storage}/lfs/{oid}", headers, html=False)
        kind = "image/svg+xml" if path.endswith(".svg") else "application/octet-stream"
        etag = f'"{compute_blob_id(body)}"'
        headers = {"content-type": kind, "etag": etag, "x-repo-commit": commit[0]}
        return range_response(Response(200, body, headers), request.range)

    def _read_large(self, request: Request, oid: str) -> Response:
        headers = {"content-type": "application/octet-stream", "etag": f'"{oid}"'}
        return range_response(Response(200, self._blobs[oid], headers), request.range)

    def _find_readable(self, request: Request, id: str) -> Dataset | Response:
        dataset = self.repos.get(id)
        if dataset is None or (dataset.private and _parse_owner(id) != request.account):
            return error_response(
                404 if request.account else 401, "Repository not found", code="RepoNotFound"
            )
        return dataset

    def _find_writable(self, request: Request, id: str) -> Dataset | Response:
        if id in self.repos and _parse_owner(id) != request.account:
            return error_response(403, "You don't have the rights to write here.")
        return self._find_readable(request, id)


def _parse_owner(id: str) -> str:
    return id.removeprefix(_SPACE).partition("/")[0]


def _unknown_revision(revision: str) -> Response:
    return error_response(404, f"Invalid rev id: {revision}", code="RevisionNotFound")


def _list_entries(files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """Return the folders and files of a commit as the Hub describes them."""
    parents = {parent.as_posix() for name in files for parent in PurePosixPath(name).parents}
    folders = [
        {"type": "directory", "oid": sha1(name.encode()), "size": 0, "path": name}
        for name in sorted(parents - {"."})
    ]
    return folders + [_describe(name, body) for name, body in sorted(files.items())]


def _describe(path: str, body: bytes) -> dict[str, Any]:
    entry = {"type": "file", "size": len(body), "path": path}
    if path.endswith(_LARGE):
        oid = _sha256(body)
        lfs = {"oid": oid, "size": len(body), "pointerSize": 134}
        return entry | {"oid": compute_blob_id(oid.encode()), "lfs": lfs}
    return entry | {"oid": compute_blob_id(body)}


@lru_cache(maxsize=2)  # some files are large
def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _format_oid(path: str, body: bytes | None) -> dict[str, str]:
    if body is None:
        return {}
    is_large = path.endswith(_LARGE)
    return {"oid": hashlib.sha256(body).hexdigest() if is_large else compute_blob_id(body)}

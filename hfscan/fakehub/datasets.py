"""Datasets that clients make, fill, tag and read: kept in memory, with every commit's files."""

import base64
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from typing import Any

from hfscan.fakehub.answers import as_json, failure, part
from hfscan.fakehub.faults import Answer
from hfscan.fakehub.repository import blob_id
from hfscan.fakehub.request import Ask

_LARGE = (".parquet", ".arrow", ".zst")
"""What the Hub's default .gitattributes puts into LFS, as far as it matters here."""

_API = r"/api/datasets/(?P<id>[^/]+/[^/]+)"
_FILES = r"/datasets/(?P<id>[^/]+/[^/]+)/resolve"


@dataclass
class Dataset:
    """A repository: the files of its head, and what each commit said (oldest first).

    `tags` are names of commits; `past` has the files of each commit.
    """

    private: bool = False
    files: dict[str, bytes] = field(default_factory=dict)
    commits: list[str] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    past: dict[str, dict[str, bytes]] = field(default_factory=dict)

    @property
    def sha(self) -> str:
        """The head commit."""
        return hashlib.sha1(repr(self.commits).encode()).hexdigest()  # noqa: S324 - git's

    def at(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """Return the commit that a branch, tag or commit names, with its files."""
        sha = self.tags.get(revision, revision)
        if sha in ("main", self.sha):
            return self.sha, self.files
        return (sha, self.past[sha]) if sha in self.past else None


class Datasets:
    """All datasets, by id. `base` is the server's own URL. Thread-safe."""

    def __init__(self) -> None:
        self.base = ""
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
                ("GET", rf"{_API}/tree/(?P<revision>[^/]+)", self._tree),
                ("GET", rf"{_FILES}/(?P<revision>[^/]+)/(?P<path>.+)", self._resolve),
                ("HEAD", rf"{_FILES}/(?P<revision>[^/]+)/(?P<path>.+)", self._resolve),
            )
        )

    def answer(self, ask: Ask) -> Answer | None:
        """Answer a request about datasets; None where it is about something else."""
        for method, pattern, route in self._routes:
            match = pattern.fullmatch(ask.path)
            if match and method == ask.method:
                # an upload's address is itself the permission, as a signed one is
                if ask.reader is None and method == "POST":
                    return failure(401, "Invalid username or password.")
                with self._lock:
                    return route(ask, **{k: v for k, v in match.groupdict().items() if v})
        return None

    def _create(self, ask: Ask) -> Answer:
        wanted = json.loads(ask.body)
        name = f"{wanted.get('organization') or ask.reader}/{wanted['name']}"
        if wanted.get("type") != "dataset" or name.split("/", maxsplit=1)[0] != ask.reader:
            return failure(403, "You don't have the rights to create this repository.")
        if name in self.repos:
            url = {"error": "You already created this dataset repo", "url": f"{self.base}/{name}"}
            return as_json(url, status=409)
        private = wanted.get("private") or wanted.get("visibility") == "private"
        self.repos[name] = Dataset(bool(private))
        return as_json({"url": f"{self.base}/datasets/{name}", "name": name, "id": name})

    def _validate(self, ask: Ask) -> Answer:
        content = json.loads(ask.body)["content"]
        errors = [] if content.startswith("---\n") else [{"message": "no YAML front matter"}]
        return as_json({"errors": errors, "warnings": []}, status=400 if errors else 200)

    def _preupload(self, ask: Ask, id: str) -> Answer:
        found = self._own(ask, id)
        if isinstance(found, Answer):
            return found
        return as_json(
            {
                "files": [
                    {
                        "path": one["path"],
                        "uploadMode": "lfs" if one["path"].endswith(_LARGE) else "regular",
                        "shouldIgnore": False,
                        **_known(one["path"], found.files.get(one["path"])),
                    }
                    for one in json.loads(ask.body)["files"]
                ]
            }
        )

    def _batch(self, ask: Ask, id: str) -> Answer:
        found = self._own(ask, id)
        if isinstance(found, Answer):
            return found
        objects = []
        for one in json.loads(ask.body)["objects"]:
            told = {"oid": one["oid"], "size": one["size"]}
            if one["oid"] not in self._blobs:
                told["actions"] = {
                    "upload": {"href": f"{self.base}/lfs/{one['oid']}"},
                    "verify": {"href": f"{self.base}/lfs/verify"},
                }
            objects.append(told)
        return as_json({"transfer": "basic", "objects": objects})

    def _put(self, ask: Ask, oid: str) -> Answer:
        if hashlib.sha256(ask.body).hexdigest() != oid:
            return failure(400, "The content does not match its oid.")
        self._blobs[oid] = ask.body
        return as_json({})

    def _verify(self, ask: Ask) -> Answer:
        wanted = json.loads(ask.body)
        body = self._blobs.get(wanted["oid"])
        if body is None or len(body) != wanted["size"]:
            return failure(404, "Object does not exist on the server.")
        return as_json({})

    def _commit(self, ask: Ask, id: str) -> Answer:
        found = self._own(ask, id)
        if isinstance(found, Answer):
            return found
        files, summary = dict(found.files), ""
        for line in ask.body.splitlines():
            operation = json.loads(line)
            value = operation["value"]
            if operation["key"] == "header":
                summary = value["summary"]
                if value.get("parentCommit", found.sha) != found.sha:
                    return failure(412, "A commit has happened since. Please refresh and retry.")
            elif operation["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif operation["key"] == "lfsFile":
                if value["oid"] not in self._blobs:
                    return failure(400, "Your push was rejected: the LFS object is missing.")
                files[value["path"]] = self._blobs[value["oid"]]
            elif files.pop(value["path"], None) is None:
                return failure(404, "A file with this name doesn't exist", code="EntryNotFound")
        found.past[found.sha] = found.files
        found.files = files
        found.commits.append(summary)
        url = f"{self.base}/datasets/{id}/commit/{found.sha}"
        return as_json({"success": True, "commitOid": found.sha, "commitUrl": url})

    def _tag(self, ask: Ask, id: str, revision: str) -> Answer:
        found = self._own(ask, id)
        if isinstance(found, Answer):
            return found
        at, name = found.at(revision), json.loads(ask.body)["tag"]
        if at is None:
            return _no_revision(revision)
        if name in found.tags:
            return failure(409, f"Reference already exists: {name}")
        found.tags[name] = at[0]
        return as_json({"ref": f"refs/tags/{name}"})

    def _info(self, ask: Ask, id: str, revision: str = "main") -> Answer:
        found = self._visible(ask, id)
        if isinstance(found, Answer):
            return found
        if (at := found.at(revision)) is None:
            return _no_revision(revision)
        names = [{"rfilename": name} for name in sorted(at[1])]
        told: dict[str, Any] = {"id": id, "private": found.private, "sha": at[0]}
        return as_json(told | {"siblings": names, "tags": [], "downloads": 0, "likes": 0})

    def _tree(self, ask: Ask, id: str, revision: str) -> Answer:
        found = self._visible(ask, id)
        if isinstance(found, Answer):
            return found
        if (at := found.at(revision)) is None:
            return _no_revision(revision)
        return as_json(
            [
                {"type": "file", "oid": blob_id(body), "size": len(body), "path": name}
                for name, body in sorted(at[1].items())
            ]
        )

    def _resolve(self, ask: Ask, id: str, revision: str, path: str) -> Answer | None:
        if id not in self.repos:
            return None  # it may be of the population
        found = self._visible(ask, id)
        if isinstance(found, Answer):
            return found
        if (at := found.at(revision)) is None:
            return _no_revision(revision)
        body = at[1].get(path)
        if body is None:
            return failure(404, "Entry not found", code="EntryNotFound")
        kind = "image/svg+xml" if path.endswith(".svg") else "application/octet-stream"
        etag = f'"{blob_id(body)}"'
        headers = {"content-type": kind, "etag": etag, "x-repo-commit": at[0]}
        return part(Answer(200, body, headers), ask.range)

    def _visible(self, ask: Ask, id: str) -> Dataset | Answer:
        found = self.repos.get(id)
        if found is None or (found.private and id.split("/", maxsplit=1)[0] != ask.reader):
            return failure(404 if ask.reader else 401, "Repository not found", code="RepoNotFound")
        return found

    def _own(self, ask: Ask, id: str) -> Dataset | Answer:
        if id in self.repos and id.split("/", maxsplit=1)[0] != ask.reader:
            return failure(403, "You don't have the rights to write here.")
        return self._visible(ask, id)


def _no_revision(revision: str) -> Answer:
    return failure(404, f"Invalid rev id: {revision}", code="RevisionNotFound")


def _known(path: str, body: bytes | None) -> dict[str, str]:
    if body is None:
        return {}
    large = path.endswith(_LARGE)
    return {"oid": hashlib.sha256(body).hexdigest() if large else blob_id(body)}

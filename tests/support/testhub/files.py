"""Files of a model's repository, local (".folder") or names only, as trees and pages."""

import base64
import json
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qsl

from hfscan.fakehub.population import Model
from hfscan.fakehub.routes import sha1

Entry = dict[str, Any]

MAX_ENTRIES = 1_000
"""Entries of one page; a tenth of it with `expand`."""

MAX_PATHS = 2_000


def list_files(model: Model) -> dict[str, Path | None]:
    """Return path in the repository -> local file, None if only the name is known."""
    if folder := model.get(".folder"):
        paths = sorted(file for file in Path(folder).rglob("*") if file.is_file())
        return {file.relative_to(folder).as_posix(): file for file in paths}
    return {entry["rfilename"]: None for entry in model.get("siblings") or ()}


def list_siblings(model: Model, *, blobs: bool) -> list[Entry]:
    """Return the file list of a detail response; `blobs` adds sizes and blob ids."""
    return [
        {"rfilename": name} | (_describe_content("blobId", file) if blobs and file else {})
        for name, file in list_files(model).items()
    ]


def list_tree(model: Model, path: str, *, recursive: bool) -> list[Entry]:
    """Return the entries below `path` ("": top), folders first."""
    prefix = f"{path}/" if path else ""
    file_by_name = {
        name: file for name, file in list_files(model).items() if name.startswith(prefix)
    }
    folders = {
        str(folder)
        for name in file_by_name
        for folder in PurePosixPath(name.removeprefix(prefix)).parents
        if folder.name
    }
    entries = [
        {"type": "directory", "oid": sha1(folder.encode()), "size": 0, "path": prefix + folder}
        for folder in sorted(folders)
    ] + [
        {"type": "file", **_describe_content("oid", file), "path": name}
        for name, file in sorted(file_by_name.items())
    ]
    if recursive:
        return entries
    return [entry for entry in entries if "/" not in entry["path"].removeprefix(prefix)]


def paginate(
    entries: list[Entry], limit: int, cursor: str | None
) -> tuple[list[Entry], str | None]:
    """Return the page after a cursor and the next cursor. Raises ValueError on a bad cursor."""
    if cursor is not None:
        names = [entry["path"] for entry in entries]
        entries = entries[names.index(_read_cursor(cursor)) + 1 :]
    has_more = len(entries) > limit
    return entries[:limit], _make_cursor(entries[limit - 1], limit) if has_more else None


def parse_paths(body: bytes) -> list[str]:
    """Return the paths in a body: a form (as the Python client sends it) or JSON.

    Raises ValueError if it is neither.
    """
    text = body.decode("utf-8", "replace")
    if text.lstrip().startswith("{"):
        return [str(path) for path in json.loads(text).get("paths", ())]
    return [value for key, value in parse_qsl(text) if key == "paths"]


def compute_blob_id(data: bytes) -> str:
    """Return git's id of this content."""
    return sha1(b"blob %d\0" % len(data) + data)


def _describe_content(key: str, file: Path | None) -> Entry:
    data = file.read_bytes() if file else b""
    return {key: compute_blob_id(data), "size": len(data)}


def _make_cursor(entry: Entry, position: int) -> str:
    payload = json.dumps({"file_name": entry["path"], "tree_oid": entry["oid"]})
    text = f"{base64.b64encode(payload.encode()).decode()}:{position}"
    return base64.b64encode(text.encode()).decode()


def _read_cursor(cursor: str) -> str:
    payload = base64.b64decode(cursor).decode().partition(":")[0]
    return str(json.loads(base64.b64decode(payload))["file_name"])

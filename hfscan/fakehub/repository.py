"""What a model's repository holds: commits, made up, and files, real ones or names only."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

from hfscan.fakehub.population import Model


def sha(model: Model) -> str:
    """Return the head commit: the model's own, or a made-up one."""
    return str(model.get("sha") or _sha1(model["_id"].encode()))


def commits(model: Model) -> list[dict[str, Any]]:
    """Make a history up, newest first; it starts at ".first_commit" or the creation."""
    first = datetime.fromisoformat(model.get(".first_commit") or model["createdAt"])
    last = datetime.fromisoformat(model.get("lastModified") or model["createdAt"])
    count = 1 + int(model["_id"][-2:], 16) % 5
    step = max(timedelta(), last - first) / max(1, count - 1)
    user = model["id"].split("/")[0]
    history = [
        {
            "id": _sha1(f"{model['_id']}{place}".encode()),
            "title": f"Update {place}" if place else "initial commit",
            "message": "",
            "authors": [{"user": user, "avatar": ""}],
            "date": f"{(first + step * place).astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000Z",
        }
        for place in range(count)
    ]
    history[-1]["id"] = sha(model)
    return history[::-1]


def files(model: Model) -> dict[str, Path | None]:
    """Return path in the repository -> local file, None where only the name is known."""
    if folder := model.get(".folder"):
        found = sorted(file for file in Path(folder).rglob("*") if file.is_file())
        return {file.relative_to(folder).as_posix(): file for file in found}
    return {one["rfilename"]: None for one in model.get("siblings") or ()}


def siblings(model: Model, *, blobs: bool) -> list[dict[str, Any]]:
    """Return the file list of a detail; `blobs` adds what is known of each content."""
    return [
        {"rfilename": name} | (_content("blobId", file) if blobs and file else {})
        for name, file in files(model).items()
    ]


def tree(model: Model, path: str, *, recursive: bool) -> list[dict[str, Any]]:
    """Return the entries below `path` ("" is the top), folders first; empty where none is."""
    prefix = f"{path}/" if path else ""
    inside = {name: file for name, file in files(model).items() if name.startswith(prefix)}
    folders = {
        str(folder)
        for name in inside
        for folder in PurePosixPath(name.removeprefix(prefix)).parents
        if folder.name
    }
    entries = [
        {"type": "directory", "oid": _sha1(folder.encode()), "size": 0, "path": prefix + folder}
        for folder in sorted(folders)
    ] + [
        {"type": "file", **_content("oid", file), "path": name}
        for name, file in sorted(inside.items())
    ]
    return [one for one in entries if recursive or "/" not in one["path"].removeprefix(prefix)]


def blob_id(data: bytes) -> str:
    """Return the id that git gives this content."""
    return _sha1(b"blob %d\0" % len(data) + data)


def _content(key: str, file: Path | None) -> dict[str, Any]:
    data = file.read_bytes() if file else b""
    return {key: blob_id(data), "size": len(data)}


def _sha1(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()  # noqa: S324 - git's

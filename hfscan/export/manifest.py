"""The manifest of an export: `manifest.json` lists its files, so that a copy can be verified."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from hfscan._version import __version__
from hfscan.errors import ImportFileError
from hfscan.store import Store
from hfscan.store.parquet import check_path, read_size

NAME = "manifest.json"
FORMAT = 1  # version of the export's tables and columns; another is refused


@dataclass(frozen=True)
class Manifest:
    """An export's files with their rows, and the fingerprint of the taxonomy behind its sets."""

    files: dict[Path, int]
    taxonomy: str


def write_manifest(store: Store, folder: Path) -> None:
    """Write the manifest of the Parquet files in `folder`: rows and digest of each."""
    files = {}
    for file in sorted(folder.glob("*/*.parquet")):
        name = file.relative_to(folder).as_posix()
        files[name] = {"rows": read_size(store, file), "sha256": _digest(file)}
    (taxonomy,) = store.fetch_one("SELECT taxonomy FROM metadata")
    content = {"format": FORMAT, "hfscan_version": __version__, "taxonomy": taxonomy}
    content["files"] = files
    (folder / NAME).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest. Raises ImportFileError on another version, missing or other files."""
    path = folder / NAME
    check_path(folder, path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version, release = content["format"], content["hfscan_version"]
        files = content["files"] if version == FORMAT else {}
        rows = {name: int(entry["rows"]) for name, entry in files.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ImportFileError(
            f"{path} is not an export's manifest. Copy the export again."
        ) from error
    if version != FORMAT:
        raise ImportFileError(
            f"{folder} was exported by hfscan {release} in format {version}; this hfscan "
            f"{__version__} reads format {FORMAT}. Use that release."
        )
    for name in rows:
        parts = Path(name).parts
        if len(parts) != 2 or ".." in parts or not name.endswith(".parquet"):
            raise ImportFileError(f"{path} names {name!r}, which is no table's file.")
        check_path(folder, folder / name)
    listed = {folder / name: count for name, count in rows.items()}
    for extra in sorted({*folder.glob("*/*.parquet")} - listed.keys()):
        raise ImportFileError(f"{extra} is not in {NAME}: it is not of this export. Remove it.")
    return Manifest(listed, str(content.get("taxonomy")))


def check_digests(folder: Path) -> None:
    """Refuse an export whose files are not those that were written. Raises ImportFileError."""
    content = json.loads((folder / NAME).read_text(encoding="utf-8"))
    for name, facts in content["files"].items():
        if _digest(folder / name) != facts.get("sha256"):
            raise ImportFileError(
                f"{folder / name} is not the file that was exported: it was changed or damaged. "
                "Copy it again."
            )


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()

"""Paths: files beside a database, data folders that travel with hfscan, and the user's data."""

import os
import sys
from pathlib import Path

_PACKAGE = Path(__file__).parent


def data_dir(name: str) -> Path:
    """Return the folder "queries" or "reports": inside an installed package, else beside it."""
    installed = _PACKAGE / "_data" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


def backends_dir() -> Path:
    """Return the folder of the parity backends' environments, in the user's data by default."""
    if folder := os.environ.get("HFSCAN_BACKENDS"):
        return Path(folder).absolute()
    if sys.platform == "win32":
        data, default = os.environ.get("LOCALAPPDATA"), Path.home() / "AppData" / "Local"
    else:
        data, default = os.environ.get("XDG_DATA_HOME"), Path.home() / ".local" / "share"
    return Path(data or default) / "hfscan" / "backends"


def journal_dir(db: Path) -> Path:
    """Return the folder in which crawls into the database `db` store their pages."""
    return _sibling(db, ".journal")


def cursors_file(db: Path) -> Path:
    """Return the file of cursors from which later crawls into `db` can start several workers."""
    return _sibling(db, ".cursors")


def staging_dir(db: Path) -> Path:
    """Return the folder of the rows that an ingest has read and not yet inserted."""
    return _sibling(db, ".staged")


def blocks_file(db: Path) -> Path:
    """Return the file of the blocks of `db` that a checkpoint can overwrite."""
    return _sibling(db, ".blocks")


def revision_dir(db: Path) -> Path:
    """Return the folder of the revision of a dataset that an import into `db` is reading."""
    return _sibling(db, ".revision")


def lock_file(target: Path) -> Path:
    """Return the lock file of a database or a folder."""
    return target.with_name(target.name + ".lock")


def follow_link(path: Path) -> Path:
    """Return the target of a symbolic link, whether it exists or not; any other path as it is."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _sibling(db: Path, suffix: str) -> Path:
    """Return the path beside a database, or beside the target of a link to it."""
    db = follow_link(db)
    return db.with_name(db.name + suffix)

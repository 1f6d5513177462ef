"""Where a crawl keeps its pages until they are in the database, and where it stands.

A folder holds `crawl.json` (what is crawled), the pages (`000001.json.gz`, as the Hub sent them)
and `pages.jsonl`, one line per page: its address, checksum, `_id` range and the next address.
A page counts once its line is written; the latest line of an address counts. No name in it comes
from the Hub, and no token is ever in it.
"""

import contextlib
import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import filelock
import msgspec

from hfscan.errors import DatabaseError, StorageError
from hfscan.hub.page import Page
from hfscan.scope import Scope

_FORMAT = 1
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


class About(msgspec.Struct, frozen=True):
    """What a journal's crawl does; `url` is its first page, `dropped` what the Hub cannot say."""

    endpoint: str
    scope: Scope
    url: str
    ascending: bool
    started_at: datetime
    dropped: tuple[str, ...] = ()


class Entry(msgspec.Struct, frozen=True):
    """A page on disk: `rows` in all, `models` of them in the crawl's period.

    `requests` and `seconds` are what it took to get it; `at` (UTC) is when it was kept.
    """

    number: int
    url: str
    next_url: str | None
    bytes: int
    sha256: str
    rows: int
    models: int
    first: str | None
    last: str | None
    requests: int
    seconds: float
    at: datetime
    synthetic: str | None = None


class Journal:
    """The journal of one crawl, held by one process. Use as a context manager.

    Every method that writes raises StorageError; what was kept before stays valid.
    """

    def __init__(self, root: Path, endpoint: str, scope: Scope) -> None:
        """Take hold of the journal under `root`; raises DatabaseError when another crawl has it."""
        key = msgspec.json.encode([_FORMAT, endpoint, scope], order="deterministic")
        self.folder = root / hashlib.sha256(key).hexdigest()[:16]
        self._about = self.folder / "crawl.json"
        self._manifest = self.folder / "pages.jsonl"
        self._entries: dict[str, Entry] = {}
        self._number = 0
        with _storing(root):
            root.mkdir(parents=True, exist_ok=True)
            self._lock = filelock.FileLock(self.folder.with_suffix(".lock"))
            try:
                self._lock.acquire(timeout=0)
            except filelock.Timeout:
                raise DatabaseError(
                    f"Another crawl of the same scope is writing to {root}. Wait until it ends, "
                    "or name another database with --db."
                ) from None
        try:
            self.about = self._read_about()
            if self.about is not None:
                self._read_manifest()
        except BaseException:
            self.close()
            raise

    def begin(self, about: About) -> None:
        """Start anew: drop what is there."""
        with _storing(self.folder):
            self._about.unlink(missing_ok=True)  # first: without it the rest counts for nothing
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(exist_ok=True)
            self._manifest.write_bytes(b"")
            _write_whole(self._about, msgspec.json.encode(about))
        self.about, self._entries, self._number = about, {}, 0

    def path(self, entry: Entry) -> Path:
        """Return the file of a page."""
        return self.folder / f"{entry.number:06}.json.gz"

    def find(self, url: str) -> Entry | None:
        """Return the page of an address if it is here and undamaged."""
        entry = self._entries.get(url)
        if entry is None:
            return None
        try:
            body = self.path(entry).read_bytes()
        except OSError:
            return None
        whole = len(body) == entry.bytes and hashlib.sha256(body).hexdigest() == entry.sha256
        return entry if whole else None

    def keep(
        self, url: str, page: Page, *, models: int, requests: int, seconds: float, at: datetime
    ) -> Entry:
        """Write a page, then its line; both are on the disk when this returns."""
        entry = Entry(
            number=self._number + 1,
            url=url,
            next_url=page.next_url,
            bytes=len(page.packed),
            sha256=hashlib.sha256(page.packed).hexdigest(),
            rows=len(page.ids),
            models=models,
            first=page.ids[0] if page.ids else None,
            last=page.ids[-1] if page.ids else None,
            requests=requests,
            seconds=round(seconds, 3),
            at=at,
            synthetic=page.synthetic,
        )
        with _storing(self.folder):
            _write_whole(self.path(entry), page.packed)
            with self._manifest.open("ab") as file:
                file.write(msgspec.json.encode(entry) + b"\n")
                _sync(file)
        self._number = entry.number
        self._entries[url] = entry
        return entry

    def discard(self) -> None:
        """Remove the journal: its pages are safe elsewhere."""
        with _storing(self.folder):
            self._about.unlink(missing_ok=True)
            shutil.rmtree(self.folder, ignore_errors=True)
        self.close()
        with contextlib.suppress(OSError):  # another crawl may just have taken the lock
            self.folder.with_suffix(".lock").unlink(missing_ok=True)
            self.folder.parent.rmdir()

    def close(self) -> None:
        """Let go of the journal and leave it as it is."""
        self._lock.release()

    def _read_about(self) -> About | None:
        try:
            return msgspec.json.decode(self._about.read_bytes(), type=About)
        except (FileNotFoundError, msgspec.DecodeError):
            return None
        except OSError as error:
            raise StorageError(f"{self._about} cannot be read: {error.strerror}.") from error

    def _read_manifest(self) -> None:
        """Read the lines that are whole, and cut off one that a crash left torn."""
        try:
            lines = self._manifest.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            lines = []
        for line in lines:
            with contextlib.suppress(msgspec.DecodeError):
                entry = msgspec.json.decode(line, type=Entry)
                self._entries[entry.url] = entry
                self._number = max(self._number, entry.number)
        if lines and not lines[-1].endswith(b"\n"):
            with _storing(self.folder), self._manifest.open("ab") as file:
                file.write(b"\n")

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _write_whole(path: Path, data: bytes) -> None:
    """Write a file that is there whole or not at all, whatever happens meanwhile."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(data)
        _sync(file)
    part.replace(path)
    if os.name == "posix":  # elsewhere a folder cannot be opened, and needs not be
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


@contextlib.contextmanager
def _storing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            trouble = f"The disk that holds {folder} is full. Free some space"
        else:
            trouble = (
                f"{folder} cannot be written: {error.strerror or error}. Make it writable, or name "
                "a database elsewhere with --db"
            )
        raise StorageError(
            f"{trouble}, and run the same command again: the pages already kept are safe."
        ) from error

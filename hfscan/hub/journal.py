"""Where a crawl keeps its pages until they are in the database, and where it stands.

A folder holds `crawl.json` (what is crawled), the pages (`000001.json.gz`, as the Hub sent them)
and `pages.jsonl`, one line per page: its walker, address, checksum, reach and next address. A page
counts once its line is written; the latest line of an address counts. `stored.json` says since
when the pages may be in the database. No name in it comes from the Hub, and no token is ever in it.
"""

import contextlib
import hashlib
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from hfscan.errors import StorageError
from hfscan.fs import (
    acquire_lock,
    add_checksum,
    append_line,
    atomic_write,
    read_lines,
    strip_checksum,
    translate_os_errors,
)
from hfscan.hub.page import Page
from hfscan.hub.sample import Design
from hfscan.scope import Scope

_FORMAT = 4


class Stretch(msgspec.Struct, frozen=True):
    """A range of `_id`s, low <= _id < high, and the addresses that walk it.

    `up` walks it oldest first, `down` newest first. `entered`: they hold a cursor, so that their
    first `_id` must lie in the range; else they begin at the Hub's own end.
    """

    low: str
    high: str
    up: str | None = None
    down: str | None = None
    entered: bool = False


class About(msgspec.Struct, frozen=True):
    """What a journal's crawl does; `dropped` are the fields that the Hub cannot say."""

    endpoint: str
    scope: Scope
    stretches: tuple[Stretch, ...]
    started_at: datetime
    dropped: tuple[str, ...] = ()
    design: Design | None = None


class Entry(msgspec.Struct, frozen=True):
    """A page on disk: the Hub listed `rows`, from `first` to `last`, of which `models` are kept.

    `reach`: with this page its walker has seen everything up to here, in its own direction.
    `requests` and `seconds` are what it took to get it; `at` (UTC) is when it was kept. `left_out`,
    `presumed` and `unproven_end` are those of a Page.
    """

    number: int
    walker: int
    url: str
    next_url: str | None
    bytes: int
    sha256: str
    rows: int
    models: int
    first: str | None
    last: str | None
    reach: str
    requests: int
    seconds: float
    at: datetime
    synthetic: str | None = None
    left_out: dict[str, int] = {}
    presumed: bool = False
    unproven_end: str | None = None


def unfinished(root: Path) -> Iterator[tuple[About, int]]:
    """Yield what each crawl that left a journal under `root` does, and how many pages it has."""
    for file in sorted(root.glob("*/crawl.json")):
        try:
            about = msgspec.json.decode(strip_checksum(file.read_bytes()) or b"", type=About)
        except (OSError, msgspec.DecodeError):
            continue
        yield about, len([*file.parent.glob("*.json.gz")])


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
        self._entries: dict[tuple[int, str], Entry] = {}
        self._number = 0
        with translate_os_errors(root):
            root.mkdir(parents=True, exist_ok=True)
            self._lock = acquire_lock(self.folder.with_suffix(".lock"))
        try:
            self.about = self._read_about()
            if self.about is not None:
                self._read_manifest()
        except BaseException:
            self.close()
            raise

    def begin(self, about: About) -> None:
        """Start anew: drop what is there."""
        with translate_os_errors(self.folder):
            self._about.unlink(missing_ok=True)  # first: without it the rest counts for nothing
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(exist_ok=True)
            self._manifest.write_bytes(b"")
            atomic_write(self._about, add_checksum(msgspec.json.encode(about)))
        self.about, self._entries, self._number = about, {}, 0

    def path(self, entry: Entry) -> Path:
        """Return the file of a page."""
        return self.folder / f"{entry.number:06}.json.gz"

    def known(self, walker: int, url: str) -> Entry | None:
        """Return what was noted of the page of an address, be it still whole or not."""
        return self._entries.get((walker, url))

    def find(self, walker: int, url: str) -> Entry | None:
        """Return the page of an address if it is here and undamaged."""
        entry = self.known(walker, url)
        if entry is None:
            return None
        try:
            body = self.path(entry).read_bytes()
        except OSError:
            return None
        whole = len(body) == entry.bytes and hashlib.sha256(body).hexdigest() == entry.sha256
        return entry if whole else None

    def keep(
        self,
        walker: int,
        url: str,
        page: Page,
        *,
        reach: str,
        requests: int,
        seconds: float,
        at: datetime,
    ) -> Entry:
        """Write a page, then its line; a killed process takes neither away.

        Neither is forced to the disk, which would take longer than the fetching: what a power cut
        takes of the last seconds fails its checksum and is fetched again.
        """
        entry = Entry(
            number=self._number + 1,
            walker=walker,
            url=url,
            next_url=page.next_url,
            bytes=len(page.packed),
            sha256=hashlib.sha256(page.packed).hexdigest(),
            rows=len(page.ids),
            models=page.models,
            first=page.ids[0] if page.ids else None,
            last=page.ids[-1] if page.ids else None,
            reach=reach,
            requests=requests,
            seconds=round(seconds, 3),
            at=at,
            synthetic=page.synthetic,
            left_out=page.left_out,
            presumed=page.presumed,
            unproven_end=page.unproven_end,
        )
        with translate_os_errors(self.folder):
            self.path(entry).write_bytes(page.packed)
            append_line(self._manifest, msgspec.json.encode(entry), durable=False)
        self._number = entry.number
        self._entries[walker, url] = entry
        return entry

    def storing_after(self, snapshot: int) -> int:
        """Note the newest snapshot before the pages go to the database; return the one first noted.

        A later one with the marks of this crawl is this crawl, stored by a run that was killed.
        """
        noted = self.folder / "stored.json"
        with translate_os_errors(self.folder):
            if not noted.exists():
                atomic_write(noted, add_checksum(msgspec.json.encode(snapshot)))
            found = strip_checksum(noted.read_bytes())
        return snapshot if found is None else msgspec.json.decode(found, type=int)

    def discard(self) -> None:
        """Remove the journal: its pages are safe elsewhere."""
        with translate_os_errors(self.folder):
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
            found = strip_checksum(self._about.read_bytes())
            return None if found is None else msgspec.json.decode(found, type=About)
        except (FileNotFoundError, msgspec.DecodeError):
            return None
        except OSError as error:
            raise StorageError(f"{self._about} cannot be read: {error.strerror}.") from error

    def _read_manifest(self) -> None:
        """Read the lines that are undamaged."""
        with translate_os_errors(self.folder):
            found = read_lines(self._manifest)
        for line in found:
            with contextlib.suppress(msgspec.DecodeError):
                entry = msgspec.json.decode(line, type=Entry)
                self._entries[entry.walker, entry.url] = entry
                self._number = max(self._number, entry.number)

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

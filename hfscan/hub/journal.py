"""Journal of a crawl: its pages until they are in the database, and what they cover.

A folder holds `crawl.json` (the manifest), the pages (`000001.json.gz`, as the Hub sent them) and
`pages.jsonl`, one record per page: its URL, checksum, covered `_id`s and next URL. A page counts
once its record is written. `ingest.json` marks the start of the ingest. No file name comes from the
Hub, and no token is written.
"""

import contextlib
import hashlib
import shutil
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from hfscan.errors import StorageError
from hfscan.fs import (
    add_checksum,
    append_line,
    atomic_write,
    read_lines,
    strip_checksum,
    translate_os_errors,
)
from hfscan.hub.cursor import SavedCursor, read_cursor
from hfscan.hub.page import Page
from hfscan.hub.plan import CrawlManifest
from hfscan.locks import acquire_lock, remove_lock
from hfscan.scope import Scope

_FORMAT = 6


class PageRecord(msgspec.Struct, frozen=True):
    """A page on disk: the Hub listed `rows`, from `first` to `last`, `models` of them are stored.

    `range_index` is that of its range in the manifest, `ascending` the direction in which it was
    fetched. It covers low <= _id < high: everything that the Hub listed there is on it. `size` is
    that of its file in bytes. `requests` and `seconds` are what fetching it took, `stored_at` is
    in UTC. `skipped_rows`,
    `is_next_constructed` and `unproven_end` are those of a Page.
    """

    number: int
    range_index: int
    ascending: bool
    low: str
    high: str
    url: str
    next_url: str | None
    size: int
    sha256: str
    rows: int
    models: int
    first: str | None
    last: str | None
    requests: int
    seconds: float
    stored_at: datetime
    synthetic: str | None = None
    skipped_rows: dict[str, int] = {}
    is_next_constructed: bool = False
    unproven_end: str | None = None

    @property
    def is_cut(self) -> bool:
        """True if the page lists models beyond what it covers, where another worker had been.

        Its next URL then does not continue where it ends.
        """
        if self.last is None:
            return False
        return self.last >= self.high if self.ascending else self.last < self.low

    @property
    def saved_cursor(self) -> SavedCursor | None:
        """The Hub's cursor of the next page, None if the Hub sent none."""
        if not (self.next_url and self.last and self.models) or self.is_next_constructed:
            return None
        cursor = read_cursor(self.next_url)
        return SavedCursor(self.last, cursor, self.ascending) if cursor else None


def measure_request_time(records: Iterable[PageRecord]) -> float:
    """Return the seconds in which at least one page was being requested."""
    total, until = timedelta(), datetime.min.replace(tzinfo=UTC)
    times = (
        (record.stored_at - timedelta(seconds=record.seconds), record.stored_at)
        for record in records
    )
    for start, end in sorted(times):
        if end > until:
            total += end - max(start, until)
            until = end
    return total.total_seconds()


def list_unfinished_crawls(root: Path) -> Iterator[tuple[CrawlManifest, int]]:
    """Yield the manifest of each crawl with a journal under `root`, and its number of pages."""
    for file in sorted(root.glob("*/crawl.json")):
        manifest = None
        with contextlib.suppress(OSError):
            manifest = _decode_manifest(file.read_bytes())
        if manifest is not None:
            yield manifest, len([*file.parent.glob("*.json.gz")])


def _decode_manifest(line: bytes) -> CrawlManifest | None:
    try:
        return msgspec.json.decode(strip_checksum(line) or b"", type=CrawlManifest)
    except msgspec.DecodeError:
        return None


class Journal:
    """The journal of one crawl, locked by one process. Use as a context manager.

    Every method that writes raises StorageError; what was written before stays valid.
    """

    def __init__(self, root: Path, endpoint: str, scope: Scope) -> None:
        """Open the journal under `root`. Raises DatabaseError if another process has it open."""
        key = msgspec.json.encode([_FORMAT, endpoint, scope], order="deterministic")
        self.folder = root / hashlib.sha256(key).hexdigest()[:16]
        self.manifest: CrawlManifest | None = None
        self._manifest_file = self.folder / "crawl.json"
        self._record_file = self.folder / "pages.jsonl"
        self._records: list[PageRecord] = []
        with translate_os_errors(root):
            root.mkdir(parents=True, exist_ok=True)
            self._lock = acquire_lock(self.folder.with_suffix(".lock"))
        try:
            self._load()
        except BaseException:
            self.close()
            raise

    def begin(self, manifest: CrawlManifest) -> None:
        """Start a new crawl; delete the pages of the one before."""
        with translate_os_errors(self.folder):
            self._manifest_file.unlink(missing_ok=True)  # first: nothing counts without it
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(exist_ok=True)
            self._record_file.write_bytes(b"")
            atomic_write(self._manifest_file, add_checksum(msgspec.json.encode(manifest)))
        self.manifest, self._records = manifest, []

    def page_file(self, record: PageRecord) -> Path:
        return self.folder / f"{record.number:06}.json.gz"

    def list_intact_records(self) -> list[PageRecord]:
        """Return the records whose pages are undamaged, in the order in which they were written."""
        return [record for record in self._records if self._is_intact(record)]

    def _is_intact(self, record: PageRecord) -> bool:
        try:
            body = self.page_file(record).read_bytes()
        except OSError:
            return False
        return len(body) == record.size and hashlib.sha256(body).hexdigest() == record.sha256

    def write_page(self, page: Page, **fields: Any) -> PageRecord:
        """Write a page, then its record; both survive a killed process.

        `fields` of the record: `range_index` to `url`, `requests`, `seconds` and `stored_at`.
        Neither is synced, which would take longer than fetching: what a power failure takes fails
        its checksum and is fetched again.
        """
        record = PageRecord(
            number=self._records[-1].number + 1 if self._records else 1,
            next_url=page.next_url,
            size=len(page.gzipped),
            sha256=hashlib.sha256(page.gzipped).hexdigest(),
            rows=len(page.ids),
            models=page.models,
            first=page.ids[0] if page.ids else None,
            last=page.ids[-1] if page.ids else None,
            synthetic=page.synthetic,
            skipped_rows=page.skipped_rows,
            is_next_constructed=page.is_next_constructed,
            unproven_end=page.unproven_end,
            **fields,
        )
        with translate_os_errors(self.folder):
            self.page_file(record).write_bytes(page.gzipped)
            append_line(self._record_file, msgspec.json.encode(record), durable=False)
        self._records.append(record)
        return record

    def mark_ingest_started(self, snapshot: int) -> int:
        """Record the latest snapshot before the ingest; return the one recorded first.

        A later snapshot of this crawl was written by a run that was killed after its ingest.
        """
        file = self.folder / "ingest.json"
        with translate_os_errors(self.folder):
            if not file.exists():
                atomic_write(file, add_checksum(msgspec.json.encode(snapshot)))
            line = strip_checksum(file.read_bytes())
        return snapshot if line is None else msgspec.json.decode(line, type=int)

    def discard(self) -> None:
        """Delete the journal; its pages are in the database."""
        with translate_os_errors(self.folder):
            self._manifest_file.unlink(missing_ok=True)
            shutil.rmtree(self.folder, ignore_errors=True)
        remove_lock(self._lock)
        with contextlib.suppress(OSError):  # it holds journals of other crawls
            self.folder.parent.rmdir()

    def close(self) -> None:
        """Release the journal and leave its files."""
        self._lock.release()

    def _load(self) -> None:
        try:
            self.manifest = _decode_manifest(self._manifest_file.read_bytes())
        except FileNotFoundError:
            return
        except OSError as error:
            raise StorageError(
                f"{self._manifest_file} cannot be read: {error.strerror}."
            ) from error
        if self.manifest is None:
            return
        with translate_os_errors(self.folder):
            lines = read_lines(self._record_file)
        for line in lines:
            with contextlib.suppress(msgspec.DecodeError):
                self._records.append(msgspec.json.decode(line, type=PageRecord))

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

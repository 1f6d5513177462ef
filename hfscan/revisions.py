"""Import the revisions of a dump on the Hub, one at a time, each as a snapshot.

Of a Parquet file only the columns that a snapshot stores are fetched, into a sparse file of the
same size, so that the disk holds no more than these parts of one revision.
"""

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from hfscan.errors import ImportFileError
from hfscan.figures.quality import find_partial
from hfscan.fs import append_line, read_lines, translate_os_errors
from hfscan.hub.revisions import FileInfo, Revision, RevisionSource
from hfscan.paths import revision_dir
from hfscan.scope import Scope
from hfscan.store import (
    Ingested,
    NewSnapshot,
    Snapshot,
    Store,
    ingest_files,
    mark_incomplete,
)
from hfscan.store.dump import chunks
from hfscan.store.dump.columns import Kinds


@dataclass(frozen=True)
class RevisionResult:
    """What came of a revision: a snapshot, or the reason why it adds none.

    `is_readable`: the file is not there, or damaged, unless True. `columns`: name -> type of the
    stored columns. `observed_to`: date of its content (UTC). `is_partial`: it lacks models, by its
    neighbours or by rows that cannot be read. `bytes` and `requests` were spent on it.
    """

    revision: Revision
    ingested: Ingested | None = None
    skipped: str = ""
    is_readable: bool = True
    observed_to: datetime | None = None
    is_partial: bool = False
    columns: Kinds = field(default_factory=dict)
    bytes: int = 0
    requests: int = 0


@dataclass
class Plan:
    """What an import of revisions would fetch.

    `bytes` and `requests` are estimates from the footers of `footers` revisions, 0 if none could
    be read; `file_bytes`, the size of all files to fetch, is exact.
    """

    fetched: list[tuple[Revision, FileInfo]] = field(default_factory=list)
    known: int = 0  # imported before
    repeated: int = 0  # content of another revision
    missing: int = 0  # the commit has no such file
    file_bytes: int = 0
    bytes: int = 0
    requests: int = 0
    footers: int = 0


def plan_import(
    store: Store, source: RevisionSource, revisions: Iterable[Revision], snapshots: list[Snapshot]
) -> Plan:
    """Return what an import would fetch, beside the `snapshots` that there are.

    Asks the Hub for the size of each file, and reads the footers of the first, the middle and the
    last one; of each other file, the one nearest in size counts. `store` is a scratch database.
    """
    plan = Plan()
    origins = {snapshot.origin for snapshot in snapshots}
    digests = {snapshot.digest for snapshot in snapshots}
    for revision in revisions:
        if source.url(revision) in origins:
            plan.known += 1
            continue
        info = source.find_file(revision)
        if info is None:
            plan.missing += 1
        elif (digest := chunks.content_digest(info.content)) in digests:
            plan.repeated += 1
        else:
            digests.add(digest)
            plan.fetched.append((revision, info))
            plan.file_bytes += info.size
    places = sorted({0, len(plan.fetched) // 2, len(plan.fetched) - 1} if plan.fetched else ())
    samples = []
    for place in places:
        with contextlib.suppress(ImportFileError):  # an import skips it
            samples.append(_measure(store, source, *plan.fetched[place]))
    plan.footers = len(samples)
    for _, info in plan.fetched if samples else ():
        size, fetched, requests = min(samples, key=lambda sample: abs(sample[0] - info.size))
        plan.bytes += round(fetched / size * info.size)
        plan.requests += requests + 1  # for its size
    return plan


def _measure(
    store: Store, source: RevisionSource, revision: Revision, info: FileInfo
) -> tuple[int, int, int]:
    """Return the size of a file, the bytes of it that are fetched, and the requests for them."""
    with _PartFile.open(store, source, revision, info) as part:
        ranges = part.list_ranges(part.fetch_columns())
    footer = min(chunks.FOOTER_BYTES, info.size)
    fetched = footer + sum(stop - start for start, stop in ranges)
    return info.size, min(fetched, info.size), 1 + len(ranges)


def import_revisions(
    store: Store, source: RevisionSource, revisions: Iterable[Revision]
) -> Iterator[RevisionResult]:
    """Import the revisions that the database does not have; yield what came of each.

    A revision with the content of another is not fetched. One that cannot be read is skipped.
    Snapshots far smaller than their neighbours are marked as incomplete.
    """
    for revision in revisions:
        before = source.received, source.requests
        result = _import_revision(store, source, revision)
        spent = source.received - before[0], source.requests - before[1]
        yield replace(result, bytes=spent[0], requests=spent[1])


def _import_revision(store: Store, source: RevisionSource, revision: Revision) -> RevisionResult:
    origin = source.url(revision)
    if _find_snapshot(store, "origin", origin):
        return RevisionResult(revision, skipped="imported before")
    info = source.find_file(revision)
    if info is None:
        return RevisionResult(revision, skipped="the file is not there", is_readable=False)
    digest = chunks.content_digest(info.content)
    if same := _find_snapshot(store, "digest", digest):
        return RevisionResult(revision, skipped=f"same content as snapshot {same}")
    with _PartFile.open(store, source, revision, info) as part:
        try:
            return _ingest(store, source, revision, part, digest)
        except ImportFileError as error:
            return RevisionResult(revision, skipped=str(error), is_readable=False)


def _find_snapshot(store: Store, column: str, value: str) -> int | None:
    """Return the id of the oldest snapshot with this value in a column."""
    (found,) = store.fetch_one(
        f"SELECT min_by(id, (observed_to, id)) FROM snapshots WHERE {column} = ?", [value]
    )
    return None if found is None else int(found)


def _ingest(
    store: Store, source: RevisionSource, revision: Revision, part: "_PartFile", digest: str
) -> RevisionResult:
    columns = part.fetch()
    with chunks.reading_parquet():
        newest = chunks.find_newest(store, part.path, columns, revision.latest)
    observed_to = newest or revision.latest
    origin = source.url(revision)

    def check(snapshot: int) -> None:
        if not store.fetch_one("SELECT models FROM snapshots WHERE id = ?", [snapshot])[0]:
            raise ImportFileError("It has no models that can be read.")
        partial = [flag.snapshot for flag in find_partial(store)]
        mark_incomplete(store, partial, origin.partition("@")[0] + "@")

    new = NewSnapshot("import", origin, Scope(), observed_to, observed_to, complete=True)
    ingested = ingest_files(store, [part.path], new, check, columns=list(columns), digest=digest)
    (is_complete,) = store.fetch_one(
        "SELECT complete FROM snapshots WHERE id = ?", [ingested.snapshot]
    )
    return RevisionResult(
        revision,
        ingested,
        observed_to=observed_to,
        is_partial=is_complete is not True,
        columns=columns,
    )


class _PartFile:
    """The parts of a revision's file that have been fetched, at their places in a sparse file.

    A log beside it has the ranges, so that an interrupted run goes on where it stood.
    """

    def __init__(
        self, store: Store, source: RevisionSource, revision: Revision, info: FileInfo, path: Path
    ) -> None:
        self._store, self._source, self._revision, self._info = store, source, revision, info
        self.path, self._log = path, path.with_suffix(".ranges")
        self._fetched: set[chunks.Range] = set()

    @classmethod
    @contextlib.contextmanager
    def open(
        cls, store: Store, source: RevisionSource, revision: Revision, info: FileInfo
    ) -> Iterator["_PartFile"]:
        """Yield the file; it is deleted unless an interruption leaves it for the next run."""
        folder = revision_dir(store.path)
        path = folder / f"{chunks.content_digest(info.content)}.parquet"
        with translate_os_errors(folder):
            if not path.exists():  # parts of another revision are of no use
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                path.touch()
            part = cls(store, source, revision, info, path)
            part._resume()
        yield part
        shutil.rmtree(folder, ignore_errors=True)

    def _resume(self) -> None:
        if self._log.exists():
            for line in read_lines(self._log):
                start, stop = map(int, line.split())
                self._fetched.add((start, stop))
        with self.path.open("r+b") as file:
            file.truncate(self._info.size)

    def fetch(self) -> Kinds:
        """Fetch the columns that a snapshot stores; return name -> type."""
        columns = self.fetch_columns()
        for part in self.list_ranges(columns):
            self._fetch_range(*part)
        return columns

    def list_ranges(self, columns: Kinds) -> list[chunks.Range]:
        """Return the ranges that hold the columns, each small enough for one request."""
        with chunks.reading_parquet():
            merged = chunks.list_chunks(self._store, self.path, columns)
        return [part for chunk in merged for part in chunks.split_range(*chunk)]

    def fetch_columns(self) -> Kinds:
        """Fetch the footer; return name -> type of the columns that a snapshot stores."""
        size = self._info.size
        start = max(0, size - chunks.FOOTER_BYTES)
        tail = self._fetch_range(start, size) if size else b""
        footer = chunks.footer_start(tail, size)
        if footer < start:
            self._fetch_range(footer, start)
        with self.path.open("r+b") as file:
            file.write(b"PAR1")
        with chunks.reading_parquet():
            return chunks.stored_columns(self._store, self.path)

    def _fetch_range(self, start: int, stop: int) -> bytes:
        """Return the bytes of a range, from the file if they are there."""
        with translate_os_errors(self.path.parent), self.path.open("r+b") as file:
            file.seek(start)
            if (start, stop) in self._fetched:
                return file.read(stop - start)
            data = self._source.read_range(self._revision, start, stop)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            append_line(self._log, b"%d %d" % (start, stop), durable=False)
        self._fetched.add((start, stop))
        return data

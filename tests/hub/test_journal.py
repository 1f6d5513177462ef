"""Journal content survives crashes, and damaged content is never used."""

import gzip
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hfscan.errors import DatabaseError, StorageError
from hfscan.hub.journal import Journal, PageRecord
from hfscan.hub.page import Page
from hfscan.hub.plan import CrawlManifest, IdRange
from hfscan.scope import Scope

HUB = "http://hub"
NOW = datetime(2026, 11, 1, 12, 30, 5, 250_000, tzinfo=UTC)


def open_journal(root: Path, scope: Scope | None = None) -> Journal:
    return Journal(root, HUB, scope or Scope())


def begin_journal(root: Path) -> Journal:
    journal = open_journal(root)
    journal.begin(CrawlManifest(HUB, Scope(), (IdRange("", "g", "page1"),), NOW))
    return journal


def write_page(journal: Journal, number: int) -> PageRecord:
    page = Page(gzip.compress(b"[]" * number), [], f"page{number + 1}", None, 0)
    return journal.write_page(
        page,
        range_index=0,
        ascending=True,
        low="",
        high="",
        url=f"page{number}",
        requests=1,
        seconds=0.5,
        stored_at=NOW,
    )


def find_page(journal: Journal, number: int) -> PageRecord | None:
    records = {record.url: record for record in journal.list_intact_records()}
    return records.get(f"page{number}")


def test_discard_leaves_lock_of_next_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next process may take the lock as soon as it is released."""
    journal, next_journals = begin_journal(tmp_path), list[Journal]()
    release = journal._lock.release

    def release_to_next() -> None:
        release()
        next_journals.append(open_journal(tmp_path))

    monkeypatch.setattr(journal._lock, "release", release_to_next)
    journal.discard()
    with next_journals[0], pytest.raises(DatabaseError, match="Another crawl of the same scope"):
        open_journal(tmp_path)


def test_written_pages_are_found_by_the_next_process(tmp_path: Path) -> None:
    with begin_journal(tmp_path) as journal:
        records = [write_page(journal, n) for n in (1, 2, 3)]
    with open_journal(tmp_path) as journal:
        assert journal.manifest is not None
        assert journal.manifest.started_at == NOW
        assert [find_page(journal, n) for n in (1, 2, 3)] == records
        assert find_page(journal, 4) is None
        assert gzip.decompress(journal.page_file(records[2]).read_bytes()) == b"[][][]"


@pytest.mark.parametrize("missing_bytes", [1, 30, 200])
def test_incomplete_last_line_is_ignored(tmp_path: Path, missing_bytes: int) -> None:
    with begin_journal(tmp_path) as journal:
        first, _ = write_page(journal, 1), write_page(journal, 2)
        records = journal.folder / "pages.jsonl"
        records.write_bytes(records.read_bytes()[:-missing_bytes])
    with open_journal(tmp_path) as journal:
        assert find_page(journal, 1) == first
        assert (find_page(journal, 2) is None) is (missing_bytes > 1)
        third = write_page(journal, 3)
    with open_journal(tmp_path) as journal:
        assert find_page(journal, 1) == first
        assert find_page(journal, 3) == third


def test_damaged_or_missing_page_can_be_rewritten(tmp_path: Path) -> None:
    with begin_journal(tmp_path) as journal:
        first, second, third = (journal.page_file(write_page(journal, n)) for n in (1, 2, 3))
        first.write_bytes(first.read_bytes()[:-1])
        second.write_bytes(bytes([second.read_bytes()[0] ^ 1]) + second.read_bytes()[1:])
        third.unlink()
    with open_journal(tmp_path) as journal:
        assert [find_page(journal, n) for n in (1, 2, 3)] == [None] * 3
        rewritten = write_page(journal, 2)
    with open_journal(tmp_path) as journal:
        assert find_page(journal, 2) == rewritten


def test_damaged_line_leaves_other_records_intact(tmp_path: Path) -> None:
    with begin_journal(tmp_path) as journal:
        first, _, third = (write_page(journal, n) for n in (1, 2, 3))
        records = journal.folder / "pages.jsonl"
        records.write_bytes(records.read_bytes().replace(b'"number":2', b'"number":9'))
    with open_journal(tmp_path) as journal:
        assert [find_page(journal, n) for n in (1, 2, 3)] == [first, None, third]
        manifest = journal.folder / "crawl.json"
        manifest.write_bytes(manifest.read_bytes().replace(b"page1", b"page7"))
    with open_journal(tmp_path) as journal:
        assert journal.manifest is None


def test_journal_without_manifest_is_ignored(tmp_path: Path) -> None:
    with begin_journal(tmp_path) as journal:
        write_page(journal, 1)
        (journal.folder / "crawl.json").write_bytes(b'{"endpoint":"http://h')
    with open_journal(tmp_path) as journal:
        assert journal.manifest is None
        assert find_page(journal, 1) is None


def test_begin_drops_earlier_pages(tmp_path: Path) -> None:
    with begin_journal(tmp_path) as journal:
        write_page(journal, 1)
    with begin_journal(tmp_path) as journal:
        assert find_page(journal, 1) is None


def test_scopes_do_not_share_a_journal(tmp_path: Path) -> None:
    scopes = [Scope(), Scope(files=False), Scope(author="a"), Scope(task="a"), Scope(since=NOW)]
    folders = set()
    for scope in scopes:
        with open_journal(tmp_path, scope) as journal:
            folders.add(journal.folder)
    assert len(folders) == len(scopes)


def test_scope_text_never_becomes_a_path(tmp_path: Path) -> None:
    with open_journal(tmp_path / "root", Scope(author="../../x", task="/etc")) as journal:
        assert journal.folder.parent == tmp_path / "root"
        assert journal.folder.name.isalnum()


def test_two_crawls_cannot_share_a_journal(tmp_path: Path) -> None:
    with begin_journal(tmp_path):
        with pytest.raises(DatabaseError, match="Another crawl"):
            open_journal(tmp_path)
        code = (
            "import sys; from pathlib import Path; from hfscan.hub.journal import Journal;"
            "from hfscan.scope import Scope; Journal(Path(sys.argv[1]), sys.argv[2], Scope())"
        )
        process = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path), HUB],
            check=False,
            capture_output=True,
            text=True,
        )
        assert "Another crawl" in process.stderr
    open_journal(tmp_path).close()


def test_discard_leaves_no_files(tmp_path: Path) -> None:
    with begin_journal(tmp_path / "root") as journal:
        write_page(journal, 1)
        journal.discard()
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="--db"):
        open_journal(tmp_path / "file" / "journal")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_is_reported_and_keeps_pages(tmp_path: Path) -> None:
    with begin_journal(tmp_path) as journal:
        first = write_page(journal, 1)
        part = journal.folder / "000002.json.gz"
        part.symlink_to("/dev/full")
        with pytest.raises(StorageError, match="is full"):
            write_page(journal, 2)
        part.unlink()
    with open_journal(tmp_path) as journal:
        assert find_page(journal, 1) == first
        assert write_page(journal, 2).number == 2

"""A kill in the middle of a checkpoint's write loses nothing."""

import shutil
import struct
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import duckdb
import filelock
import pytest
from dumps import DAY, ingest_models

from hfscan.errors import DatabaseError
from hfscan.paths import blocks_file, lock_file
from hfscan.store import Store

FIRST_BLOCK, BLOCK_SIZE = 12_288, 262_144
COUNT = "SELECT count(*) FROM census"


@pytest.fixture
def interrupted(tmp_path):
    """The files of a process that was killed in its second ingest, and those after that ingest."""
    before, after = tmp_path / "before.duckdb", tmp_path / "after.duckdb"
    ingest_models(after, [{"id": "a/one", "_id": "63" + "0" * 22}])

    def copy_files(_snapshot):
        shutil.copy(after, before)
        shutil.copy(blocks_file(after), blocks_file(before))

    models = [{"id": f"a/{n}", "_id": f"63{n:022x}"} for n in range(10)]
    ingest_models(after, models, day=DAY + timedelta(1), before_commit=copy_files)
    return before, after


def tear(before, after, length):
    """Let the first bytes of the first block be those after the checkpoint."""
    data = bytearray(before.read_bytes())
    new = after.read_bytes()[FIRST_BLOCK : FIRST_BLOCK + BLOCK_SIZE]
    assert data[FIRST_BLOCK : FIRST_BLOCK + BLOCK_SIZE] != new
    data[FIRST_BLOCK : FIRST_BLOCK + length] = new[:length]
    before.write_bytes(data)


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize("length", [4096, 131_072])
def test_torn_block_is_restored(interrupted, length, write):
    before, after = interrupted
    tear(before, after, length)
    with pytest.raises(duckdb.Error, match="Corrupt database file"):
        duckdb.connect(before, read_only=True)
    with Store.open(before, write=write) as store:
        assert store.fetch_one(COUNT) == (1,)
    with duckdb.connect(before, read_only=True) as connection:
        assert connection.execute(COUNT).fetchone() == (1,)


def test_copy_from_before_a_checkpoint_is_not_used(interrupted):
    before, after = interrupted
    shutil.copy(blocks_file(before), blocks_file(after))
    with Store.open(after) as store:
        assert store.fetch_one(COUNT) == (10,)


@pytest.mark.parametrize("length", [0, 3, 5_000, 20_000])
def test_truncated_copy_is_not_used(interrupted, length):
    before, after = interrupted
    copy = blocks_file(before)
    copy.write_bytes(copy.read_bytes()[:length])
    shutil.copy(copy, blocks_file(after))
    for database, models in ((before, 1), (after, 10)):
        with Store.open(database) as store:
            assert store.fetch_one(COUNT) == (models,)


def test_intact_block_is_not_replaced(interrupted):
    before, _ = interrupted
    data = bytearray(blocks_file(before).read_bytes()[4:])
    data[-100_000:] = bytes(100_000)  # as of another database with the same headers
    blocks_file(before).write_bytes(struct.pack("<L", zlib.crc32(data)) + data)
    intact = before.read_bytes()
    with Store.open(before) as store:
        assert store.fetch_one(COUNT) == (1,)
    assert before.read_bytes() == intact


def test_reader_waits_for_the_process_that_restores(interrupted):
    before, after = interrupted
    tear(before, after, 4096)
    lock = filelock.FileLock(lock_file(before), thread_local=False)
    lock.acquire()
    with ThreadPoolExecutor() as pool:
        threading.Timer(0.5, lock.release).start()
        count = pool.submit(read_count, before)
        assert count.result() == (1,)


def read_count(path):
    with Store.open(path) as store:
        return store.fetch_one(COUNT)


def test_reader_that_may_not_write_names_the_copy(interrupted):
    before, after = interrupted
    tear(before, after, 4096)
    lock_file(before).mkdir()  # no lock can be had, as in a read-only folder
    with pytest.raises(DatabaseError, match=r"copy before\.duckdb and before\.duckdb\.blocks"):
        read_count(before)


def test_block_that_is_read_later_is_restored(tmp_path):
    path, killed = tmp_path / "h.duckdb", tmp_path / "killed.duckdb"
    with Store.open(path, write=True) as store:
        for number in range(400):
            columns = ", ".join(f"{number} AS column_{column}" for column in range(20))
            store.execute(f"CREATE TABLE further_{number} AS SELECT {columns}")
    with Store.open(path, write=True) as store:
        blocks = store.execute(
            "SELECT block_id FROM pragma_metadata_info() WHERE free_blocks > 0"
        ).fetchall()
        with store.transaction():
            shutil.copy(path, killed)
            shutil.copy(blocks_file(path), blocks_file(killed))
    intact = killed.read_bytes()
    places = [FIRST_BLOCK + block * BLOCK_SIZE for (block,) in blocks]
    assert len(places) > 1
    for place in places:
        data = bytearray(intact)
        data[place + 8 : place + 100_000] = bytes(99_992)
        killed.write_bytes(data)
        with Store.open(killed) as store:
            assert store.fetch_one("SELECT column_3 FROM further_399") == (399,)
        assert killed.read_bytes() == intact


def test_no_copy_is_left(interrupted):
    _, after = interrupted
    assert not blocks_file(after).exists()

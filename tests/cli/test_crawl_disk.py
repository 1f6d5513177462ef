"""`hfscan crawl` on a full or read-only disk: an error message, and no fetched page is lost."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from testhub import FakeHub, Population

MIB = 1 << 20
ONE_WORKER = ("--workers", "1")  # no second worker on a slow machine


class Disk:
    """A separate file system in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def mount(self, options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.folder)]
        process = subprocess.run(command, check=False, capture_output=True, text=True)
        if process.returncode:
            pytest.skip(f"no file system can be mounted here: {process.stderr.strip()}")

    def fill_until(self, free: int) -> None:
        """Fill the file system until `free` bytes are left."""
        self.clear()
        stats = os.statvfs(self.folder)
        with (self.folder / "ballast").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, stats.f_bavail * stats.f_frsize - free)

    def clear(self) -> None:
        (self.folder / "ballast").unlink(missing_ok=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    if not hasattr(os, "geteuid") or os.geteuid():
        pytest.skip("only root can mount a file system")
    folder = tmp_path / "disk"
    folder.mkdir()
    disk = Disk(folder)
    disk.mount("size=64m")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(scope="module")
def server() -> Iterator[FakeHub]:
    """A server shared by all tests: it renders each page once."""
    with FakeHub(Population.synthetic(20_000, seed=1), quota=None) as server:
        yield server


@pytest.fixture
def hub(server: FakeHub) -> FakeHub:
    server.requests.clear()
    return server


@pytest.fixture
def crawl(disk: Disk, hub: FakeHub, create_crawl: Callable) -> Any:
    crawl = create_crawl(disk.folder)
    crawl.endpoint, crawl.hub = hub.url, hub
    return crawl


def assert_disk_error(code: int, out: str, err: str) -> None:
    assert (code, out) == (9, ""), err
    assert err.startswith("Error: ")
    assert "full" in err or "File too large" in err
    assert "ree some space" in err
    assert "Traceback" not in err


def test_full_before_the_first_page(disk, crawl) -> None:
    disk.fill_until(0)
    assert_disk_error(*crawl(*ONE_WORKER))
    assert not crawl.hub.requests
    disk.clear()
    assert crawl(*ONE_WORKER)[0] == 0


def test_full_during_the_fetch(disk, crawl) -> None:
    assert crawl("--limit", "1")[0] == 0
    crawl.hub.requests.clear()
    disk.fill_until(MIB // 2)
    for _ in range(2):
        assert_disk_error(*crawl(*ONE_WORKER))
    first_targets = {request.target for request in crawl.hub.requests}
    assert 1 < len(first_targets) < 20
    disk.clear()
    code, out, _ = crawl(*ONE_WORKER)
    assert code == 0
    assert out.startswith("Snapshot 2: 20,000 models")
    assert len(crawl.hub.requests) <= 20 + 1 + 2  # the page being fetched each time, and no other


def test_full_when_the_pages_go_to_the_database(disk, crawl) -> None:
    assert crawl("--limit", "1")[0] == 0
    page_bytes = sum(len(crawl.hub.answer("GET", target, {"accept-encoding": "gzip"}, "").body)
        for target in list_targets(crawl.hub))  # fmt: skip
    crawl.hub.requests.clear()
    disk.fill_until(page_bytes + MIB // 2)
    assert_disk_error(*crawl(*ONE_WORKER))
    assert len(crawl.hub.requests) == 20 + 1  # an empty page proves the end
    assert crawl.query("SELECT id, models FROM snapshots") == [(1, 1)]
    disk.clear()
    assert crawl(*ONE_WORKER)[0] == 0
    assert len(crawl.hub.requests) == 20 + 1
    assert crawl.query("SELECT count(*) FROM models_in(2)") == [(20_000,)]


def list_targets(hub: FakeHub) -> list[str]:
    """Return the targets of the requests of a full crawl."""
    from hfscan.hub.plan import list_url
    from hfscan.scope import Scope

    targets, url = [], list_url(Scope(), hub.url, ascending=True)
    while url:
        targets.append(url.removeprefix(hub.url))
        link = hub.answer("GET", targets[-1], {}, "").headers.get("link", "")
        url = link.partition(">")[0].removeprefix("<")
    return targets


def test_read_only_folder(disk, crawl) -> None:
    assert crawl("--limit", "5")[0] == 0
    crawl.hub.requests.clear()
    disk.mount("remount,ro")
    code, out, err = crawl(*ONE_WORKER)
    assert (code, out) == (9, "")
    assert "cannot be" in err
    assert "--db" in err
    assert not crawl.hub.requests
    code, out, err = crawl("--db", "other.duckdb")
    assert (code, out) == (9, "")
    assert "--db" in err
    # the database can still be read
    assert crawl.query("SELECT count(*) FROM models_in(1)") == [(5,)]
    disk.mount("remount,rw")
    assert crawl(*ONE_WORKER)[0] == 0


@pytest.mark.parametrize("limit", [8 << 10, 64 << 10, MIB // 2, 3 * MIB])
def test_file_size_limit(tmp_path, hub, create_crawl, limit) -> None:
    resource = pytest.importorskip("resource")
    crawl = create_crawl(tmp_path)
    crawl.endpoint = hub.url
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limits[1]))
    try:
        assert_disk_error(*crawl(*ONE_WORKER))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    code, out, _ = crawl(*ONE_WORKER)
    assert code == 0
    assert out.startswith("Snapshot 1: 20,000 models")
    assert len(hub.requests) <= 20 + 1

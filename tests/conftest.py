"""Fixtures and the environment of all tests."""

import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pytest
from backend_forks import create_environments
from dumps import ingest
from filelock import FileLock
from new_database import read_new_database, write_new_database

from hfscan import cli
from hfscan.scope import Scope
from hfscan.store import Store, import_dates, schema

_ROOT = Path(__file__).parents[1]
_SHARED = _ROOT.parent / "shared" / "data"
_PARITY = Path(__file__).parent / "parity"
_SLOWEST_FILES = [
    f"test_{name}.py"
    for name in (
        "pages recount appearance page_content environments workflows history "
        "snapshot_remote packaging queries recount_lineage recount_turnover recorded_crawl "
        "classify published show frameworks export replay snapshot revision_histories "
        "revisions mcp sampling typed_columns import locks formats torture"
    ).split()
]

# a shell ignores SIGINT in what it starts in the background; tests send it to hfscan
signal.signal(signal.SIGINT, signal.default_int_handler)
# hfscan of this checkout, without settings of the user, in this process and those that tests start
for _name in [*os.environ]:
    if _name.startswith(("HF_", "HFSCAN_")) and not _name.startswith("HFSCAN_TEST_"):
        del os.environ[_name]
# the environments of backends under test, not those of the user
_backends = _ROOT / os.environ.get("HFSCAN_TEST_BACKENDS", "no-backends")
if sys.platform == "linux" and "PYTEST_XDIST_WORKER" not in os.environ:  # workers use the same
    _forks = tempfile.TemporaryDirectory(prefix="hfscan-forks-", ignore_cleanup_errors=True)
    create_environments(_backends, Path(_forks.name))
    os.environ["HFSCAN_TEST_BACKENDS"] = _forks.name
    _backends = Path(_forks.name)
os.environ["HFSCAN_BACKENDS"] = str(_backends)
# chunk storage (Xet) is a service beside the Hub: files go through LFS instead
os.environ |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
os.environ["PYTHONPATH"] = os.pathsep.join((str(_ROOT), str(_ROOT / "tests" / "support")))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the slowest files first, so that all workers finish at about the same time."""
    order = {name: position for position, name in enumerate(_SLOWEST_FILES)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))
    for item in items:
        if item.path.is_relative_to(_PARITY):
            item.add_marker(pytest.mark.parity)
        if "recorded_db" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)  # reads all recorded models


@pytest.fixture(scope="module", autouse=True)
def copy_new_databases() -> Iterator[None]:
    """Copy a new database instead of creating another."""
    read_new_database()  # with what creates one
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "_create", write_new_database)
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of recorded Hub metadata, beside the checkout."""
    if not _SHARED.is_dir():
        pytest.skip(f"no recorded Hub metadata at {_SHARED}")
    return _SHARED


@pytest.fixture(scope="session")
def recorded_dumps(shared_data: Path) -> dict[int, tuple[Path, datetime]]:
    """File and day of each snapshot of `recorded_db`."""
    return {
        1: (shared_data / "hub-2022-02.jsonl.gz", datetime(2022, 2, 15, tzinfo=UTC)),
        2: (shared_data / "hub-2024-07.parquet", datetime(2024, 7, 11, tzinfo=UTC)),
        3: (shared_data / "hub-2024-07-detail.jsonl.gz", datetime(2024, 7, 10, tzinfo=UTC)),
    }


@pytest.fixture(scope="session")
def make_folder(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Callable[[str, Callable[[Path], None]], Path]:
    """Return a function that fills a folder once for all workers of xdist: name, who fills it."""
    base = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):
        base = base.parent

    def make(name: str, fill: Callable[[Path], None]) -> Path:
        folder, unfinished = base / name, base / f"{name}.part"
        with FileLock(base / f"{name}.lock"):
            if not folder.exists():
                shutil.rmtree(unfinished, ignore_errors=True)
                unfinished.mkdir()
                fill(unfinished)
                unfinished.rename(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def recorded_db(
    recorded_dumps: dict[int, tuple[Path, datetime]],
    shared_data: Path,
    make_folder: Callable[[str, Callable[[Path], None]], Path],
) -> Path:
    """A read-only database of the recorded dumps.

    `recorded.json` beside it has the result of each ingest.
    """

    def fill(folder: Path) -> None:
        results = []
        with Store.open(folder / "recorded.duckdb", write=True) as store:
            for file, day in recorded_dumps.values():
                # the third has a part of the models: ids that start with some letters
                scope = Scope(limit=8_650) if "detail" in file.name else Scope()
                result = ingest(store, file, day=day, origin=file.name, scope=scope)
                results.append(asdict(result))
            import_dates(store, shared_data / "hub-2022-10-created.parquet")
        (folder / "recorded.json").write_text(json.dumps(results, default=str))

    return make_folder("recorded", fill) / "recorded.duckdb"


@pytest.fixture
def run_cli(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs hfscan in an empty folder: exit code, stdout and stderr.

    It runs in this process: for environment variables, signals and streams use `run_hfscan`.
    """
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["hfscan", *map(str, arguments)])
        code = cli.run()
        output = capsys.readouterr()
        assert "Traceback" not in output.err
        return code, output.out, output.err

    return run


@pytest.fixture
def skip_reports(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Make `hfscan snapshot` skip all reports but one in the export from the call on.

    They take most of its time.
    """

    def skip() -> None:
        monkeypatch.setattr("hfscan.sync.local._report", lambda run: None)
        monkeypatch.setattr("hfscan.export.folder.FIRST_DATED_YEAR", 9999)

    return skip

"""Read a published export: a dataset on the Hub becomes a database in the cache."""

import contextlib
import os
import re
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import duckdb
from huggingface_hub import cached_assets_path, constants

from hfscan.choices import TABLES
from hfscan.errors import HubUnreachableError, ImportFileError, InvalidRequestError
from hfscan.export import manifest
from hfscan.export.load import load
from hfscan.frameworks import fingerprint
from hfscan.fs import translate_os_errors
from hfscan.hub.datasets import HubDataset, find_endpoint_token
from hfscan.hub.endpoint import sanitize_hub_text
from hfscan.locks import hold_lock
from hfscan.store import Store
from hfscan.store.schema import SCHEMA_VERSION

_URL = re.compile(
    r"hf://datasets/(?:(?P<owner>[\w.-]+)/)?(?P<name>[\w.-]+)(?:@(?P<revision>[^/@]+))?/?"
)
_PATTERNS: Sequence[str] = (manifest.NAME, *(f"{table}/*.parquet" for table in TABLES[:-1]))
_ADVICE = "name another folder in HF_HOME"
_UNUSED_SECONDS = 3 * 86_400.0  # after which a database is deleted


def fetch_published(url: str) -> Path:
    """Return a database with the snapshot that `hfscan publish` or `hfscan snapshot` published.

    `url`: hf://datasets/OWNER/NAME[@REVISION]; without OWNER that of HFSCAN_OWNER. Each commit is
    downloaded and imported once into the assets cache of huggingface_hub; offline, the last one is
    used. Databases that nobody used for three days are deleted. Raises InvalidRequestError on
    another URL, ImportFileError where the dataset is no export, and what HubDataset raises.
    """
    match = _URL.fullmatch(url)
    owner = match and (match["owner"] or os.environ.get("HFSCAN_OWNER"))
    if not match or not owner:
        raise InvalidRequestError(
            f"{url} is not of the form hf://datasets/OWNER/NAME. HFSCAN_OWNER sets the owner of "
            "hf://datasets/NAME."
        )
    repo, revision = f"{owner}/{match['name']}", match["revision"]
    with translate_os_errors(Path(constants.HF_HOME), _ADVICE):
        cache = cached_assets_path("hfscan", namespace=repo, subfolder=revision or "main")
    release = f"{SCHEMA_VERSION}-{fingerprint()}"  # another release imports and classifies it anew
    if constants.HF_HUB_OFFLINE:
        databases = sorted(cache.glob(f"*-{release}.duckdb"), key=lambda db: db.stat().st_mtime)
        if not databases:
            raise HubUnreachableError(f"HF_HUB_OFFLINE is set, and {url} is not in the cache.")
        with contextlib.suppress(OSError):  # read-only
            os.utime(databases[-1])
        return databases[-1]
    dataset = HubDataset(repo, endpoint=constants.ENDPOINT, token=find_endpoint_token())
    if (commit := dataset.head(revision)) is None:
        raise ImportFileError(f"There is no dataset {repo}, or the token cannot read it.")
    db = cache / f"{commit}-{release}.duckdb"
    with hold_lock(db, _ADVICE):
        if not db.exists():
            _import_commit(dataset, commit, url, db)
        os.utime(db)  # used now
    for other in filter(_is_unused, cache.glob("*.duckdb")):
        with hold_lock(other, _ADVICE), contextlib.suppress(OSError):  # in use
            if _is_unused(other):
                other.unlink()
    return db


def find_published_time(dataset: HubDataset, commit: str) -> datetime | None:
    """Return when the snapshot at a commit of a dataset was observed (UTC); None without one.

    Raises ImportFileError where it cannot be read, and what HubDataset raises.
    """
    with tempfile.TemporaryDirectory() as scratch:
        dataset.download(commit, ["snapshots/*.parquet"], Path(scratch))
        files = [str(path) for path in Path(scratch).glob("snapshots/*.parquet")]
        if not files:
            return None
        sql = "SELECT max(observed_to)::TIMESTAMP FROM read_parquet(?)"
        try:
            with duckdb.connect() as connection:
                row: tuple[datetime | None] | None = connection.execute(sql, [files]).fetchone()
        except duckdb.Error as error:
            reason = str(error).replace(f"{scratch}{os.sep}", "").splitlines()[0]
            raise ImportFileError(
                f"{dataset.url} holds snapshots/*.parquet of which the time cannot be read "
                f"(DuckDB: {sanitize_hub_text(reason)}), so it may hold a newer snapshot. "
                "--allow-older replaces it without this check."
            ) from error
    return row[0] if row else None


def _is_unused(db: Path) -> bool:
    with contextlib.suppress(OSError):  # deleted meanwhile
        return time.time() - db.stat().st_mtime > _UNUSED_SECONDS
    return False


def _import_commit(dataset: HubDataset, commit: str, url: str, db: Path) -> None:
    """Download the export at a commit, and import it into a new database."""
    with translate_os_errors(db.parent, _ADVICE), tempfile.TemporaryDirectory(dir=db.parent) as new:
        folder, unfinished = Path(new) / "export", Path(new) / db.name
        dataset.download(commit, _PATTERNS, folder)
        if not (folder / manifest.NAME).is_file():
            raise ImportFileError(
                f"{url} holds no snapshot. Name a dataset that `hfscan publish` or "
                "`hfscan snapshot` has written."
            )
        with Store.open(unfinished, write=True) as store:
            load(store, folder)
        unfinished.replace(db)

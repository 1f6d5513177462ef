"""The masks of a saved history, so that an import need not classify all versions again.

`masks/` has one file, with a row for each combination of masks of a snapshot's models. It is
derived from the versions, and written anew after a full crawl and where the taxonomy changed: an
import classifies the versions that began later. Its name gives the last full snapshot, the
fingerprint of the taxonomy, and a digest of its content. The SQL is in sql/history_files.sql.
"""

from pathlib import Path

from hfscan._logging import LOGGER
from hfscan.errors import ImportFileError
from hfscan.frameworks import MASKS, fingerprint, masks_sql, reclassify
from hfscan.sql import file_literal, literal
from hfscan.store import dump, parquet
from hfscan.store.database import Store
from hfscan.store.schema import load_statements

_CHECKED_VERSIONS = 1_000
"""Versions drawn to be classified again. If 1 % are wrong, 99.99 % of draws see it."""


def export_masks(store: Store, folder: Path) -> None:
    """Write the file of masks, unless there is one of this taxonomy and the last full snapshot."""
    snapshot, taxonomy = store.fetch_one(
        "SELECT coalesce((SELECT max(id) FROM snapshots WHERE kind <> 'update'), 0), taxonomy "
        "FROM metadata"
    )
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.glob(f"{snapshot:06}-{taxonomy}-*.parquet")):
        return
    for stale in folder.iterdir():
        stale.unlink()
    part = folder / "masks.part"
    sql = load_statements("history_files")["masks"]
    # version 2 stores the numbers of models as differences: a third of the size
    options = "FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION V2"
    store.execute(f"COPY ({sql}) TO {literal(part)} ({options})")
    part.replace(folder / f"{snapshot:06}-{taxonomy}-{dump.digest([part])[:16]}.parquet")


def find_masks(store: Store, folder: Path) -> Path | None:
    """Return the file of this release's taxonomy; None without one.

    A damaged one is deleted, with a warning: it can be written again.
    """
    for file in folder.glob(f"*-{fingerprint()}-*.parquet"):
        try:
            _check_file(store, folder, file)
        except ImportFileError as error:
            _discard(file, str(error))
        else:
            return file
    return None


def masks_relation(file: Path | None) -> str:
    """Return SQL for the rows of the file, with the number `combination`; for none without one."""
    if file is None:
        sql = load_statements("history_files")["masks"]
        return f"(SELECT *, 0::BIGINT AS combination FROM ({sql}) WHERE false)"
    return f"(SELECT *, file_row_number AS combination FROM read_parquet({file_literal(file)}))"


def classify_versions(store: Store, file: Path | None) -> None:
    """Classify the inserted versions that have no masks in the file, and check some of the others.

    All of them where there is no file, or where it contradicts the tags and files of a version.
    """
    if file is not None:
        if not (wrong := _classify_some(store)):
            return
        _discard(file, f"{file} contradicts the tags and files of {wrong:,} versions.")
    reclassify(store.connection)


def _classify_some(store: Store) -> int:
    """Classify the versions without masks, unless others prove wrong; return how many do."""
    sql = load_statements("history_files")["choose_versions"]
    store.execute(sql.format(checked=_CHECKED_VERSIONS))
    store.execute(f"CREATE TEMP TABLE computed AS {masks_sql('chosen')}")
    differs = " OR ".join(f"chosen.{mask} IS DISTINCT FROM computed.{mask}" for mask in MASKS)
    (wrong,) = store.fetch_one(
        "SELECT count(*) FROM chosen JOIN computed ON chosen.rowid = row "
        f"WHERE NOT is_new AND ({differs})"
    )
    if not wrong:
        store.execute(
            f"UPDATE versions SET {', '.join(f'{mask} = computed.{mask}' for mask in MASKS)} "
            "FROM chosen JOIN computed ON chosen.rowid = row "
            "WHERE is_new AND versions.rowid = row"
        )
    store.execute("DROP TABLE chosen; DROP TABLE computed")
    return int(wrong)


def _check_file(store: Store, folder: Path, file: Path) -> None:
    parquet.check_path(folder, file)
    if not file.stem.endswith(f"-{dump.digest([file])[:16]}"):
        raise ImportFileError(f"{file} was changed or damaged.")
    columns = store.columns(load_statements("history_files")["masks"])
    rules = parquet.required("snapshot", "models")
    parquet.check_table(store, file, columns, rules, parquet.read_size(store, file))
    models = f"(SELECT snapshot, unnest(models) AS model FROM read_parquet({file_literal(file)}))"
    (is_unique,) = store.fetch_one(
        f"SELECT count(*) = count(DISTINCT snapshot::BIGINT << 32 | model) FROM {models}"
    )
    if not is_unique:
        raise ImportFileError(f"{file} has a model of a snapshot more than once.")


def _discard(file: Path, reason: str) -> None:
    LOGGER.warning("%s It is not used: all models are classified anew.", reason)
    file.unlink()

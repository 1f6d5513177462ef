"""A restored history has the masks that its versions have, whatever its file of masks says."""

import shutil
from datetime import UTC, datetime

import duckdb
import pytest
from dumps import encode, ingest

from hfscan.store import Store, export_history, import_history
from hfscan.store.dump import digest


def make_models(day):
    return [
        {
            "_id": f"63ffff{number:018x}",
            "id": f"ann/{number}",
            "tags": [("pytorch", "tf", "jax")[(number + day) % 3]],
            "siblings": [{"rfilename": ("model.safetensors", "x.onnx")[number % 2]}],
            "createdAt": "2022-05-02T12:00:00.000Z",
        }
        for number in range(6 + day)
    ]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The folder of a history of two days, the masks of the first one, and the versions."""
    folder = tmp_path_factory.mktemp("history")
    with Store.open(folder / "h.duckdb", write=True) as store:
        for day in (1, 2):
            (folder / "dump.json").write_bytes(encode(make_models(day)))
            ingest(store, folder / "dump.json", day=datetime(2024, 1, day, tzinfo=UTC))
            export_history(store, folder / "history")
            if day == 1:
                shutil.copytree(folder / "history" / "masks", folder / "first")
        versions = store.execute("FROM versions ORDER BY ALL").fetchall()
    return folder, versions


@pytest.fixture
def history(saved, tmp_path):
    folder, _ = saved
    shutil.copytree(folder / "history", tmp_path / "history")
    return tmp_path / "history"


@pytest.fixture
def read_restored(history, tmp_path):
    """Return a function that restores the history, and returns its versions."""

    def read():
        import_history(tmp_path / "new.duckdb", history)
        with Store.open(tmp_path / "new.duckdb") as store:
            return store.execute("FROM versions ORDER BY ALL").fetchall()

    return read


def find_file(history):
    (file,) = (history / "masks").iterdir()
    return file


def rewrite_masks(history, query):
    """Replace the rows by those of a query of {table}, under the name that their digest gives."""
    file, new_file = find_file(history), history / "new.parquet"
    query = query.format(table=f"read_parquet('{file}')")
    duckdb.execute(f"COPY ({query}) TO '{new_file}' (FORMAT parquet)")
    snapshot, taxonomy, _ = file.stem.split("-")
    new_file.replace(file.with_name(f"{snapshot}-{taxonomy}-{digest([new_file])[:16]}.parquet"))
    file.unlink()


def test_masks_are_restored(saved, read_restored, caplog):
    assert read_restored() == saved[1]
    assert not caplog.records


def test_versions_after_the_file_of_masks_are_classified(saved, history, read_restored, caplog):
    shutil.rmtree(history / "masks")
    shutil.copytree(saved[0] / "first", history / "masks")
    assert read_restored() == saved[1]
    assert not caplog.records


def test_a_history_without_masks_is_classified(saved, history, read_restored):
    shutil.rmtree(history / "masks")
    assert read_restored() == saved[1]


def test_masks_of_another_taxonomy_are_replaced(saved, history, read_restored, tmp_path):
    file = find_file(history)
    taxonomy = file.stem.split("-")[1]
    rewrite_masks(history, "SELECT * REPLACE (0::UBIGINT AS tag_mask) FROM {table}")
    other = find_file(history)
    other.replace(other.with_name(other.name.replace(taxonomy, "0123456789abcdef")))
    assert read_restored() == saved[1]
    with Store.open(tmp_path / "new.duckdb") as store:
        export_history(store, history)
    assert find_file(history).name == file.name


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (
            "SELECT * REPLACE (if(5 IN models, 2::UBIGINT, tag_mask) AS tag_mask) FROM {table}",
            "contradicts the tags and files of",
        ),
        ("SELECT * REPLACE (NULL::UBIGINT AS best_mask) FROM {table}", "contradicts the tags"),
        ("FROM {table} UNION ALL FROM {table}", "has a model of a snapshot more than once"),
        ("SELECT * REPLACE (1 AS tag_mask) FROM {table}", "has tag_mask as INTEGER, not UBIGINT"),
        ("SELECT * EXCLUDE (models) FROM {table}", "lacks the column models"),
    ],
)
def test_wrong_masks_are_not_used(saved, history, read_restored, caplog, query, reason):
    rewrite_masks(history, query)
    assert read_restored() == saved[1]
    (record,) = caplog.records
    assert reason in record.getMessage()
    assert not list((history / "masks").iterdir())  # so that the right ones are written


def test_a_damaged_file_of_masks_is_not_used(saved, history, read_restored, caplog):
    file = find_file(history)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert read_restored() == saved[1]
    assert "was changed or damaged" in caplog.text

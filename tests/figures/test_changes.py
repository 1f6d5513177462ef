"""`changes` between the recorded snapshots, counted again from their files."""

import shutil
from typing import Any

import duckdb
from recount_turnover import ACCOUNTS_OF_2024

from hfscan.figures import load
from hfscan.store import CreationDate, Store, record_dates


def test_changes_between_the_recorded_censuses(recorded_db, shared_data, tmp_path):
    files = [shared_data / "hub-2022-02.jsonl.gz", shared_data / "hub-2024-07.parquet"]
    connection = duckdb.connect()
    connection.execute(
        f"CREATE VIEW new AS SELECT id, tags, pipeline_tag, library_name "
        f"FROM read_parquet('{files[1]}')"
    )
    connection.execute(  # models without an account, by the name that they got
        "CREATE VIEW old AS SELECT coalesce(moved, modelId) AS id, modelId AS name, "
        f"old.tags, old.pipeline_tag, old.library_name FROM read_json('{files[0]}') AS old "
        "LEFT JOIN (SELECT id AS moved, id.split('/') AS parts FROM new "
        f"WHERE list_contains({ACCOUNTS_OF_2024}, parts[1])) "
        "ON parts[2] = modelId AND modelId NOT IN (SELECT id FROM new)"
    )

    def count_rows(sql: str) -> int:
        return connection.execute(f"SELECT count(*) FROM {sql}").fetchone()[0]

    both_days = "old JOIN new USING (id) WHERE"
    tf_before, tf_after = (f"list_contains({state}.tags, 'tf')" for state in ("old", "new"))
    differs = {
        part: f"old.{column} IS DISTINCT FROM new.{column}"
        for part, column in (
            ("tags", "tags"),
            ("library", "library_name"),
            ("task", "pipeline_tag"),
        )
    }
    expected: dict[tuple[str, str | None], Any] = {
        ("kept", None): count_rows(f"{both_days} true"),
        ("renamed", None): count_rows(f"{both_days} name <> id"),
        ("changed", None): count_rows(f"{both_days} {' OR '.join(differs.values())}"),
        **{
            (f"changed {part}", None): count_rows(f"{both_days} {differs[part]}")
            for part in differs
        },
        ("changed files", None): None,
        ("changed gate", None): None,
        ("removed", None): count_rows("old ANTI JOIN new USING (id)"),
        ("added", None): count_rows("new ANTI JOIN old USING (id)"),
        ("gained", "tensorflow"): count_rows(f"{both_days} NOT {tf_before} AND {tf_after}"),
        ("lost", "tensorflow"): count_rows(f"{both_days} {tf_before} AND NOT {tf_after}"),
    }
    query, parameters = load("changes"), {"earlier": 1, "later": 2, "frameworks": ["tensorflow"]}
    shutil.copy(recorded_db, tmp_path / "h.duckdb")
    with Store.open(tmp_path / "h.duckdb", write=True) as store:
        rows = query.run(store, parameters)
        assert {(row["change"], row["framework"]): row["models"] for row in rows} == expected
        assert (
            min(expected["kept", None], expected["removed", None], expected["gained", "tensorflow"])
            > 100
        )
        # a missing name that the Hub redirects is a renamed model
        ((old_name,),) = connection.execute(
            "SELECT min(name) FROM (FROM old ANTI JOIN new USING (id))"
        ).fetchall()
        ((new_name,),) = connection.execute(
            "SELECT min(id) FROM (FROM new ANTI JOIN old USING (id))"
        ).fetchall()
        record_dates(
            store, [CreationDate(old_name, None, new_name)], kind="first commit", origin="a test"
        )
        rows = query.run(store, parameters)
        models_by_change = {row["change"]: row["models"] for row in rows}
        assert expected["renamed", None] > 50
        assert models_by_change["renamed"] == expected["renamed", None] + 1
        assert models_by_change["removed"] == expected["removed", None] - 1

"""Unknown values never count as absent in figures, transitions and exports."""

import duckdb
from dumps import ingest

from hfscan.figures import FigureRequest, SnapshotView
from hfscan.store import Store, list_snapshots


def test_unknown_is_left_out_of_every_denominator(import_rows):
    known_models = [{"id": f"a/{n}", "tags": ["pytorch"], "library_name": "x"} for n in range(3)]
    unknown_models = [{"id": f"b/{n}", "tags": "what is this", "library_name": 5} for n in range(2)]
    import_rows(*known_models, *unknown_models, {"id": "c/0", "tags": []})
    view = SnapshotView.latest(import_rows.store)
    frameworks = ("pytorch", "tensorflow")
    figures = {
        (figure.name, figure.framework): figure
        for figure in view.compute_exclusivity(FigureRequest(frameworks, definition="tag"))
    }
    assert figures["exclusive", "pytorch"].denominator == 3
    assert (figures["none", None].numerator, figures["none", None].denominator) == (1, 4)
    assert figures["exclusive", "pytorch"].coverage == 0.5
    assert figures["none", None].coverage == round(4 / 6, 6)
    by_author = FigureRequest(frameworks, definition="tag", weight="authors")
    coverage = {figure.name: figure.coverage for figure in view.compute_exclusivity(by_author)}
    assert coverage["exclusive"] == round(1 / 3, 6)  # of a, b and c, the tags of b are unknown
    assert coverage["none"] == round(2 / 3, 6)
    groups = {
        row["group"]
        for row in view.run("exclusivity", {"frameworks": list(frameworks), "by": "library"})
    }
    assert groups == {"x", "(unknown)", "(none)"}
    rows = view.run("formats", {"per": "all", "cutoff": "included", "definition": "tag"})
    assert {(row["framework"], row["numerator"], row["denominator"]) for row in rows} == {
        ("pytorch", 3, 4)
    }


def test_transition_from_unknown_is_unknown(import_rows):
    import_rows({"id": "a/b", "tags": "what is this"})
    import_rows({"id": "a/b", "tags": ["tf"]})
    view = SnapshotView.latest(import_rows.store)
    rows = view.run("transitions", {"earlier": 1, "later": 2})
    assert [(row["before"], row["after"]) for row in rows] == [("(unknown)", "tensorflow")]
    changes = {row["change"]: row["models"] for row in view.run("changes", {})}
    assert changes["changed"] == 0


def test_nan_in_parquet_is_no_number(tmp_path):
    dump = tmp_path / "d.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT * FROM (VALUES ('a/1', 12.0::DOUBLE, 'NaN'::DOUBLE), "
            "('a/2', 'NaN'::DOUBLE, 3.0::DOUBLE), ('a/3', 'Infinity'::DOUBLE, NULL)) "
            f"AS t(id, downloads, likes)) TO '{dump}'"
        )
    with Store.open(tmp_path / "h.duckdb", write=True) as store:
        result = ingest(store, dump)
        rows = store.execute("SELECT id, downloads, likes FROM models_in(1) ORDER BY id")
        assert rows.fetchall() == [("a/1", 12, None), ("a/2", None, 3), ("a/3", None, None)]
    assert [(entry.field, entry.models) for entry in result.unreadable] == [("downloads", 1)]


def test_export_restores_unreadable_values(import_rows, tmp_path):
    from hfscan.export import export, load

    import_rows({"id": "a/b", "tags": ["pytorch"]}, {"id": "a/c", "tags": "what is this"})
    export(import_rows.store, tmp_path / "e", snapshot=list_snapshots(import_rows.store)[0])
    with Store.open(tmp_path / "again.duckdb", write=True) as store:
        load(store, tmp_path / "e")
        rows = store.execute("SELECT id, tag_mask, unreadable FROM models_in(1) ORDER BY 1")
        assert rows.fetchall() == [("a/b", 1, None), ("a/c", None, ["tags"])]
        assert [(entry.field, entry.models) for entry in list_snapshots(store)[0].unreadable] == [
            ("tags", 1)
        ]

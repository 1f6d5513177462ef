"""Parquet columns in the API's own types are read as the same models in JSON are."""

from datetime import UTC, datetime
from functools import cache

import duckdb
import pytest
from dumps import ingest

from hfscan.store import Store

DAY = datetime(2026, 1, 1, tzinfo=UTC)

MODELS = """
SELECT
    'o' || i % 7 || '/m' || i AS id,
    CASE WHEN i % 3 > 0 THEN 'o' || i % 7 END AS author,
    TIMESTAMP '2022-03-02 23:29:04' + to_minutes(i * 17) AS "createdAt",
    TIMESTAMP '2024-01-01' + to_minutes(i * 7919 % 500000) AS "lastModified",
    i * 3 % 101 AS downloads,
    CASE WHEN i % 4 > 0 THEN i * 1000 END AS "downloadsAllTime",
    (i % 5)::INTEGER AS likes,
    CASE i % 5 WHEN 0 THEN [] WHEN 1 THEN NULL
        ELSE ['pytorch', 'tf', 'license:mit'][i % 3:] END AS tags,
    CASE WHEN i % 2 = 0 THEN 'text-generation' END AS pipeline_tag,
    ['transformers', '', NULL][1 + i % 3] AS library_name,
    CASE i % 6 WHEN 0 THEN [] WHEN 1 THEN NULL
        ELSE ['config.json', 'model' || i || '.safetensors'] END AS siblings,
    CASE WHEN i % 2 = 0 THEN {'parameters': {'F32': i}, 'total': i} END AS safetensors,
    CASE WHEN i % 9 = 0 THEN {'total': i, 'architecture': 'llama'} END AS gguf,
    CASE i % 4 WHEN 0 THEN {'relation': 'finetune', 'models': [{'_id': 'x', 'id': 'o1/m1'}]}
        WHEN 1 THEN {'relation': NULL, 'models': []} END AS "baseModels",
    CASE i % 4 WHEN 0 THEN {'model_type': 'bert', 'architectures': ['BertModel'], 'other': 1}
        WHEN 1 THEN {'model_type': NULL, 'architectures': NULL, 'other': 2} END AS config,
    ['auto', 'false', NULL][1 + i % 3] AS gated,
    i % 50 = 7 AS private
FROM range(400) AS numbers(i)
"""

ODD_VALUES = {
    "id": "['datasets/a', 'a/b/c', 'nan', '', NULL, 'https://huggingface.co/a/b'][1 + i % 6]",
    "createdAt": "[TIMESTAMP '1970-01-01', '2030-01-01', NULL][1 + i % 3]",
    "downloads": "-i",
    "tags": "['a', NULL, '{1}', '[''b'']'][i % 4:]",
    "siblings": "['{''rfilename'': ''a.bin''}', NULL, '12', 'x y.h5'][i % 4:]",
    "library_name": "['None', 'N/A', 'keras'][1 + i % 3]",
    "gated": "['yes', 'auto', 'True'][1 + i % 3]",
    "safetensors": "{'total': -1}",
    "config": "{'model_type': 'nan', 'architectures': [NULL, 'X']}",
    "baseModels": "{'relation': 'None', 'models': [{'id': NULL}, {'id': '7'}, {'id': 'a/b'}]}",
}
"""Column -> values of the right type that only Python can read."""

OTHER_TYPES = {
    "createdAt": """strftime("createdAt", '%Y-%m-%dT%H:%M:%S.000Z')""",
    "lastModified": """("lastModified"::VARCHAR || '+00')::TIMESTAMPTZ""",
    "downloads": "downloads::DOUBLE",
    "likes": "likes::VARCHAR",
    "tags": "array_to_string(tags, ',')",
    "siblings": "list_transform(siblings, lambda name: {'rfilename': name, 'size': 1})",
    "config": "to_json(config)::VARCHAR",
    "safetensors": "{'total': safetensors.total::DOUBLE}",
    "gated": "gated = 'auto'",
    "baseModels": '"baseModels".models',
    "pipeline_tag": "to_json(pipeline_tag)",
    "author": "to_json(author)",
}
"""Column -> the same values in types that dumps use, too."""


@pytest.fixture(scope="module")
def read_both(tmp_path_factory):
    """Return a function that imports a query as Parquet and as JSON: rows, counts of each."""

    @cache
    def read(sql):
        results = []
        folder = tmp_path_factory.mktemp("both")
        for form in ("parquet", "json"):
            file = folder / f"dump.{form}"
            duckdb.connect().execute(f"COPY ({sql}) TO '{file}' (FORMAT {form})")
            with Store.open(folder / f"{form}.duckdb", write=True) as store:
                ingested = ingest(store, file, day=DAY)
                rows = store.execute("FROM models_in(1) ORDER BY id, key").fetchall()
            counts = (ingested.private, ingested.missing_id, ingested.duplicates)
            unreadable = [(value.field, value.models) for value in ingested.unreadable]
            results.append((rows, counts, unreadable, ingested.unknown_keys))
        return results

    return read


def test_typed_columns_equal_json(read_both):
    typed, parsed = read_both(MODELS)
    assert len(typed[0]) == 392
    assert typed == parsed


@pytest.mark.parametrize("column", ODD_VALUES)
def test_odd_values_equal_json(read_both, column):
    odd = f'CASE WHEN i % 2 = 0 THEN {ODD_VALUES[column]} ELSE "{column}" END'
    typed, parsed = read_both(
        f'SELECT * EXCLUDE (i) REPLACE ({odd} AS "{column}") '
        f"FROM ({MODELS.replace('SELECT', 'SELECT i,', 1)})"
    )
    assert typed == parsed


@pytest.mark.parametrize("column", OTHER_TYPES)
def test_other_types_equal_typed_columns(read_both, column):
    other, parsed = read_both(
        f'SELECT * REPLACE ({OTHER_TYPES[column]} AS "{column}") FROM ({MODELS})'
    )
    assert other == parsed
    if column not in ("gated", "tags", "baseModels"):  # these forms hold less
        assert other[0] == read_both(MODELS)[0][0]


def test_files_under_other_names_equal_json(read_both):
    """Objects of files without the API's `rfilename`."""
    files = "list_transform(siblings, lambda name: {'path': name})"
    other, parsed = read_both(f"SELECT * REPLACE ({files} AS siblings) FROM ({MODELS})")
    assert other == parsed == read_both(MODELS)[0]

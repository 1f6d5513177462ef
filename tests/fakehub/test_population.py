"""Populations of the fake Hub: dumps of every shape, and changing models."""

import gzip
import json
from statistics import median
from typing import Any

import duckdb
import httpx
import pytest
from testhub import FakeHub, Population

from hfscan.errors import ImportFileError

ROWS: list[dict[str, Any]] = [
    {"_id": f"62{number:022x}", "id": f"ann/Model-{number}", "downloads": number}
    for number in range(5)
]


def list_names(population):
    return [model["id"] for model in population]


@pytest.mark.parametrize("suffix", ["array.json", "lines.jsonl", "lines.jsonl.gz", "it's.jsonl"])
def test_json_dump_is_served_unchanged(tmp_path, suffix):
    lines = [json.dumps(row) for row in reversed(ROWS)]
    text = f"[{','.join(lines)}]" if "array" in suffix else "\n".join(lines)
    path = tmp_path / suffix
    path.write_bytes(gzip.compress(text.encode()) if suffix.endswith("gz") else text.encode())
    assert list(Population.from_file(path)) == ROWS


def test_parquet_columns_become_api_keys(tmp_path):
    path = tmp_path / "models.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT 'ann/x' AS id, TIMESTAMPTZ '2023-05-06 09:08:09+02' AS createdAt, "
            "['a.bin'] AS siblings, '{\"license\":\"mit\"}' AS cardData, NULL::VARCHAR AS "
            f"pipeline_tag, 1 AS page) TO '{path}'"
        )
    (model,) = Population.from_file(path)
    assert model.pop("_id").startswith(f"{1683356889:08x}")
    assert model == {
        "id": "ann/x",
        "createdAt": "2023-05-06T07:08:09.000Z",
        "siblings": [{"rfilename": "a.bin"}],
        "cardData": {"license": "mit"},
    }


@pytest.mark.parametrize("text", ["not json", '[{"id":', '{"likes":1}', '{"id":5}'])
def test_unreadable_dump_is_named(tmp_path, text):
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(ImportFileError, match=r"broken\.json cannot be served"):
        Population.from_file(path)


@pytest.mark.parametrize("is_cached", [False, True])
def test_find_follows_renames_and_deletions(is_cached):
    population = Population.from_rows([*ROWS, {**ROWS[0], "_id": "63" * 12, "id": "bob/late"}])
    if is_cached:
        assert population.find("ann/model-0") == (ROWS[0], True)
    population.edit(ROWS[1]["_id"], id="ann/second")
    population.edit(ROWS[1]["_id"], id="ann/third")
    population.delete(ROWS[2]["_id"])
    population.put({"_id": "64" * 12, "id": "ann/model-2"})
    population.put({"_id": "65" * 12, "id": "eve/new", ".renamed_from": ["eve/old", "bob/late"]})

    def find(name):
        match = population.find(name)
        return match and (match[0]["_id"], match[1])

    first_id, second_id = ROWS[0]["_id"], ROWS[1]["_id"]
    assert find("ANN/MODEL-0") == (first_id, True)
    assert find("ann/model-1") == find("ann/second") == (second_id, False)
    assert find("ann/third") == (second_id, True)
    assert find("ann/model-2") == ("64" * 12, True)
    assert find("eve/old") == ("65" * 12, False)
    assert find("bob/late") == ("63" * 12, True)
    assert find("ann/none") is None
    assert population.ids == sorted(population.ids)
    assert len(list_names(population)) == len(population) == 7
    with pytest.raises(KeyError):
        population.edit(ROWS[2]["_id"], likes=1)


def test_synthetic_models_are_found_by_name():
    population = Population.synthetic(200, seed=1)
    model = population.get(population.ids[7])
    owner, name = model["id"].split("/")
    assert population.find(model["id"]) == (model, True)
    assert population.find(f"{owner}0/{name}") is None
    assert population.find(f"{owner}/model-0000200") is None


def test_synthetic_models_are_stable_and_labelled():
    def get_page(seed):
        with FakeHub(Population.synthetic(1500, seed=seed)) as hub:
            response = httpx.get(f"{hub.url}/api/models?sort=createdAt&direction=1&full=true")
            assert response.headers["x-hfscan-synthetic"] == f"models=1500, seed={seed}"
            return response.content

    assert get_page(1) == get_page(1)
    assert get_page(1) != get_page(2)


def test_synthetic_models_follow_the_counts():
    models = list(Population.synthetic(20_000, seed=3))
    assert [model["_id"] for model in models] == sorted(model["_id"] for model in models)
    cutoff_models = [model for model in models if model["createdAt"].startswith("2022-03-02T23:29")]
    assert len(cutoff_models) == 20_000 * 29_990 // 760_000
    models_2022 = [
        model for model in models if model["createdAt"] < "2023" and model not in cutoff_models
    ]
    supporting_models = [model for model in models_2022 if {"pytorch", "tf"} & set(model["tags"])]
    pytorch_models = [model for model in supporting_models if "tf" not in model["tags"]]
    # in the snapshot of 2024-07-11: 34,662 of 36,416
    assert abs(len(pytorch_models) / len(supporting_models) - 34_662 / 36_416) < 0.02


def test_synthetic_models_vary_as_recorded(shared_data):
    """Within a quarter, as the recorded models are of few accounts; long lists within half."""
    with gzip.open(shared_data / "hub-2024-07-detail.jsonl.gz") as lines:
        recorded = [*map(json.loads, lines)]
    made = [*Population.synthetic(len(recorded), seed=1)]
    sample = slice(None, None, len(recorded) // 1_000)

    def list_files(models):
        return [[file["rfilename"] for file in model.get("siblings") or ()] for model in models]

    for measure, tolerance in (
        (lambda models: len({tuple(names) for names in list_files(models[sample])}), 0.25),
        (lambda models: median(map(len, list_files(models))), 0.25),
        (lambda models: sum(map(len, list_files(models))), 0.25),
        (lambda models: sum(len(name) for names in list_files(models) for name in names), 0.25),
        (lambda models: sorted(map(len, list_files(models)))[-len(models) // 100], 0.5),
        (lambda models: median(len(model["id"]) for model in models), 0.25),
        (lambda models: median(len(model["id"].split("/")[0]) for model in models), 0.25),
        (lambda models: median(len(model["tags"]) for model in models), 0.25),
        (lambda models: sum(len(model["tags"]) for model in models), 0.25),
        (lambda models: len({tuple(model["tags"]) for model in models[sample]}), 0.25),
    ):
        assert measure(made) == pytest.approx(measure(recorded), rel=tolerance)

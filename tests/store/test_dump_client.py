"""Saved responses of the official client are imported like those of the Hub."""

import dataclasses
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from dumps import ingest
from huggingface_hub import HfApi
from testhub import FakeHub, Population

from hfscan.store import Ingested, Store

EXPAND: list[Any] = [
    "author", "createdAt", "lastModified", "downloads", "downloadsAllTime", "likes", "sha", "gated",
    "private", "disabled", "tags", "pipeline_tag", "library_name", "siblings", "safetensors",
    "config", "cardData", "trendingScore",
]  # fmt: skip
COLUMNS = (
    "id, author, created_at, last_modified, downloads, downloads_all_time, likes, sha, gated, "
    "disabled, tags, pipeline_tag, library_name, files, parameters, model_type, architectures"
)


@pytest.fixture(scope="module")
def hub():
    with FakeHub(Population.synthetic(40, seed=3), quota=None) as server:
        yield server


@pytest.fixture(scope="module")
def infos(hub):
    return list(HfApi(hub.url, token=False).list_models(expand=EXPAND))


@pytest.fixture(scope="module")
def expected(hub, tmp_path_factory):
    """The models as imported from the Hub's own JSON."""
    response = httpx.get(f"{hub.url}/api/models", params={"expand": EXPAND, "limit": 100})
    file = tmp_path_factory.mktemp("api") / "api.json"
    file.write_bytes(response.content)
    return read_rows(file)[1]


def read_rows(file: Path) -> tuple[Ingested, list[tuple]]:
    with Store.open(file.with_suffix(".duckdb"), write=True) as store:
        result = ingest(store, file, day=datetime(2030, 1, 1, tzinfo=UTC))
        rows = store.execute(f"SELECT {COLUMNS} FROM models_in(1) ORDER BY id")
        return result, rows.fetchall()


def to_json(value: object) -> object:
    return vars(value) if hasattr(value, "__dict__") else str(value)


SERIALIZERS = {
    "asdict": lambda info: json.dumps(dataclasses.asdict(info), default=str),
    "vars": lambda info: json.dumps(vars(info), default=to_json),
}


@pytest.mark.parametrize("method", SERIALIZERS)
@pytest.mark.parametrize("separator", ["lines", "list"])
def test_saved_responses_equal_the_hubs(infos, expected, tmp_path, method, separator):
    texts = [SERIALIZERS[method](info) for info in infos]
    text = "\n".join(texts) if separator == "lines" else f"[{','.join(texts)}]"
    file = tmp_path / "saved.json"
    file.write_text(text)
    result, rows = read_rows(file)
    assert rows == expected
    assert result.unknown_keys == {}


def test_hf_command_equals_the_hub(hub, expected, tmp_path):
    hf = [sys.executable, "-c", "from huggingface_hub.cli.hf import main; main()"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    process = subprocess.run(
        [*hf, "models", "ls", "--limit", "100", "--expand", ",".join(EXPAND), "--format", "json"],
        env=environment | {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf")},
        capture_output=True,
        text=True,
        check=False,
    )
    if "No such command" in process.stderr or "invalid choice" in process.stderr:
        pytest.skip("this release of the client does not list models")
    assert process.returncode == 0, process.stderr
    file = tmp_path / "ls.json"
    file.write_text(process.stdout)
    result, rows = read_rows(file)
    assert rows == expected
    assert result.unknown_keys == {}

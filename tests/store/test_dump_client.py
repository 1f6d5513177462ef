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
from huggingface_hub import HfApi
from testhub import FakeHub, Population

from hfscan.scope import Scope
from hfscan.store import Ingested, NewSnapshot, Store, ingest_files

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
    """The models as the Hub's own JSON gives them."""
    answer = httpx.get(f"{hub.url}/api/models", params={"expand": EXPAND, "limit": 100})
    file = tmp_path_factory.mktemp("api") / "api.json"
    file.write_bytes(answer.content)
    return rows(file)[1]


def rows(file: Path) -> tuple[Ingested, list[tuple]]:
    day = datetime(2030, 1, 1, tzinfo=UTC)
    with Store.open(file.with_suffix(".duckdb"), write=True) as store:
        result = ingest_files(store, [file], NewSnapshot("import", "x", Scope(), day, day, None))
        found = store.execute(f"SELECT {COLUMNS} FROM models_in(1) ORDER BY id")
        return result, found.fetchall()


def with_dicts(value: object) -> object:
    return vars(value) if hasattr(value, "__dict__") else str(value)


SAVED = {
    "asdict": lambda info: json.dumps(dataclasses.asdict(info), default=str),
    "vars": lambda info: json.dumps(vars(info), default=with_dicts),
}


@pytest.mark.parametrize("way", SAVED)
@pytest.mark.parametrize("separator", ["lines", "list"])
def test_saved_answers_equal_the_hubs(infos, expected, tmp_path, way, separator):
    texts = [SAVED[way](info) for info in infos]
    text = "\n".join(texts) if separator == "lines" else f"[{','.join(texts)}]"
    file = tmp_path / "saved.json"
    file.write_text(text)
    result, found = rows(file)
    assert found == expected
    assert result.unknown_keys == {}


def test_hf_command_equals_the_hub(hub, expected, tmp_path):
    hf = [sys.executable, "-c", "from huggingface_hub.cli.hf import main; main()"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    run = subprocess.run(
        [*hf, "models", "ls", "--limit", "100", "--expand", ",".join(EXPAND), "--format", "json"],
        env=environment | {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf")},
        capture_output=True,
        text=True,
        check=False,
    )
    if "No such command" in run.stderr or "invalid choice" in run.stderr:
        pytest.skip("this release of the client does not list models")
    assert run.returncode == 0, run.stderr
    file = tmp_path / "ls.json"
    file.write_text(run.stdout)
    result, found = rows(file)
    assert found == expected
    assert result.unknown_keys == {}

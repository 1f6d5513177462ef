"""The installed official client works with the fake Hub."""

from pathlib import Path

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import (
    BadRequestError,
    EntryNotFoundError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from testhub import FakeHub, Population


@pytest.fixture(scope="module")
def hub():
    population = Population.synthetic(2300, seed=5)
    first_id = population.ids[0]
    population.edit(first_id, id="somebody/renamed")
    with FakeHub(population, quota=None, tokens={"hf_me": "me"}) as hub:
        yield hub


@pytest.fixture(scope="module")
def api(hub):
    return HfApi(hub.url, token=False)


@pytest.mark.parametrize("sort", ["created_at", "downloads", "last_modified", "likes", None])
def test_client_lists_all_models_in_every_order(api, hub, sort):
    assert {model.id for model in api.list_models(sort=sort)} == {
        model["id"] for model in hub.population
    }


def test_client_filters_and_expands(api, hub):
    expected = {
        model["id"] for model in hub.population if {"pytorch", "transformers"} <= set(model["tags"])
    }
    assert expected
    assert {model.id for model in api.list_models(filter=["pytorch", "transformers"])} == expected
    owner = next(iter(expected)).split("/")[0]
    assert {model.author for model in api.list_models(author=owner, full=True)} == {owner}
    (model,) = api.list_models(limit=1, expand=["siblings", "downloadsAllTime"])
    assert model.siblings
    assert model.downloads_all_time is not None
    assert model.tags is None


def test_client_reads_details_commits_and_renames(api, hub):
    model = next(model for model in hub.population if model["id"] != "somebody/renamed")
    info = api.model_info(model["id"])
    assert (info.sha, info.downloads) == (model["sha"], model["downloads"])
    assert api.list_repo_commits(model["id"])[0].commit_id == model["sha"]
    renamed = next(model for model in hub.population if model["id"] == "somebody/renamed")
    assert api.model_info(renamed[".renamed_from"][0]).id == "somebody/renamed"


def test_client_raises_its_own_errors(api, hub):
    with pytest.raises(RepositoryNotFoundError):
        HfApi(hub.url, token="hf_me").model_info("nobody/nothing")
    with pytest.raises(HfHubHTTPError, match="Invalid username or password"):
        api.model_info("nobody/nothing")
    with pytest.raises(BadRequestError, match="must be one of"):
        list(api.list_models(expand=["childrenModelCount"]))


FILES = {"config.json": b'{"a": 1}', "model.bin": bytes(range(256)) * 5000, "tf/w.h5": b"h5"}


@pytest.fixture
def repository(tmp_path):
    """A client of a Hub with one model that has files."""
    for name, data in FILES.items():
        path = tmp_path / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    row = {"_id": "63" * 12, "id": "ann/real", "createdAt": "2023-01-01T00:00:00.000Z"}
    population = Population.from_rows([row], folders={"ann/real": tmp_path / "files"})
    with FakeHub(population) as hub:
        yield HfApi(hub.url, token=False)


def test_client_downloads_a_repository(repository, tmp_path):
    folder = repository.snapshot_download("ann/real", cache_dir=tmp_path / "cache")
    for name, data in FILES.items():
        assert Path(folder, name).read_bytes() == data
    assert Path(folder).name == repository.model_info("ann/real").sha


def test_client_lists_files_with_sizes(repository):
    assert sorted(repository.list_repo_files("ann/real")) == sorted(FILES)
    entries = repository.list_repo_tree("ann/real")
    assert {entry.path for entry in entries} == {"config.json", "model.bin", "tf"}
    info = repository.model_info("ann/real", files_metadata=True)
    assert {file.rfilename: file.size for file in info.siblings} == {
        name: len(data) for name, data in FILES.items()
    }


def test_client_reports_missing_revision_and_file(repository, tmp_path):
    with pytest.raises(RevisionNotFoundError):
        repository.model_info("ann/real", revision="refs/pr/1")
    with pytest.raises(EntryNotFoundError):
        repository.hf_hub_download("ann/real", "none.bin", cache_dir=tmp_path)


def test_client_reads_trees_and_paths(api, hub):
    names = [f"part-{number:04d}.bin" for number in range(1_205)] + ["data/x.json", "README.md"]
    row = {
        "_id": "7" + "0" * 23,
        "id": "a/many",
        "siblings": [{"rfilename": name} for name in names],
    }
    row["createdAt"] = "2024-01-01T00:00:00.000Z"
    with FakeHub(Population.from_rows([row]), quota=None) as large_hub:
        api = HfApi(large_hub.url, token=False)
        paths = [entry.path for entry in api.list_repo_tree("a/many", recursive=True)]
        assert sorted(paths) == sorted([*names, "data"])
        assert len(large_hub.requests) == 2
        entries = list(api.list_repo_tree("a/many", expand=True))
        assert len(entries) == len(names)  # "data" instead of the file in it
        assert all(entry.last_commit for entry in entries)
        infos = api.get_paths_info("a/many", ["data", "README.md", "nothing"])
        assert [info.path for info in infos] == ["data", "README.md"]
        with pytest.raises(BadRequestError):
            api.get_paths_info("a/many", [str(number) for number in range(2_001)])

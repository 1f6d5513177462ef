"""The official client, as installed, takes the stand-in for the Hub."""

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import BadRequestError, HfHubHTTPError, RepositoryNotFoundError

from hfscan.minihub import MiniHub, Population


@pytest.fixture(scope="module")
def hub():
    population = Population.synthetic(2300, seed=5)
    first = population.ids[0]
    population.edit(first, id="somebody/renamed")
    with MiniHub(population, quota=None, tokens={"hf_me": "me"}) as hub:
        yield hub


@pytest.fixture(scope="module")
def api(hub):
    return HfApi(hub.url, token=False)


@pytest.mark.parametrize("sort", ["created_at", "downloads", "last_modified", "likes", None])
def test_lists_all_models_in_every_order(api, hub, sort):
    assert {model.id for model in api.list_models(sort=sort)} == {m["id"] for m in hub.population}


def test_filters_and_expands(api, hub):
    wanted = {m["id"] for m in hub.population if {"pytorch", "transformers"} <= set(m["tags"])}
    assert wanted
    assert {m.id for m in api.list_models(filter=["pytorch", "transformers"])} == wanted
    owner = next(iter(wanted)).split("/")[0]
    assert {m.author for m in api.list_models(author=owner, full=True)} == {owner}
    (model,) = api.list_models(limit=1, expand=["siblings", "downloadsAllTime"])
    assert model.siblings
    assert model.downloads_all_time is not None
    assert model.tags is None


def test_details_commits_and_renames(api, hub):
    model = next(m for m in hub.population if m["id"] != "somebody/renamed")
    info = api.model_info(model["id"])
    assert (info.sha, info.downloads) == (model["sha"], model["downloads"])
    assert api.list_repo_commits(model["id"])[0].commit_id == model["sha"]
    renamed = next(m for m in hub.population if m["id"] == "somebody/renamed")
    assert api.model_info(renamed[".renamed_from"][0]).id == "somebody/renamed"


def test_refusals_raise_the_clients_own_errors(api, hub):
    with pytest.raises(RepositoryNotFoundError):
        HfApi(hub.url, token="hf_me").model_info("nobody/nothing")
    with pytest.raises(HfHubHTTPError, match="Invalid username or password"):
        api.model_info("nobody/nothing")
    with pytest.raises(BadRequestError, match="must be one of"):
        list(api.list_models(expand=["childrenModelCount"]))

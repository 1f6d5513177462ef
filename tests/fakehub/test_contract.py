"""Responses of the fake Hub are like recorded responses of the Hub."""

import base64
import gzip
import hashlib
import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from testhub import FakeHub, Faults, Population

FIELDS = [
    {
        "_id": f"{second:08x}36468d709f{number:06x}",
        "id": f"ann/model-{number}",
        "likes": number % 3,
        "trendingScore": 0.5 if number % 4 == 0 else None,
        "private": number == 5,
        "downloads": 7 * (number % 5),
        "tags": ["pytorch", "license:mit"] if number % 2 else ["tf"],
        "pipeline_tag": "fill-mask" if number % 2 else None,
        "createdAt": f"2022-03-0{2 + number}T00:00:00.000Z",
        "lastModified": f"2023-01-{20 - number}T00:00:00.000Z",
        "sha": f"{number:040x}",
        "siblings": [{"rfilename": "config.json"}],
        "gated": False,
        ".first_commit": "2019-02-18T00:00:00.000Z" if number == 0 else None,
    }
    for number, second in enumerate(range(0x621FFDC0, 0x621FFDC0 + 8))
]
ROWS: list[dict[str, Any]] = [
    {key: value for key, value in row.items() if value is not None} for row in FIELDS
]


@pytest.fixture
def hub():
    with FakeHub(Population.from_rows(ROWS), tokens={"hf_ann": "ann", "hf_bob": "bob"}) as hub:
        yield hub


@pytest.fixture
def get(hub):
    with httpx.Client(base_url=hub.url) as client:
        yield client.get


def read_recordings(path):
    with gzip.open(path, "rt") as lines:
        for line in lines:
            recording = json.loads(line)
            if recording["status"] == 200 and recording["body"]:
                recording["json"] = json.loads(recording["body"])
                yield recording


def test_recorded_lists_have_the_same_keys_and_links(shared_data):
    recordings = [
        recording
        for recording in read_recordings(shared_data / "http-list-recordings.jsonl.gz")
        if urlsplit(recording["url"]).path == "/api/models"
    ]
    assert len(recordings) == 5
    for recording in recordings:
        # one model more than the page holds, so that there is a next page
        extra_model = dict(recording["json"][-1]) | {
            "_id": "f" * 24,
            "id": "zz/zz",
            "downloads": -1,
        }
        extra_model["trendingScore"] = -1
        query = urlsplit(recording["url"]).query
        if "filter" in query:
            extra_model["tags"] = [tag for values in [parse_qs(query)["filter"]] for tag in values]
        with FakeHub(Population.from_rows([*recording["json"], extra_model])) as hub:
            response = httpx.get(f"{hub.url}/api/models?{query}")
            # fields such as cardData are sent unchanged, so complete objects can be compared
            assert [list(model) for model in response.json()] == [
                list(model) for model in recording["json"]
            ]
            assert response.json() == recording["json"]
            link, recorded_link = response.headers["link"], recording["headers"]["link"]
            assert link.startswith(f"<{hub.url}/api/models?")
            pattern = r"<https?://[^/]+(/[^>]+&cursor=)[A-Za-z0-9%]+>; rel=\"next\""
            assert re.fullmatch(pattern, link)[1] == re.fullmatch(pattern, recorded_link)[1]
            recorded_cursor, link_cursor = parse_cursor(recorded_link), parse_cursor(link)
            assert list(link_cursor) == list(recorded_cursor)
            # the token of the Hub's search has the same length only
            tokens = [
                cursor.pop("searchSequenceToken", "") for cursor in (link_cursor, recorded_cursor)
            ]
            assert len(tokens[0]) == len(tokens[1])
            assert link_cursor == recorded_cursor
            assert_etag(response)
            assert set(recording["headers"]) <= set(response.headers)
            assert response.headers["content-type"] == recording["headers"]["content-type"]


def parse_cursor(link):
    url = re.match("<([^>]+)>", link)[1]
    return json.loads(base64.b64decode(parse_qs(urlsplit(url).query)["cursor"][0]))


def assert_etag(response):
    digest = base64.b64encode(hashlib.sha1(response.content).digest())[:27].decode()
    assert response.headers["etag"] == f'W/"{len(response.content):x}-{digest}"'


def test_recorded_details_have_the_same_keys(shared_data):
    count = 0
    for name in ("http-list-recordings.jsonl.gz", "http-recordings.jsonl.gz"):
        for recording in read_recordings(shared_data / name):
            path, query = urlsplit(recording["url"]).path, urlsplit(recording["url"]).query
            model = recording["json"]
            if not (isinstance(model, dict) and "_id" in model and model["id"] in path):
                continue
            with FakeHub(Population.from_rows([model])) as hub:
                response = httpx.get(f"{hub.url}{path}?{query}").json()
            assert set(response) == set(model) - REMOVED_FIELDS, recording["url"]
            # the order since 2025; responses of 2024 had other orders
            has_current_order = list(model)[:3] == ["_id", "id", "private"] or "expand" in query
            if has_current_order and "inference" not in model:
                assert list(response) == list(model), recording["url"]
            count += 1
    assert count > 40


REMOVED_FIELDS = {"gitalyUid"}  # internal; in responses of 2024


def test_response_announces_the_quota(get):
    for path in ("/api/models", "/api/models/ann/none", "/nothing"):
        headers = get(path).headers
        assert re.fullmatch(r'"api";r=\d+;t=\d+', headers["ratelimit"])
        assert headers["ratelimit-policy"] == '"fixed window";"api";q=500;w=300'
        assert headers["x-request-id"].startswith("Root=1-")


def test_quota_is_counted_per_identity():
    with FakeHub(Population.from_rows(ROWS), quota=2, tokens={"t": "ann"}) as hub:
        anonymous_statuses = [httpx.get(f"{hub.url}/api/models").status_code for _ in range(3)]
        account_statuses = [
            httpx.get(f"{hub.url}/api/models", headers={"authorization": "Bearer t"}).status_code
            for _ in range(5)
        ]
    assert anonymous_statuses == [200, 200, 429]
    assert account_statuses == [200] * 4 + [429]


def test_files_have_a_separate_quota(get):
    headers = get("/ann/model-0/resolve/main/config.json").headers
    assert headers["ratelimit-policy"] == '"fixed window";"resolvers";q=3000;w=300'


@pytest.mark.parametrize("sort", ["createdAt", "downloads", "likes", "lastModified", None])
@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_order_lists_all_models_with_ties_by_id(get, sort, limit):
    query = {"limit": limit} | ({"sort": sort} if sort else {})
    response, models = get("/api/models", params=query), []
    while True:
        models += response.json()
        if "next" not in response.links:
            break
        response = get(response.links["next"]["url"])
    key = sort or "trendingScore"
    public_rows = [row for row in ROWS if not row["private"]]
    if key == "createdAt":
        expected = sorted(public_rows, key=lambda row: row["_id"], reverse=True)
    else:
        by_id = sorted(public_rows, key=lambda row: row["_id"])
        rows_with_value = [row for row in by_id if key in row]
        expected = sorted(rows_with_value, key=lambda row: row[key], reverse=True)
        expected += [row for row in by_id if key not in row]
    assert [model["id"] for model in models] == [row["id"] for row in expected]


@pytest.mark.parametrize("query", ["search=model", "filter=tf", "search=MODEL&sort=createdAt"])
def test_search_lists_all_matches(get, query):
    response = get(f"/api/models?{query}&limit=2")
    models = response.json()
    while "next" in response.links:
        assert "searchSequenceToken" in parse_cursor(response.headers["link"])
        response = get(response.links["next"]["url"])
        models += response.json()
    public_ids = {row["id"] for row in ROWS if not row["private"]}
    expected = (
        public_ids if "search" in query else {row["id"] for row in ROWS if "tf" in row["tags"]}
    )
    assert sorted(model["id"] for model in models) == sorted(expected)


def test_ascending_order_exists_for_creation_only(get):
    def list_ids(**query):
        return [model["_id"] for model in get("/api/models", params=query).json()]

    assert list_ids(sort="createdAt", direction=1) == sorted(list_ids(sort="createdAt"))
    assert list_ids(sort="likes", direction=1) == list_ids(sort="likes")


def test_absent_fields_are_never_null(get):
    models = get("/api/models").json()
    assert all(None not in model.values() for model in models)
    assert {"pipeline_tag" in model for model in models} == {True, False}
    assert all("siblings" not in model for model in models)
    full_models = get("/api/models?full=true").json()
    assert all(model["siblings"] == [{"rfilename": "config.json"}] for model in full_models)
    assert all(model["author"] == "ann" for model in full_models)


def test_bad_requests_have_the_messages_of_the_hub(get):
    response = get("/api/models?expand=usedStorage")
    assert response.status_code == 400
    assert response.json()["error"].startswith(
        '"expand" must be one of [author, baseModels, cardData'
    )
    assert get("/api/models/ann/model-0?expand=usedStorage").status_code == 200
    assert get("/api/models?sort=size").json() == {"error": "Invalid sort parameter: size"}
    assert get("/api/models?cursor=nonsense").status_code == 400


def test_page_has_at_most_1000_models():
    rows = [dict(ROWS[0], _id=f"62{number:022x}", id=f"a/{number}") for number in range(1100)]
    with FakeHub(Population.from_rows(rows)) as hub:
        for query in ("", "?limit=5000", "?full=true", "?expand=tags"):
            assert len(httpx.get(f"{hub.url}/api/models{query}").json()) == 1000


def test_private_models_are_listed_for_owners_only(hub):
    def list_ids(token):
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return {model["id"] for model in httpx.get(f"{hub.url}/api/models", headers=headers).json()}

    assert list_ids("hf_ann") - list_ids(None) == {"ann/model-5"}
    assert list_ids("hf_bob") == list_ids(None)
    assert httpx.get(f"{hub.url}/api/models/ann/model-5").status_code == 401
    missing_response = httpx.get(
        f"{hub.url}/api/models/no/no", headers={"authorization": "Bearer hf_bob"}
    )
    assert (missing_response.status_code, missing_response.headers["x-error-code"]) == (
        404,
        "RepoNotFound",
    )
    refusal = httpx.get(f"{hub.url}/api/models", headers={"authorization": "Bearer wrong"})
    assert refusal.status_code == 401
    assert refusal.headers["x-error-message"] == "Invalid credentials in Authorization header"


def test_old_names_redirect_and_deleted_models_do_not(hub, get):
    hub.population.edit(ROWS[1]["_id"], id="bob/new-name")
    redirect = get("/api/models/ann/model-1?expand=tags")
    assert redirect.status_code == 307
    assert redirect.headers["location"] == "/api/models/bob/new-name?expand=tags"
    assert get("/api/models/BOB/NEW-NAME").json()["_id"] == ROWS[1]["_id"]
    hub.population.delete(ROWS[2]["_id"])
    assert get("/api/models/ann/model-2").status_code == 401
    assert ROWS[2]["_id"] not in {model["_id"] for model in get("/api/models").json()}


def test_revision_is_main_or_a_commit(get):
    head = ROWS[3]["sha"]
    for revision in ("main", head, head[:7]):
        assert get(f"/api/models/ann/model-3/revision/{revision}").json()["sha"] == head
    for route in ("revision/nope", "commits/nope", "tree/nope"):
        refusal = get(f"/api/models/ann/model-3/{route}")
        assert (refusal.status_code, refusal.headers["x-error-code"]) == (404, "RevisionNotFound")
    assert get("/api/models/ann/model-3/commits/main?p=last").status_code == 400


def test_first_commit_is_found_with_two_requests(get):
    last_page = get("/api/models/ann/model-0/commits/main?limit=1")
    count = int(last_page.headers["x-total-count"])
    assert len(last_page.json()) == 1
    first_page = get(f"/api/models/ann/model-0/commits/main?limit=1&p={count - 1}")
    assert first_page.json()[0]["date"] == "2019-02-18T00:00:00.000Z"
    assert "next" not in first_page.links


def test_recorded_file_has_the_same_headers(shared_data, tmp_path):
    with gzip.open(shared_data / "http-list-recordings.jsonl.gz", "rt") as lines:
        (recording,) = [
            recording for recording in map(json.loads, lines) if recording["status"] == 307
        ]
    (tmp_path / "config.json").write_bytes(b"{}")
    head = recording["headers"]["x-repo-commit"]
    row = {"_id": "6" * 24, "id": "google-bert/bert-base-uncased", "sha": head}
    with FakeHub(Population.from_rows([row], folders={row["id"]: tmp_path})) as hub:
        url = hub.url + urlsplit(recording["url"]).path
        response = httpx.get(url)
        assert set(recording["headers"]) <= set(response.headers)
        recorded_etag = json.loads(recording["headers"]["x-linked-etag"])
        etag = json.loads(response.headers["x-linked-etag"])
        assert response.headers["location"] == recording["headers"]["location"].replace(
            recorded_etag, etag
        )
        assert response.text == recording["body"].replace(recorded_etag, etag)
        file_response = httpx.get(url, follow_redirects=True)
        assert (file_response.content, file_response.headers["etag"]) == (b"{}", f'"{etag}"')


def test_file_range_is_sent(tmp_path):
    (tmp_path / "w.bin").write_bytes(b"0123456789")
    row = {"_id": "6" * 24, "id": "ann/x"}
    with (
        FakeHub(Population.from_rows([row], folders={"ann/x": tmp_path})) as hub,
        httpx.Client(base_url=hub.url, follow_redirects=True) as client,
    ):
        for range_header, status, body in [
            ("bytes=4-", 206, b"456789"),
            ("bytes=4-5", 206, b"45"),
            ("bytes=10-", 416, b""),
            (None, 200, b"0123456789"),
        ]:
            headers = {"range": range_header} if range_header else {}
            response = client.get("/ann/x/resolve/main/w.bin", headers=headers)
            assert (response.status_code, response.content) == (status, body)
        head = client.head("/ann/x/resolve/main/w.bin")
        assert (head.headers["content-length"], head.content) == ("10", b"")


def test_closed_hub_closes_its_connections():
    with httpx.Client() as client:
        with FakeHub(Population.from_rows(ROWS)) as hub:
            assert client.get(f"{hub.url}/api/models").is_success
        with pytest.raises(httpx.TransportError):
            client.get(f"{hub.url}/api/models")


def test_drift_makes_the_default_order_skip_models():
    rows = [dict(ROWS[0], _id=f"62{n:022x}", id=f"a/{n}", trendingScore=n) for n in range(40)]
    with FakeHub(Population.from_rows(rows), faults=Faults({"drift": 1.0})) as hub:
        response, models = httpx.get(f"{hub.url}/api/models?limit=2"), []
        while "next" in response.links:
            models += [model["id"] for model in response.json()]
            response = httpx.get(response.links["next"]["url"])
        assert len(set(models)) < 40


def test_prepared_pages_equal_rendered_pages():
    target = "/api/models?sort=createdAt&direction=1&expand=tags&limit=100"
    with FakeHub(Population.synthetic(350, seed=1)) as hub:
        rendered = httpx.get(hub.url + target)
    with FakeHub(Population.synthetic(350, seed=1)) as hub:
        assert hub.prepare(target) == 4
        prepared_response = httpx.get(hub.url + target)
    assert prepared_response.json() == rendered.json()


def test_dump_without_ids_can_be_served(shared_data):
    population = Population.from_file(shared_data / "hub-2022-02.jsonl.gz")
    with FakeHub(population, quota=None) as hub:
        model = httpx.get(f"{hub.url}/api/models/gpt2").json()
    assert len(population) == 29_432
    assert {"pytorch", "tf"} <= set(model["tags"])


def test_unknown_fault_is_refused():
    with pytest.raises(ValueError, match="Unknown fault flood"):
        Faults({"flood": 1.0})


def test_filters_by_size_app_and_provider():
    small_model = {"_id": "7" + "0" * 23, "id": "a/small", "safetensors": {"total": 5_000_000}}
    large_model: dict[str, Any] = {
        "_id": "7" + "1" * 23,
        "id": "a/large",
        "gguf": {"total": 7_000_000_000},
    }
    large_model |= {"tags": ["gguf"], "inference": "warm", "pipeline_tag": "text-generation"}
    large_model["inferenceProviderMapping"] = [{"provider": "sky", "status": "live"}]
    with FakeHub(Population.from_rows([small_model, large_model]), quota=None) as hub:

        def list_ids(**filters):
            response = httpx.get(f"{hub.url}/api/models", params=filters)
            return response.status_code, {model["id"] for model in response.json() if "id" in model}

        assert list_ids(num_parameters="min:6B,max:128B") == (200, {"a/large"})
        assert list_ids(num_parameters="max:5M") == (200, {"a/small"})
        assert list_ids(apps="ollama") == (200, {"a/large"})
        assert list_ids(inference="warm") == (200, {"a/large"})
        assert list_ids(inference_provider="all") == (200, {"a/large"})
        assert list_ids(inference_provider="sea,sky") == (200, {"a/large"})
        assert list_ids(inference_provider="sea") == (200, set())
        assert list_ids(num_parameters="huge")[0] == 400

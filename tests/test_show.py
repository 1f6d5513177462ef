"""`hfscan show`: a model, an account and a family over snapshots, in each format."""

import csv
import json
import re
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from dumps import DAY, ingest_models
from model_history import OTHERS, model, write_history

import hfscan
from hfscan.scope import Scope
from hfscan.store import CreationDate, Store, record_dates


@pytest.fixture
def history(tmp_path):
    """Return `write_history` for the test's folder."""
    return partial(write_history, tmp_path)


@pytest.fixture(scope="module")
def changed(tmp_path_factory):
    """A model that is renamed on day 1 and changed on day 2, gone on day 3, and back on day 4."""
    first = model(1, "ann/a", siblings=[{"rfilename": "config.json"}])
    renamed = first | {"id": "ann/b", "downloads": 40}
    files = [{"rfilename": name} for name in ("config.json", "model.safetensors")]
    grown = renamed | {
        "siblings": files,
        "tags": ["license:apache-2.0"],
        "pipeline_tag": "fill-mask",
    }
    days = [[first], [renamed], [grown], [], [grown | {"downloads": None}]]
    folder = tmp_path_factory.mktemp("changed")
    return write_history(folder, *([*models, *OTHERS] for models in days))


def test_show_prints_course_and_events(run_cli, changed):
    code, text, errors = run_cli("show", "ann/a", "--db", changed)
    assert code == 0, errors
    words = " ".join(text.split())
    assert words.startswith(
        "ann/b It was created on 10 July 2024. It is in 4 snapshots from 11 July"
    )
    assert "Other names: ann/a." in words
    assert "Downloads, 30 days ▁██ 10 40 10 40" in words
    assert "renamed 2024-07-11 2024-07-12 ann/b ann/a" in words
    assert "license 2024-07-12 2024-07-13 apache-2.0 mit" in words
    assert "task 2024-07-12 2024-07-13 fill-mask -" in words
    assert "files 2024-07-12 2024-07-13 model.safetensors -" in words
    assert "gone 2024-07-13 2024-07-14" in words
    assert "back 2024-07-14 2024-07-15" in words


def read_tiles(page):
    """Return (value, name, day) of each tile of a page."""
    text = page.read_text().replace("\N{NO-BREAK SPACE}", " ")
    return re.findall(r"<b>(.+?)</b> <span>(.+?)</span>.*?<small>(.+?)</small>", text, re.S)


def test_last_known_values_have_their_dates(run_cli, changed, tmp_path):
    """The last snapshot does not know the downloads of the model."""
    run_cli("show", "ann/b", "--db", changed, "--out", "model.html")
    assert read_tiles(tmp_path / "model.html") == [
        ("40", "downloads", "in 30 days, 13 July 2024"),
        ("1", "likes", "15 July 2024"),
        ("2", "files", "15 July 2024"),
    ]


@pytest.mark.parametrize("name", ["ann/a", "ann/b", f"{1:024x}"])
def test_api_gives_the_same_rows_by_every_name(changed, name):
    with hfscan.open_database(changed) as database:
        history, events = database.history(name), database.events(name)
    assert [row["is_there"] for row in history] == [True, True, True, False, True]
    assert [row["downloads"] for row in history] == [10, 40, 40, None, None]
    names = "created, first seen, renamed, license, task, frameworks, files, gone, back"
    assert [row["event"] for row in events] == names.split(", ")


def test_what_a_snapshot_does_not_know_did_not_change(history):
    full = model(1, "ann/a", siblings=[{"rfilename": "config.json"}], library_name="timm")
    plain = {key: full[key] for key in ("_id", "id", "createdAt", "downloads")}
    without = [{"_id": other["_id"], "id": other["id"]} for other in OTHERS]
    path = history([full, *OTHERS], [plain, *without], [full, *OTHERS])
    with hfscan.open_database(path) as database:
        assert [row["event"] for row in database.events("ann/a")] == ["created", "first seen"]
        assert [row["tags"] for row in database.history("ann/a")] == [1, None, 1]


@pytest.mark.parametrize(
    "options", [{"complete": None}, {"complete": False}, {"scope": Scope(limit=500)}], ids=str
)
def test_model_is_not_gone_where_a_snapshot_may_lack_it(history, options):
    one = model(1, "ann/a")
    path = history([one, *OTHERS], OTHERS, [one, *OTHERS], day_1=options)
    with hfscan.open_database(path) as database:
        assert [row["event"] for row in database.events("ann/a")] == ["created", "first seen"]
        assert [row["event"] for row in database.events("ann")] == []


def test_partial_snapshot_ends_nothing_and_is_noted(run_cli, history):
    one = model(1, "ann/a")
    path = history([one, *OTHERS], OTHERS[:50], [one, *OTHERS])
    with hfscan.open_database(path) as database:
        assert len(database.history("ann/a")) == 2
        rows = [(row["is_partial"], row["models"]) for row in database.history("ann")]
        assert rows == [(False, 1), (True, None), (False, 1)]
        assert not database.events("ann")
    _, text, _ = run_cli("show", "ann", "--db", path)
    assert "DATA QUALITY, snapshot 2: 50 models" in text


def test_account_gains_loses_and_hands_over_models(run_cli, history):
    created = (DAY + timedelta(hours=1)).isoformat()
    a, b, c = (model(number, f"ann/{name}") for number, name in enumerate("abc", 1))
    new = model(4, "ann/new", createdAt=created)
    days = [[a, b, c], [a, b | {"id": "ann/b2"}, new], [a, new, c, b | {"id": "bob/b2"}]]
    path = history(*([*models, *OTHERS] for models in days))
    with hfscan.open_database(path) as database:
        assert [(row["models"], row["downloads"]) for row in database.history("ann")] == [
            (3, 60), (3, 70), (3, 80),
        ]  # fmt: skip
        events = [(row["event"], row["names"]) for row in database.events("ann")]
    assert events == [
        ("born", ["ann/new"]),
        ("gone", ["ann/c"]),
        ("renamed", ["ann/b -> ann/b2"]),
        ("back", ["ann/c"]),
        ("moved away", ["ann/b2 -> bob/b2"]),
    ]
    _, text, _ = run_cli("show", "ann", "--db", path)
    words = " ".join(text.split())
    assert "models came 2 times, went away once, were renamed 2 times." in words


def test_model_of_the_cutoff_is_not_younger_than_its_first_snapshot(run_cli, tmp_path):
    """The Hub dates models from before 2 March 2022 to that day."""
    path, one = tmp_path / "h.duckdb", {"id": "ann/a", "tags": ["tf"]}
    ingest_models(path, [one], day=datetime(2022, 2, 15, tzinfo=UTC))
    dated = one | {"createdAt": "2022-03-02T23:29:04.000Z"}
    ingest_models(path, [dated, dated | {"id": "ann/b"}], day=DAY)
    for name, day, seen in (("ann/a", "15 February 2022", 15), ("ann/b", "2 March 2022", None)):
        _, text, _ = run_cli("show", name, "--db", path)
        sentence = f"It was created on or before {day}; the Hub does not know when."
        assert sentence in " ".join(text.split())
        with hfscan.open_database(path) as database:
            created, first_seen = database.events(name)[:2]
        assert (created["event"], first_seen["event"]) == ("created", "first seen")
        assert created["since"] is None
        assert created["until"] <= first_seen["until"]
        assert seen is None or created["until"] == datetime(2022, 2, seen)


def test_redirected_name_without_ids_is_a_rename(history, tmp_path):
    old, new = (
        [{"id": name, "tags": []}, *({"id": m["id"]} for m in OTHERS)] for name in ("a", "b")
    )
    path = history(old, new)
    with hfscan.open_database(path) as database:
        assert [row["event"] for row in database.events("a")] == ["first seen", "gone"]
    with Store.open(path, write=True) as store:
        record_dates(store, [CreationDate("a", None, "b")], kind="first commit", origin="o")
    with hfscan.open_database(path) as database:
        for name in ("a", "b"):
            assert [row["event"] for row in database.events(name)] == ["first seen", "renamed"]


def test_family_is_followed(history):
    base = model(1, "ann/base")
    tuned = model(2, "bob/tuned", tags=["base_model:ann/base"])
    path = history([base, *OTHERS], [base, tuned, *OTHERS], [base, *OTHERS, tuned | {"likes": 9}])
    with hfscan.open_database(path) as database:
        assert [row["models"] for row in database.history("family:ann/base")] == [1, 2, 2]
        assert [row["likes"] for row in database.history("family:bob/tuned")] == [1, 3, 10]
        assert [row["names"] for row in database.events("family:ann/base")] == [["bob/tuned"]]


@pytest.fixture(scope="module", params=[True, None, False])
def partial_newest(request, tmp_path_factory):
    """A base, from day 1 on with two derivatives; the snapshot of day 2 lacks most models."""
    family = [
        model(1, "ann/base"),
        *(model(n, f"bob/{n}", tags=["base_model:ann/base"]) for n in (2, 3)),
    ]
    days = [*family[:1], *OTHERS], [*family, *OTHERS], family[:2]
    folder = tmp_path_factory.mktemp("partial")
    return write_history(folder, *days, day_2={"complete": request.param})


@pytest.mark.parametrize(
    ("name", "models"), [("family:ann/base", 3), ("family:bob/2", 3), ("bob", 2)]
)
def test_partial_newest_snapshot_answers_for_no_group(run_cli, partial_newest, name, models):
    """The page, its table and the API count by one snapshot, the newest that lacks no part."""
    path = partial_newest
    with hfscan.open_database(path) as database:
        rows = [row for row in database.history(name) if not row["is_partial"]]
        assert [row["models"] for row in rows][-1] == models
        assert [row["models"] for row in database.history(name) if row["is_partial"]] in (
            [],
            [None],
        )
        assert sum(row["models"] for row in database.events(name)) == 2
    code, text, errors = run_cli("show", name, "--db", path)
    assert code == 0, errors
    words = " ".join(text.split())
    assert f"{models} models in the snapshot of 12 July 2024; {models - 2} in" in words
    assert re.search(rf"Models ▁█ {models - 2} {models} {models - 2} {models} ", words)


def test_family_of_a_deleted_base_ignores_case(run_cli, history, tmp_path):
    """The downloads of 12 July are unknown."""
    tuned = [model(n, f"bob/{n}", tags=["base_model:ann/base"]) for n in (2, 3)]
    unknown = [row | {"downloads": None} for row in tuned]
    path = history([model(1, "Ann/Base"), *tuned, *OTHERS], [*unknown, *OTHERS])
    code, _, errors = run_cli("show", "family:Ann/Base", "--db", path, "--out", "family.html")
    assert code == 0, errors
    assert read_tiles(tmp_path / "family.html") == [
        ("2", "models", "12 July 2024"),
        ("50", "downloads", "in 30 days, 11 July 2024"),
        ("5", "likes", "12 July 2024"),
    ]


def test_sums_say_of_how_many_models_they_are(run_cli, history, tmp_path):
    """The downloads of one of three models are unknown on 11 July, and of two on 12 July."""
    models = [model(n, f"ann/{n}") for n in (1, 2, 3)]
    days = [
        models[:count] + [one | {"downloads": None} for one in models[count:]] for count in (2, 1)
    ]
    path = history(*([*day, *OTHERS] for day in days), [*models, *OTHERS])
    for format_ in ("terminal", "md", "json"):
        text = " ".join(run_cli("show", "ann", "--format", format_, "--db", path)[1].split())
        assert (
            "Downloads are known for 2 of 3 models (11 July 2024), 1 of 3 models (12 July 2024). "
            "Sums leave the others out." in text
        )
        assert "Likes are known" not in text
    run_cli("show", "ann", "--db", path, "--out", "ann.html")
    assert ("60", "downloads", "in 30 days, 13 July 2024") in read_tiles(tmp_path / "ann.html")
    page = re.sub("<.*?>", "", (tmp_path / "ann.html").read_text())
    assert "3 snapshots of the Hugging Face Hub, 2024-07-11 to 2024-07-13." in page


def test_last_sum_says_of_how_many_models_it_is(run_cli, history, tmp_path):
    models = [model(1, "ann/1"), model(2, "ann/2", downloads=None)]
    path = history([*models, *OTHERS])
    run_cli("show", "ann", "--db", path, "--out", "ann.html")
    tile = ("10", "downloads", "in 30 days, 11 July 2024, of 1 of 2 models")
    assert tile in read_tiles(tmp_path / "ann.html")


def test_names_are_found_in_other_case(run_cli, changed):
    for name, title in (("ANN/B", "ann/b"), ("Ann/A", "ann/b"), ("ANN", "ann"),
                        ("family:ANN/a", "The family of ann/b")):  # fmt: skip
        code, out, err = run_cli("show", name, "--db", changed)
        assert (code, out.splitlines()[0]) == (0, title), err


def test_unknown_name_suggests_similar_ones(run_cli, changed):
    for name, similar in (("ann/c", "ann/a"), ("family:bob/b", "ann/b"), ("anne", "ann")):
        code, _, errors = run_cli("show", name, "--db", changed)
        assert code == 7
        assert similar in errors.split("Similar names: ")[1]
    assert "Similar" not in run_cli("show", "nothing/like-it", "--db", changed)[2]
    _, _, errors = run_cli("show", "family:ann", "--db", changed)
    assert "ann is an account, and a family is that of a model." in " ".join(errors.split())
    assert "Similar names: ann/a, ann/b." in run_cli("show", "family:anne", "--db", changed)[2]


@pytest.mark.parametrize("name", ["/", "a/", "b"])
def test_short_names_have_few_similar_ones(run_cli, history, name):
    """Two typing errors would make any of them."""
    path = history([model(1, "x/y"), model(2, "c/d"), model(3, "abc/e"), *OTHERS])
    _, _, errors = run_cli("show", name, "--db", path)
    assert errors.strip() == f"Error: No snapshot holds a model or account {name!r}."


def test_account_without_models_has_no_downloads(run_cli, history, tmp_path):
    """Those of an earlier day would stand beside 0 models."""
    one = model(1, "ann/a")
    path = history(OTHERS, [one, *OTHERS], OTHERS)
    _, text, _ = run_cli("show", "ann", "--db", path)
    words = " ".join(text.split())
    assert "0 models in the snapshot of 13 July 2024; 0 in that of 11 July 2024." in words
    assert re.search("Models ▁█▁ 0 0 0 1 Downloads, 30 days ▁█▁ 0 0 0 10 Likes ▁█▁ 0 0 0 1 ", words)
    run_cli("show", "ann", "--db", path, "--out", "ann.html")
    assert read_tiles(tmp_path / "ann.html") == [
        ("0", "models", "13 July 2024"),
        ("0", "downloads", "in 30 days, 13 July 2024"),
        ("0", "likes", "13 July 2024"),
    ]
    with hfscan.open_database(path) as database:
        assert database.query("group_summary", author="ann").notes == ()


@pytest.mark.parametrize("name", ["gpt2", "family:gpt2"])  # leads to openai-community/gpt2
def test_name_that_leads_to_a_model_of_no_snapshot(run_cli, changed, name):
    code, _, errors = run_cli("show", name, "--db", changed)
    assert code == 7
    assert errors.startswith("Error: No snapshot holds a model")


def test_files_have_the_same_numbers(run_cli, changed, tmp_path):
    run_cli("show", "ann/b", "--db", changed, "--out", "out", "--format", "json", "--format", "csv")
    document = json.loads((tmp_path / "out" / "model.json").read_text())
    history, events = (table["rows"] for table in document["tables"])
    assert document["summary"]["id"] == "ann/b"
    assert [row["likes"] for row in history] == [1, 1, 1, None, 1]
    assert events[-1]["event"] == "back"
    with (tmp_path / "out" / "model-csv" / "history.csv").open(newline="") as file:
        assert [row["likes"] for row in csv.DictReader(file)] == ["1", "1", "1", "", "1"]


def test_page_escapes_what_the_hub_says(run_cli, history, tmp_path):
    hostile = "<script>alert(1)</script>"
    one = model(1, "ann/a", tags=["x"])
    path = history([one, *OTHERS], [one | {"tags": ["x", hostile, "\x1b[31m{id}"]}, *OTHERS])
    run_cli("show", "ann/a", "--db", path, "--out", "model.html")
    page = (tmp_path / "model.html").read_text()
    assert hostile not in page
    assert "&lt;script&gt;alert(1)" in page
    _, text, _ = run_cli("show", "ann/a", "--db", path)
    assert "\x1b" not in text
    assert "{id}" in text


def test_account_in_one_snapshot_has_no_changes(run_cli, history):
    code, text, errors = run_cli("show", "ann", "--db", history([model(1, "ann/a"), *OTHERS]))
    assert code == 0, errors
    answer = " ".join(text.partition("Source:")[0].split())
    assert answer == (
        "ann 1 model in the snapshot of 11 July 2024. "
        "Changes show between two complete snapshots of the Hub."
    )


def test_account_without_changes_says_so(run_cli, history):
    models = [model(1, "ann/a"), *OTHERS]
    code, text, errors = run_cli("show", "ann", "--db", history(models, models))
    assert code == 0, errors
    assert "; 1 in that of 11 July 2024. " in text
    assert "no model came, went away or was renamed." in text


def test_account_in_incomplete_snapshots_says_why(run_cli, history):
    db = history([model(1, "ann/a")], day_0={"complete": False})
    code, _, errors = run_cli("show", "ann", "--db", db)
    assert code == 7
    assert "incomplete snapshots do not" in errors


def test_many_partial_snapshots_have_one_note(run_cli, history):
    new = model(2, "ann/new", createdAt=(DAY + timedelta(days=3)).isoformat())
    few, all_models = [model(1, "ann/a"), *OTHERS[:50]], [model(1, "ann/a"), new, *OTHERS]
    db = history(*[few, all_models] * 4)
    code, text, errors = run_cli("show", "ann/a", "--db", db)
    assert code == 0, errors
    assert text.count("DATA QUALITY") == 1
    assert "4 snapshots lack a part of their models: 1, 3, 5, 7." in text

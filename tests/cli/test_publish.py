"""`hfscan publish` with the real client against the fake Hub's upload routes."""

import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
import yaml
from processes import TOKEN, run_hfscan
from testhub import Dataset, FakeHub, Population

from hfscan.pipeline import crawl
from hfscan.scope import Scope


@pytest.fixture
def hub_class():
    return FakeHub


@pytest.fixture
def hub(hub_class):
    rows = [dict(model) for model in Population.synthetic(400, seed=3)]
    rows[7] |= {"private": True, "id": "ann/secret-model"}
    rows[8] |= {"gated": "manual", "id": "bob/gated-model"}
    tokens = {TOKEN: "ann", "hf_other": "bob"}
    with hub_class(Population.from_rows(rows), quota=None, tokens=tokens) as hub:
        yield hub


YEAR = Scope(since=datetime(2022, 1, 1, tzinfo=UTC), until=datetime(2023, 1, 1, tzinfo=UTC))
"""A scope that has one report: an export is then fast."""


@pytest.fixture
def db(request, hub, tmp_path) -> Path:
    db = tmp_path / "h.duckdb"
    crawl(getattr(request, "param", Scope()), endpoint=hub.url, token=TOKEN, db=db)
    return db


@pytest.fixture
def publish(hub, db, tmp_path):
    def run_publish(*arguments, token=TOKEN, code=0, **variables):
        variables = {"HF_ENDPOINT": hub.url, "HFSCAN_DB": str(db), **variables}
        variables |= {"HF_TOKEN": token} if token else {}
        exit_code, out, err = run_hfscan(tmp_path, "publish", *arguments, **variables)
        assert exit_code == code, err
        return out if code == 0 else err

    return run_publish


@pytest.mark.parametrize("db", [YEAR], indirect=True, ids=["2022"])
def test_publish_commits_changes_only(hub, db, publish) -> None:
    out = publish("ann/census")
    assert out.startswith(f"Published {hub.url}/datasets/ann/census (commit ")
    dataset = hub.datasets["ann/census"]
    assert not dataset.private
    assert len(dataset.commits) == 1
    assert dataset.commits[0].startswith("Census of 20")
    assert "52 models" in dataset.commits[0]
    card = dataset.files["README.md"].decode()
    assert "hf://datasets/ann/census/models/*.parquet" in card

    first_files = dict(dataset.files)
    # by the option too, of which huggingface_hub's own constants know nothing
    option, other = ("--endpoint", hub.url), "https://huggingface.co"
    assert publish("ann/census", *option, HF_ENDPOINT=other).startswith("No changes at")
    assert (dataset.files, len(dataset.commits)) == (first_files, 1)

    # later, without the models of one file: it is deleted, a file of the user stays
    dataset.files["notes.md"] = b"mine"
    cutoff = [key for key in hub.population.ids if key < "6220"]
    for key in cutoff:
        hub.population.delete(key)
    crawl(YEAR, endpoint=hub.url, token=TOKEN, db=db)
    assert publish("ann/census", *option, HF_ENDPOINT=other).startswith("Published")
    assert len(dataset.commits) == 2
    assert "models/cutoff.parquet" in first_files
    assert "models/cutoff.parquet" not in dataset.files
    assert dataset.files["notes.md"] == b"mine"


def test_published_files_hold_no_secret(hub, publish, tmp_path) -> None:
    publish("ann/census", "--license", "cc0-1.0")
    files = hub.datasets["ann/census"].files
    assert not any(secret in body for body in files.values()
        for secret in (TOKEN.encode(), b"secret-model"))  # fmt: skip
    for name, body in files.items():
        path = tmp_path / "read" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    assert b"license: cc0-1.0" in files["README.md"]
    with duckdb.connect() as connection:
        models = f"'{tmp_path}/read/models/*.parquet'"
        model_count = connection.execute(f"SELECT count(*) FROM {models}").fetchone()
        assert model_count == (399,)
        gated = connection.execute(f"SELECT gated FROM {models} WHERE id = 'bob/gated-model'")
        assert gated.fetchall() == [("manual",)]
        secret_rows = connection.execute(f"SELECT * FROM {models} WHERE id LIKE '%secret%'")
        assert secret_rows.fetchall() == []


@pytest.mark.parametrize("db", [YEAR], indirect=True, ids=["2022"])
def test_publish_writes_the_report_as_a_space(hub, publish) -> None:
    out = publish("ann/census", "--space", "ann/report")
    assert f"Published {hub.url}/spaces/ann/report (commit " in out
    space = hub.datasets["spaces:ann/report"]
    assert set(space.files) == {"README.md", "index.html"}
    _, front_matter, _ = space.files["README.md"].decode().split("---\n", 2)
    metadata = yaml.safe_load(front_matter)
    assert (metadata["sdk"], metadata["datasets"]) == ("static", ["ann/census"])
    assert b"<!doctype html>" in space.files["index.html"]
    assert TOKEN.encode() not in space.files["index.html"]
    refusal = publish("ann/census", "--space", "bob/report", code=4)
    assert "The Space bob/report cannot be published: " in refusal


@pytest.mark.parametrize("db", [YEAR], indirect=True, ids=["2022"])
def test_card_queries_run(hub, publish, tmp_path) -> None:
    """Those of DuckDB and datasets read the fake Hub, DuckDB by the official client's file system.

    Polars can read only the public Hub: its query runs on a copy.
    """
    publish("ann/census")
    card = hub.datasets["ann/census"].files["README.md"].decode()
    blocks = dict(re.findall(r"^(\w+)[^\n]*:\n\n```\w+\n(.*?)```$", card, re.MULTILINE | re.DOTALL))
    assert set(blocks) == {"DuckDB", "Polars", "datasets", "hfscan"}
    copy = tmp_path / "copy"
    code = f"""
import datetime, duckdb, huggingface_hub, importlib.util
class Files(huggingface_hub.HfFileSystem):  # DuckDB needs a time, which it has for buckets only
    def modified(self, path):
        return datetime.datetime(2024, 1, 1)
connection = duckdb.connect()
connection.register_filesystem(Files())
rows = connection.execute({blocks["DuckDB"]!r}).fetchall()
huggingface_hub.snapshot_download("ann/census", repo_type="dataset", local_dir={str(copy)!r})
{blocks["Polars"].replace("hf://datasets/ann/census", copy.as_posix())}
assert models.collect().height == sum(count for _, count in rows) > 0
if importlib.util.find_spec("datasets"):
    {blocks["datasets"].replace(chr(10), chr(10) + "    ")}
    assert len(models) == sum(count for _, count in rows)
print(rows)
"""
    variables = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")}
    process = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | variables, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert "pytorch" in process.stdout
    assert (
        blocks["hfscan"] == "hfscan report --from hf://datasets/ann/census\n"
    )  # test_published.py


@pytest.mark.parametrize("db", [YEAR], indirect=True, ids=["2022"])
def test_publish_keeps_the_newer_snapshot(hub, db, publish) -> None:
    """An older snapshot replaces it only on request; each is tagged with its day."""
    with duckdb.connect(db) as connection:
        connection.execute(
            "INSERT INTO snapshots SELECT * REPLACE (2 AS id, TIMESTAMP '2024-07-11 10:00' AS "
            "observed_to, position + 1 AS position) FROM snapshots"
        )
        connection.execute("UPDATE snapshots SET observed_to = '2022-02-15 08:00' WHERE id = 1")
    publish("ann/census")
    dataset = hub.datasets["ann/census"]
    newer = dict(dataset.files)
    assert set(dataset.tags) == {"2024-07-11"}
    message = publish("ann/census", "--snapshot", "1", code=2)
    assert "holds the snapshot of 2024-07-11 10:00, which is newer than snapshot 1 of" in message
    assert "--allow-older" in message
    assert dataset.files == newer
    assert publish("ann/census", "--snapshot", "1", "--allow-older").startswith("Published")
    assert dataset.files != newer
    assert set(dataset.tags) == {"2024-07-11", "2022-02-15"}
    assert publish("ann/census").startswith("Published")
    assert dataset.files == newer
    assert set(dataset.tags) == {"2024-07-11", "2022-02-15"}


class BusyHub(FakeHub):
    """Something else publishes to `busy` just before the first request for `url_part`."""

    busy, url_part = "", "none"

    def answer(self, method: str, target: str, *rest, **options):
        if self.url_part in target:
            self.url_part = "none"
            repo = self.datasets.setdefault(self.busy, Dataset())
            repo.add_commit({"theirs.md": b"theirs"}, "Published meanwhile", datetime.now(UTC))
        return super().answer(method, target, *rest, **options)


@pytest.mark.parametrize("db", [YEAR], indirect=True, ids=["2022"])
@pytest.mark.parametrize("hub_class", [BusyHub])
@pytest.mark.parametrize("is_new", [True, False])
@pytest.mark.parametrize("busy", ["datasets:ann/census", "spaces:ann/report"])
def test_concurrent_publish_is_not_overwritten(hub, publish, busy, is_new) -> None:
    """Nor if it creates what did not exist before. The next run succeeds."""
    kind, _, name = busy.partition(":")
    hub.busy = busy.removeprefix("datasets:")
    arguments = ("ann/census", "--space", "ann/report")
    if kind == "spaces" or not is_new:
        publish(*(arguments[:1] if is_new else arguments))
    if not is_new:
        hub.datasets[hub.busy].add_commit({"README.md": b"old"}, "Older", datetime.now(UTC))
    hub.url_part = "/api/repos/create" if is_new else f"/api/{kind}/{name}/preupload/"
    message = publish(*arguments, code=4)
    assert f"{name} cannot be published: " in message
    assert "Something else has changed it meanwhile. Run the same command again." in message
    assert hub.datasets[hub.busy].commits[-1] == "Published meanwhile"
    assert f"Published {hub.url}/{kind}/{name} " in publish(*arguments)
    assert hub.datasets[hub.busy].files["theirs.md"] == b"theirs"


class CrowdedHub(FakeHub):
    """Something else publishes to ann/census just after each commit of hfscan."""

    def answer(self, method: str, target: str, *rest, **options):
        response = super().answer(method, target, *rest, **options)
        if target.endswith("/commit/main"):
            theirs = {"theirs.md": str(len(self.datasets["ann/census"].commits)).encode()}
            self.datasets["ann/census"].add_commit(theirs, "Published after", datetime.now(UTC))
        return response


@pytest.mark.parametrize("db", [YEAR], indirect=True, ids=["2022"])
@pytest.mark.parametrize("hub_class", [CrowdedHub])
def test_publish_tags_its_own_commit(hub, publish) -> None:
    out = publish("ann/census")
    dataset = hub.datasets["ann/census"]
    (tagged,) = dataset.tags.values()
    assert dataset.commits[-1] == "Published after"
    assert tagged.startswith(re.search(r"commit (\w{12})", out)[1])
    assert tagged != dataset.sha


@pytest.mark.parametrize("db", [YEAR], indirect=True, ids=["2022"])
def test_unreadable_published_snapshot_is_not_replaced(hub, publish) -> None:
    publish("ann/census")
    dataset = hub.datasets["ann/census"]
    damaged = {name: b"PAR1 damaged" for name in dataset.files if name.startswith("snapshots/")}
    dataset.add_commit(damaged, "Damage", datetime.now(UTC))
    message = publish("ann/census", code=8)
    assert "ann/census holds snapshots/*.parquet of which the time cannot be read" in message
    assert "--allow-older replaces it" in message
    assert dataset.commits[-1] == "Damage"
    assert publish("ann/census", "--allow-older").startswith("Published")
    assert publish("ann/census").startswith("No changes")


@pytest.mark.parametrize("db", [YEAR], indirect=True, ids=["2022"])
def test_publish_refuses_wrong_targets(hub, publish) -> None:
    publish("ann/hidden", "--private")
    assert hub.datasets["ann/hidden"].private
    assert publish("ann/hidden").startswith("No changes")
    publish("ann/open")
    assert "already public" in publish("ann/open", "--private", code=4)
    assert "requires a token" in publish("ann/census", token=None, code=4)
    assert "token was refused" in publish("ann/census", token="hf_wrong", code=4)
    refusal = publish("bob/census", code=4)
    assert "The dataset bob/census cannot be published: " in refusal
    assert "Use a token that may do this" in refusal
    assert "cannot be published" in publish("not a name", code=4)
    assert "HF_HUB_OFFLINE" in publish("ann/census", code=3, HF_HUB_OFFLINE="1")
    assert "127.0.0.1:9" in publish("ann/census", "--endpoint", "http://127.0.0.1:9", code=3)
    assert set(hub.datasets) == {"ann/hidden", "ann/open"}

"""Several workers, from both ends and from saved cursors, return each model exactly once."""

import itertools
import random
import re
from base64 import b64decode, b64encode
from collections import Counter
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import parse_qs, urlsplit

import fetching
import msgspec
import pytest
from processes import run_hfscan
from servers import RawServer, Send, make_response, serve_script
from testhub import FakeHub, Faults, Population

from hfscan import hub
from hfscan.errors import HubRefusedError, InvalidResponseError
from hfscan.hub.cursor import SavedCursors

POPULATION = Population.synthetic(1_000, seed=3)
IDS = list(POPULATION.ids)


def start_hub(population: Population = POPULATION, **options: Any) -> FakeHub:
    return FakeHub(population, **{"quota": None, "page_size": 10} | options)


def run_fetch(server: FakeHub, root: Path, **options: Any) -> hub.FetchResult:
    return fetching.run_fetch(server, root / "journal", saved_cursors=root / "cursors", **options)


def read_models(result: hub.FetchResult) -> list[dict[str, Any]]:
    return sorted(fetching.read_models(result), key=lambda model: model["_id"])


def read_ids(result: hub.FetchResult) -> list[str]:
    return [model["_id"] for model in read_models(result)]


def save_cursors(server: FakeHub, root: Path, workers: int = 1) -> None:
    result = run_fetch(server, root, workers=workers, resume=False)
    assert result.saved_cursors is not None
    result.saved_cursors.save(root / "cursors")
    result.discard()
    server.requests.clear()


def copy_cursors(root: Path, server: FakeHub, other: FakeHub) -> None:
    """Save the cursors of one server for another server."""
    saved_cursors = SavedCursors.load(root / "cursors", server.url)
    assert saved_cursors is not None
    msgspec.structs.replace(saved_cursors, endpoint=other.url).save(root / "cursors")


def list_cursors(server: FakeHub) -> list[str]:
    values = (
        parse_qs(urlsplit(request.target).query).get("cursor", [""])[0]
        for request in server.requests
    )
    return [b64decode(cursor).decode() for cursor in values if cursor]


def test_two_workers_meet(tmp_path: Path) -> None:
    with start_hub(latency=0.005) as server:
        result = run_fetch(server, tmp_path, workers=2)
        assert read_ids(result) == IDS
        assert result.models == len(IDS)
        ascending = sum("direction=1" in request.target for request in server.requests)
        assert 20 < ascending < 80
        # plus a page where they meet, and one for models created meanwhile
        assert len(server.requests) <= 100 + 3


@pytest.mark.parametrize("workers", [3, 8, 32])
@pytest.mark.parametrize("earlier", [1, 2])
def test_workers_start_at_saved_cursors(tmp_path: Path, workers: int, earlier: int) -> None:
    with start_hub(latency=0.002) as server:
        save_cursors(server, tmp_path, earlier)
        result = run_fetch(server, tmp_path, workers=workers)
        assert read_ids(result) == IDS
        assert result.workers in (workers, workers + 1)
        assert len(server.requests) <= 100 + 2 * workers
        if earlier == 1:
            assert result.workers == workers
        assert result.saved_cursors is not None
        result.saved_cursors.save(tmp_path / "cursors")
        result.discard()
        assert read_ids(run_fetch(server, tmp_path, workers=5)) == IDS


def test_saved_cursors_are_the_hubs_in_order(tmp_path: Path) -> None:
    with start_hub() as server:
        run_fetch(server, tmp_path, workers=1)
        issued = set(list_cursors(server))
        save_cursors(server, tmp_path)
        saved_cursors = SavedCursors.load(tmp_path / "cursors", server.url)
        assert saved_cursors is not None
        assert {b64decode(point.cursor).decode() for point in saved_cursors.cursors} <= issued
        assert [point.id for point in saved_cursors.cursors] == IDS[9:-1:10]
        assert SavedCursors.load(tmp_path / "cursors", "http://other") is None
        data = (tmp_path / "cursors").read_bytes()
        for content in (b"", b"{", data[:-9], data.replace(b"6", b"7", 1)):
            (tmp_path / "cursors").write_bytes(content)
            assert SavedCursors.load(tmp_path / "cursors", server.url) is None
        assert (
            read_ids(run_fetch(server, tmp_path, workers=8)) == IDS
        )  # from both ends, without saved cursors


def test_short_crawl_saves_no_cursors(tmp_path: Path) -> None:
    with start_hub(page_size=100) as server:
        assert run_fetch(server, tmp_path).saved_cursors is None


class CursorIgnoringHub(FakeHub):
    """Ignores the cursors of earlier crawls and starts at the end of the list."""

    own_cursors: frozenset[str] = frozenset()

    def answer(self, method: str, target: str, *rest: Any) -> Any:
        match = re.search(r"cursor=([^&]+)", target)
        if match and match[1] not in self.own_cursors:
            target = target.replace(f"&cursor={match[1]}", "")
        response = super().answer(method, target, *rest)
        issued_match = re.search(r"cursor=([^&>]+)", response.headers.get("link", ""))
        if issued_match:
            self.own_cursors |= {issued_match[1]}
        return response


def test_ignored_cursor_falls_back_to_one_worker(tmp_path: Path) -> None:
    with start_hub() as server:
        save_cursors(server, tmp_path)
        with (other := CursorIgnoringHub(POPULATION, quota=None, page_size=10)):
            copy_cursors(tmp_path, server, other)
            other.own_cursors = frozenset()
            result = run_fetch(other, tmp_path, workers=4)
            assert read_ids(result) == IDS
            assert result.workers == 1


def test_refused_cursor_falls_back_to_one_worker(tmp_path: Path) -> None:
    class Refusing(Faults):
        def pick(self, target: str) -> str | None:
            forged = b64encode(b'{"_id":{"$gt":"%s"}}' % IDS[499].encode()).decode().rstrip("=")
            return super().pick(target) if forged in target else None

    with start_hub() as server:
        save_cursors(server, tmp_path)
        server.faults = Refusing({"bad-cursor": 1.0}, most=4)
        result = run_fetch(server, tmp_path, workers=2 + 2)
        assert read_ids(result) == IDS
        assert result.workers == 1


@pytest.mark.parametrize("seed", range(6))
def test_workers_agree_while_models_change(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    population = Population.synthetic(600, seed=seed)
    initial_ids = list(population.ids)
    unchanged_ids = set(rng.sample(initial_ids, 300))
    changing_ids = sorted(set(initial_ids) - unchanged_ids)
    new_ids = [f"7{number:023x}" for number in range(3)]

    def change(state: hub.Progress) -> None:
        for id_ in rng.sample(changing_ids, 5):
            if population.get(id_) is not None:
                if rng.random() < 0.5:
                    population.delete(id_)
                else:
                    population.edit(id_, id=f"moved/{id_}", likes=state.pages)
        if state.pages in (4, 9, 14):
            new_id = new_ids[(state.pages - 4) // 5]
            population.put({"_id": new_id, "id": f"new/{new_id}"})

    with start_hub(population) as server:
        workers = 2 if seed < 3 else 5
        if workers > 2:
            save_cursors(server, tmp_path)
        result_ids = read_ids(run_fetch(server, tmp_path, workers=workers, progress=change))
        assert len(result_ids) == len(set(result_ids))
        assert unchanged_ids <= set(result_ids) <= {*initial_ids, *new_ids}
        if workers == 2:
            assert set(new_ids) <= set(result_ids)
        # models added and deleted meanwhile hide no other model
        assert set(population.ids) - set(new_ids) <= set(result_ids)


@pytest.mark.parametrize("workers", [2, 6])
def test_interrupted_workers_repeat_no_finished_page(tmp_path: Path, workers: int) -> None:
    with start_hub(latency=0.002) as server:
        if workers > 2:
            save_cursors(server, tmp_path)
        stops = (7, 20, 21, 60)
        for pages in stops:
            with pytest.raises(fetching.Stop):
                run_fetch(server, tmp_path, workers=workers, progress=fetching.stop_at(pages))
        result = run_fetch(server, tmp_path, workers=workers)
        assert read_ids(result) == IDS
        targets = Counter(request.target for request in server.requests)
        repeats = sum(targets.values()) - len(targets)
        assert repeats <= workers * (len(stops) + 1)  # requests in flight at each interruption


def test_a_damaged_page_is_fetched_again(tmp_path: Path) -> None:
    with start_hub(latency=0.002) as server:
        result = run_fetch(server, tmp_path, workers=2)
        for index in (3, -3):
            result.pages[index].write_bytes(b"damaged")
            assert read_ids(run_fetch(server, tmp_path, workers=2)) == IDS


class Meeting(Faults):
    """Delay responses so that two workers hold the last page, and the one from above is late."""

    def __init__(self) -> None:
        super().__init__()
        self.requests = Counter[bool]()
        self.both_requested, self.written_below = Event(), Event()

    def pick(self, target: str) -> str | None:
        is_ascending = "direction=1" in target
        self.requests[is_ascending] += 1
        if self.requests[is_ascending] == 2 and is_ascending:
            self.both_requested.wait(10)
        elif self.requests[is_ascending] == 2:
            self.both_requested.set()
            self.written_below.wait(10)
        return None

    def progress(self, state: hub.Progress) -> None:
        if state.pages == 3:
            self.written_below.set()


def test_damage_where_two_workers_met_leaves_no_gap(tmp_path: Path) -> None:
    population = Population.synthetic(23, seed=3)
    meeting = Meeting()
    with start_hub(population, faults=meeting) as server:
        result = run_fetch(server, tmp_path, workers=2, progress=meeting.progress)
        assert meeting.written_below.is_set()
        intact = {file.name: file.read_bytes() for file in result.journal.folder.iterdir()}
        pages = [name for name in intact if name.endswith(".gz")]
        assert len(pages) > len(result.pages)  # the late page had nothing new
        for damaged in [*itertools.combinations(pages, 1), *itertools.combinations(pages, 2)]:
            for name, body in intact.items():
                (result.journal.folder / name).write_bytes(b"" if name in damaged else body)
            assert read_ids(run_fetch(server, tmp_path, workers=2)) == list(population.ids), damaged


@pytest.mark.parametrize("seed", range(8))
def test_damage_during_changes_leaves_no_gap(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    population = Population.synthetic(400, seed=seed)
    with start_hub(population) as server:
        result = run_fetch(server, tmp_path, workers=2)
        for _ in range(3):
            for id_ in rng.sample(list(population.ids), 30):
                population.delete(id_)
            for page in rng.sample(result.pages, 3):
                page.write_bytes(b"")
            manifest = result.pages[0].with_name("pages.jsonl")
            lines = manifest.read_bytes().splitlines(keepends=True)
            for _ in range(3):
                lines[rng.randrange(len(lines))] = b"damaged\n"
            manifest.write_bytes(b"".join(lines))
            result = run_fetch(server, tmp_path, workers=2)
            assert set(population.ids) <= set(read_ids(result))


def test_failure_of_one_worker_is_one_error(tmp_path: Path) -> None:
    with start_hub() as server:
        server.faults = Faults({"foreign-link": 0.2}, most=1_000)
        with pytest.raises(InvalidResponseError, match="does not follow"):
            run_fetch(server, tmp_path, workers=2)
        server.faults = Faults()
        assert read_ids(run_fetch(server, tmp_path, workers=2)) == IDS


def test_failure_does_not_wait_for_another_worker(tmp_path: Path) -> None:
    """The Hub refuses one worker, and asks the other to wait for ten minutes."""
    is_asked_to_wait = Event()

    def script(server: RawServer, send: Send, target: str) -> None:
        if "direction=-1" in target:
            send(make_response(b"{}", "retry-after: 600", status="503 Busy"))
            is_asked_to_wait.set()
        else:
            is_asked_to_wait.wait(10)
            send(make_response(b"{}", status="403 Forbidden"))

    with serve_script(script) as server:
        code, _, err = run_hfscan(tmp_path, "crawl", "--workers", 2, "--endpoint", server.url)
    assert code == HubRefusedError.exit_code, err
    assert is_asked_to_wait.is_set()


@pytest.mark.parametrize("seed", range(3))
def test_workers_survive_random_faults(tmp_path: Path, seed: int) -> None:
    kinds = ["500", "502", "429-other", "error-object", "reset", "truncated", "truncated-json",
        "short-page", "repeated-row", "empty-last-page"]  # fmt: skip
    with start_hub(page_size=20) as server:
        save_cursors(server, tmp_path)
        server.faults = Faults(dict.fromkeys(kinds, 0.05), seed=seed, most=3)
        assert read_ids(run_fetch(server, tmp_path, workers=4)) == IDS
        server.faults = Faults(dict.fromkeys(kinds, 0.05), seed=seed + 10, most=3)
        assert read_ids(run_fetch(server, tmp_path, workers=2, resume=False)) == IDS


def test_workers_share_the_quota(tmp_path: Path) -> None:
    with start_hub(page_size=20) as server:
        save_cursors(server, tmp_path)
    with start_hub(page_size=20, quota=20, window=1) as limited_server:
        copy_cursors(tmp_path, server, limited_server)
        assert read_ids(run_fetch(limited_server, tmp_path, workers=6)) == IDS
        assert {request.status for request in limited_server.requests} == {200}

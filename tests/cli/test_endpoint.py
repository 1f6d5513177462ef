"""Endpoints hold no secrets, and tokens are sent over safe connections only."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from processes import TOKEN, run_hfscan
from testhub import FakeHub, Faults, Population

from hfscan.fakehub.messages import json_response
from hfscan.fs import add_checksum
from hfscan.hub.endpoint import may_receive_token, redact_url
from hfscan.hub.journal import Journal
from hfscan.hub.plan import plan_crawl
from hfscan.paths import journal_dir
from hfscan.scope import Scope

SECRET = "open-sesame"

Runner = Callable[..., "tuple[int, str]"]


@pytest.fixture
def run_command(tmp_path: Path) -> Runner:
    def run(*arguments: str, **variables: str) -> tuple[int, str]:
        """Return the exit code, and stdout with stderr."""
        code, out, err = run_hfscan(tmp_path, *arguments, **variables)
        return code, out + err

    return run


COMMANDS = {
    "crawl": ["crawl"],
    "update": ["crawl", "--incremental"],
    "backfill-dates": ["backfill-dates"],
    "snapshot": ["snapshot", "--target", "state"],
    "remote snapshot": ["snapshot", "--target", "hf://datasets/a/b"],
    "publish": ["publish", "a/b"],
    "doctor": ["doctor", "--no-backends"],
    "parity": ["parity", "a/b", "--db", "h.duckdb", "--format", "json"],
    "parity baseline": ["parity", ".", "--baseline", "a/b"],
    "parity inputs": ["parity", ".", "--inputs", "dataset:a/b:train:x"],
    "import": ["import", "hf://datasets/a/b/c.jsonl", "--observed-at", "2024-01-01"],
}
SECRETS = [
    f"http://user:{SECRET}@127.0.0.1:9",
    f"http://{SECRET}@127.0.0.1:9",
    f"http://127.0.0.1:9/?token={SECRET}",
    f"http://127.0.0.1:9#{SECRET}",
    f"user:{SECRET}@127.0.0.1:9",
    f"http://u:{SECRET}@[x",
]


@pytest.mark.parametrize("command", [*COMMANDS])
def test_endpoint_with_a_secret_is_refused(
    run_command: Runner, tmp_path: Path, command: str
) -> None:
    code, out = run_command(*COMMANDS[command], HF_ENDPOINT=SECRETS[0])
    assert code == 4, out
    assert "HF_TOKEN" in out
    assert SECRET not in out
    contents = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    assert not any(SECRET.encode() in data for data in contents)


@pytest.mark.parametrize("endpoint", SECRETS)
def test_endpoint_option_with_a_secret_is_refused(run_command: Runner, endpoint: str) -> None:
    code, out = run_command("-vv", "crawl", "--endpoint", endpoint)
    assert code == 4, out
    assert SECRET not in out
    assert SECRET not in run_command("crawl", "--help", HF_ENDPOINT=endpoint)[1]
    code, out = run_command("crawl", HF_ENDPOINT=endpoint)
    assert (code, SECRET in out) == (4, False)


def test_doctor_redacts_endpoint_of_old_journal(run_command: Runner, tmp_path: Path) -> None:
    endpoint = f"http://user:{SECRET}@hub.example/path?token={SECRET}#{SECRET}"
    with Journal(journal_dir(tmp_path / "hfscan.duckdb"), endpoint, Scope()) as journal:
        journal.begin(plan_crawl(Scope(), endpoint))
    _, out = run_command("doctor", "--no-backends", "--endpoint", "http://127.0.0.1:9")
    assert "an unfinished crawl of http://hub.example/path, begun" in out
    assert SECRET not in out


@pytest.mark.parametrize(
    ("url", "redacted"),
    [
        ("https://huggingface.co", "https://huggingface.co"),
        ("http://u:p@h:8080/x?y=z#f", "http://h:8080/x"),
        ("u:p@h", "h"),
        ("http://u:p@[x", "an invalid address"),
        ("", ""),
    ],
)
def test_redact_url_drops_credentials(url: str, redacted: str) -> None:
    assert redact_url(url) == redacted


@pytest.mark.parametrize(
    ("endpoint", "is_safe"),
    [
        ("https://huggingface.co", True),
        ("HTTPS://hub.example:8443/hf", True),
        ("http://127.0.0.1:5000", True),
        ("http://localhost", True),
        ("http://[::1]:80", True),
        ("http://hub.example", False),
        ("http://10.0.0.1:8080", False),
        ("http://localhost.example", False),
        ("http://127.0.0.1.example", False),
    ],
)
def test_may_receive_token_over_safe_connections(endpoint: str, is_safe: bool) -> None:
    assert may_receive_token(endpoint) is is_safe


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with FakeHub(Population.synthetic(20, seed=1), quota=None, tokens={TOKEN: "me"}) as hub:
        yield hub


def test_token_is_not_sent_over_http(run_command: Runner, hub: FakeHub) -> None:
    """A proxy receives the requests to another machine."""
    environment = {"HF_TOKEN": TOKEN, "HTTP_PROXY": hub.url, "http_proxy": hub.url}
    command = ("crawl", "--limit", "1", "--endpoint", "http://hub.example")
    _, out = run_command(*command, **environment)
    assert "the token is not sent: http://hub.example" in out
    assert "--allow-http-token" in out
    assert hub.requests
    assert {request.identity for request in hub.requests} == {"127.0.0.1"}
    _, out = run_command(*command, "--allow-http-token", **environment)
    assert "not sent" not in out
    assert hub.requests[-1].identity == "me"
    _, out = run_command(
        "doctor", "--no-backends", "--endpoint", "http://hub.example", **environment
    )
    assert "it is not sent to http://hub.example" in out
    assert hub.requests[-1].identity == "127.0.0.1"
    code, out = run_command("publish", "me/x", "--endpoint", "http://hub.example", **environment)
    assert code == 4
    assert "not sent" in out
    request_count = len(hub.requests)
    _, out = run_command(
        "import", "hf://datasets/a/b/c.jsonl", "--observed-at", "2024-01-01",
        HF_ENDPOINT="http://hub.example", **environment,
    )  # fmt: skip
    assert "not sent" in out
    assert len(hub.requests) > request_count
    assert {request.identity for request in hub.requests[request_count:]} == {"127.0.0.1"}


class EchoHub(FakeHub):
    """A Hub that repeats the token in its responses: in the body, a header or a URL."""

    status, place = 403, "body"

    def answer(self, method: str, target: str, *rest, **more):
        message = f"{'word ' * 116} I do not know Bearer {TOKEN}, which you sent: {TOKEN}"
        url = f"http://{TOKEN}.example/{TOKEN}"
        headers = {"header": {"x-error-message": message}, "link": {"location": url}}
        response = json_response({"error": message}, status=self.status)
        return replace(response, headers=response.headers | headers.get(self.place, {}))


@pytest.mark.parametrize(
    ("status", "place", "commands"),
    [
        (403, "body", ["crawl", "doctor", "publish", "import", "parity"]),
        (401, "header", ["crawl", "parity"]),
        (500, "header", ["doctor"]),
        (200, "body", ["doctor", "import"]),
        (302, "link", ["crawl", "doctor"]),
    ],
)
def test_token_in_response_is_masked(
    run_command: Runner, status: int, place: str, commands: list[str]
) -> None:
    hub = EchoHub(Population.synthetic(3, seed=1), quota=None)
    with hub:
        hub.status, hub.place = status, place
        environment = {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN}
        for command in commands:
            code, out = run_command("-vv", *COMMANDS[command], **environment)
            assert code != 0, out
            assert TOKEN[:12] not in out, command


def test_report_names_unfinished_crawl(run_command: Runner, tmp_path: Path) -> None:
    with FakeHub(Population.synthetic(20, seed=1), quota=None) as hub:
        assert run_command("crawl", "--endpoint", hub.url)[0] == 0
        assert run_command("delete", "1")[0] == 0
        code, out = run_command("report")
        assert (code, "first crawl is not finished" in out) == (7, False)
    folder = journal_dir(tmp_path / "hfscan.duckdb") / "x"
    folder.mkdir(parents=True)
    (folder / "crawl.json").write_bytes(add_checksum(b"{}"))
    for command in ("report", "trend", "claims", "explain"):
        code, out = run_command(command, *(["a/b"] if command == "explain" else []))
        assert code == 7, out
        assert "first crawl is not finished. Run the same `hfscan crawl`" in out


def test_crawl_prints_a_line_for_each_wait(run_command: Runner) -> None:
    faults = Faults({"429-retry-after": 1.0}, most=1)
    with FakeHub(Population.synthetic(20, seed=1), quota=None, faults=faults) as hub:
        code, out = run_command("crawl", "--limit", "5", "--endpoint", hub.url)
    assert code == 0
    assert f"After 0 models: {hub.url} answered 429" in out
    assert "waiting 2 s" in out

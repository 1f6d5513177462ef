"""Errors of the official client and of its libraries become errors of hfscan."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import constants, file_download
from servers import RawServer, Send, answer, serving
from testhub import FakeHub, Population

from hfscan.errors import (
    HfscanError,
    HubRefusedError,
    HubUnreachableError,
    InvalidResponseError,
    StorageError,
)
from hfscan.fakehub.messages import json_response
from hfscan.hub import client_limits
from hfscan.hub.datasets import HubDataset, download_dataset_file, translate_client_errors

TOKEN = "hf_" + "s" * 34


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client waits seconds between its attempts."""
    waited = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: waited(min(seconds, 0.01)))


def status(line: str, body: bytes = b'{"error":"so it is"}') -> Callable[..., None]:
    def script(server: RawServer, send: Send, target: str) -> None:
        send(answer(body, "content-type: application/json", status=line))

    return script


def cut_off(server: RawServer, send: Send, target: str) -> None:
    send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{")
    raise ConnectionResetError


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (status("403 Forbidden"), HubRefusedError),
        (status("400 Bad Request"), HubRefusedError),
        (status("500 Oops"), HubUnreachableError),
        (status("503 Away"), HubUnreachableError),
        (status("200 OK", b"<html>hello</html>"), InvalidResponseError),
        (status("200 OK", b'["a", 1]'), InvalidResponseError),
        (status("200 OK", b"\xff\xfe"), InvalidResponseError),
        (cut_off, HubUnreachableError),
    ],
)
def test_dataset_head_raises_only_its_own_errors(script, error: type[HfscanError]) -> None:
    with serving(script) as server:
        dataset = HubDataset("ann/x", endpoint=server.url, token=TOKEN)
        with pytest.raises(error, match=r"^ann/x cannot be read: ") as caught:
            dataset.head()
    assert TOKEN not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_dataset_head_says_that_nobody_answers() -> None:
    dataset = HubDataset("ann/x", endpoint="http://127.0.0.1:9", token=TOKEN)
    with pytest.raises(HubUnreachableError, match=r"http://127\.0\.0\.1:9 cannot be reached"):
        dataset.head()


def test_dataset_head_gives_up_on_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_limits, "MAX_SILENCE_SECONDS", 0.2)
    with serving(lambda server, *_: server.closing.wait(30)) as server:
        dataset = HubDataset("ann/x", endpoint=server.url, token=TOKEN)
        with pytest.raises(HubUnreachableError, match=r"^ann/x cannot be read: "):
            dataset.head()


def drip(*parts: bytes) -> Callable[..., None]:
    """Return a script that sends the parts, and the last one again and again, slowly."""

    def script(server: RawServer, send: Send, target: str) -> None:
        for part in parts[:-1]:
            send(part)
        while not server.closing.wait(0.05):
            send(parts[-1])

    return script


@pytest.fixture
def short_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_limits, "WINDOW_SECONDS", 0.4)


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 90000\r\n"


@pytest.mark.parametrize(
    "script",
    [
        drip(HEAD + b"\r\n", b" "),
        drip(b"HTTP/1.1 200 OK\r\n", b"x-a: b\r\n"),
        drip(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        drip(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    ],
    ids=["body", "headers", "interim", "chunks"],
)
def test_dataset_head_gives_up_on_drip(short_window, script) -> None:
    begun = time.monotonic()
    with serving(script) as server:
        dataset = HubDataset("ann/x", endpoint=server.url, token=TOKEN)
        # for requests an interim answer is the answer
        with pytest.raises(HfscanError, match=r"too slow: .* bytes in|cannot read .*JSON"):
            dataset.head()
    assert time.monotonic() - begun < 10


def test_download_gives_up_on_drip(
    short_window, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def script(server: RawServer, send: Send, target: str) -> None:
        if server.heads[-1].startswith("HEAD"):
            send(HEAD + b'etag: "x"\r\nx-repo-commit: ' + b"c" * 40 + b"\r\n\r\n")
        else:
            drip(HEAD + b"\r\n", b" ")(server, send, target)

    with serving(script) as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
        for module in (constants, file_download):  # releases before 1.0 copy it
            monkeypatch.setattr(module, "HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
        with pytest.raises(
            HubUnreachableError, match=r"cannot be downloaded: .*the response is too slow"
        ):
            download_dataset_file("hf://datasets/ann/x/a.json")


def test_slow_answer_of_enough_bytes_is_read(short_window, monkeypatch) -> None:
    monkeypatch.setattr(client_limits, "MIN_BYTES_PER_WINDOW", 2)
    body = json.dumps({"id": "ann/x", "sha": "c" * 40}).encode()

    def script(server: RawServer, send: Send, target: str) -> None:
        send(HEAD.replace(b"90000", str(len(body)).encode()) + b"\r\n")
        for place in range(0, len(body), 4):
            server.closing.wait(0.05)
            send(body[place : place + 4])

    with serving(script) as server:
        assert HubDataset("ann/x", endpoint=server.url, token=TOKEN).head() == "c" * 40


class Failing(FakeHub):
    """A Hub whose routes that hold `part` answer with `status` after the first `after`."""

    part, status, after = "", 500, 0

    def answer(self, method: str, target: str, *rest, **more):
        if self.part and self.part in target:
            self.after -= 1
            if self.after < 0:
                return json_response({"error": "storage is ill"}, status=self.status)
        return super().answer(method, target, *rest, **more)


@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # of the client itself
@pytest.mark.parametrize(
    ("part", "status", "error"),
    [
        ("/preupload/", 403, HubRefusedError),
        ("/preupload/", 500, HubUnreachableError),
        ("/info/lfs/", 503, HubUnreachableError),
        ("/lfs/", 403, HubRefusedError),
        ("/lfs/", 500, HubUnreachableError),
        ("/commit/", 413, HubRefusedError),
        ("/commit/", 500, HubUnreachableError),
    ],
)
def test_publish_raises_only_its_own_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, status: int, error
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True, raising=False)
    (tmp_path / "a.parquet").write_bytes(b"x" * 1_000)
    hub = Failing(Population.synthetic(3, seed=1), quota=None, tokens={TOKEN: "ann"})
    with hub:
        dataset = HubDataset("ann/x", endpoint=hub.url, token=TOKEN)
        hub.part, hub.status = part, status
        with pytest.raises(error, match=r"^ann/x cannot be published: "):
            dataset.publish({"a.parquet": tmp_path / "a.parquet"}, "a message")
        hub.part = ""
        assert dataset.publish({"a.parquet": tmp_path / "a.parquet"}, "a message").changed


def raised_by_client(error: Exception) -> None:
    """Raise an error as native code of the client does: from one of its frames."""
    frame = {"__name__": "huggingface_hub.file_download", "error": error}
    exec("def fetch():\n raise error\nfetch()", frame)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError("Data processing error: CAS service error"), HubUnreachableError),
        (OSError("Consistency check failed: file should be of size 5"), HubUnreachableError),
        (ConnectionError("refused"), HubUnreachableError),
        (TimeoutError(), HubUnreachableError),
        (OSError(28, "No space left on device"), StorageError),
        (PermissionError(13, "Permission denied"), StorageError),
        (KeyError("sha"), InvalidResponseError),
        (json.JSONDecodeError("Expecting value", "<html>", 0), InvalidResponseError),
    ],
)
def test_translate_client_errors_of_any_library(error: Exception, expected) -> None:
    translated = translate_client_errors("http://hub", "x cannot be had", "Try again.")
    with pytest.raises(expected, match="x cannot be had"), translated:
        raised_by_client(error)


def test_translate_client_errors_keeps_own_errors() -> None:
    for error in (ZeroDivisionError("ours"), HubRefusedError("no"), KeyError("ours")):
        translated = translate_client_errors("http://hub", "x cannot be had", "Try again.")
        with pytest.raises(type(error), match=r"ours|no"), translated:
            raise error

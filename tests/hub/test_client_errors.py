"""Errors of the official client and of its libraries become errors of hfscan."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants, file_download
from servers import RawServer, Send, make_response, serve_script
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
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the client's waits between its attempts."""
    sleep = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: sleep(min(seconds, 0.01)))


def respond_with(status_line: str, body: bytes = b'{"error":"so it is"}') -> Callable[..., None]:
    def script(server: RawServer, send: Send, target: str) -> None:
        send(make_response(body, "content-type: application/json", status=status_line))

    return script


def cut_connection(server: RawServer, send: Send, target: str) -> None:
    send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{")
    raise ConnectionResetError


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (respond_with("403 Forbidden"), HubRefusedError),
        (respond_with("400 Bad Request"), HubRefusedError),
        (respond_with("500 Oops"), HubUnreachableError),
        (respond_with("503 Away"), HubUnreachableError),
        (respond_with("200 OK", b"<html>hello</html>"), InvalidResponseError),
        (respond_with("200 OK", b'["a", 1]'), InvalidResponseError),
        (respond_with("200 OK", b"\xff\xfe"), InvalidResponseError),
        (cut_connection, HubUnreachableError),
    ],
)
def test_dataset_head_raises_only_its_own_errors(script, error: type[HfscanError]) -> None:
    with serve_script(script) as server:
        dataset = HubDataset("ann/x", endpoint=server.url, token=TOKEN)
        with pytest.raises(error, match=r"^The dataset ann/x cannot be read: ") as excinfo:
            dataset.head()
    assert TOKEN not in str(excinfo.value)
    assert "\n" not in str(excinfo.value)


def test_dataset_head_reports_unreachable_hub() -> None:
    dataset = HubDataset("ann/x", endpoint="http://127.0.0.1:9", token=TOKEN)
    with pytest.raises(HubUnreachableError, match=r"http://127\.0\.0\.1:9 cannot be reached"):
        dataset.head()


def test_dataset_head_gives_up_on_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_limits, "MAX_SILENCE_SECONDS", 0.2)
    with serve_script(lambda server, *_: server.closing.wait(30)) as server:
        dataset = HubDataset("ann/x", endpoint=server.url, token=TOKEN)
        with pytest.raises(HubUnreachableError, match=r"^The dataset ann/x cannot be read: "):
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
    started_at = time.monotonic()
    with serve_script(script) as server:
        dataset = HubDataset("ann/x", endpoint=server.url, token=TOKEN)
        # requests takes an interim response for the response
        with pytest.raises(HfscanError, match=r"too slow: .* bytes in|cannot read .*JSON"):
            dataset.head()
    assert time.monotonic() - started_at < 10


def test_download_gives_up_on_drip(
    short_window, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def script(server: RawServer, send: Send, target: str) -> None:
        if server.heads[-1].startswith("HEAD"):
            send(HEAD + b'etag: "x"\r\nx-repo-commit: ' + b"c" * 40 + b"\r\n\r\n")
        else:
            drip(HEAD + b"\r\n", b" ")(server, send, target)

    with serve_script(script) as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
        for module in (constants, file_download):  # releases before 1.0 copy it
            monkeypatch.setattr(module, "HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
        with pytest.raises(
            HubUnreachableError, match=r"cannot be downloaded: .*the response is too slow"
        ):
            download_dataset_file("hf://datasets/ann/x/a.json")


def test_slow_response_of_enough_bytes_is_read(short_window, monkeypatch) -> None:
    monkeypatch.setattr(client_limits, "MIN_BYTES_PER_WINDOW", 2)
    body = json.dumps({"id": "ann/x", "sha": "c" * 40}).encode()

    def script(server: RawServer, send: Send, target: str) -> None:
        send(HEAD.replace(b"90000", str(len(body)).encode()) + b"\r\n")
        for start in range(0, len(body), 4):
            server.closing.wait(0.05)
            send(body[start : start + 4])

    with serve_script(script) as server:
        assert HubDataset("ann/x", endpoint=server.url, token=TOKEN).head() == "c" * 40


class FailingHub(FakeHub):
    """A Hub that answers requests of URLs with `url_part` with `status`."""

    url_part, status = "", 500

    def answer(self, method: str, target: str, *rest, **options):
        if self.url_part and self.url_part in target:
            return json_response({"error": "storage is ill"}, status=self.status)
        return super().answer(method, target, *rest, **options)


@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # of the client itself
@pytest.mark.parametrize(
    ("url_part", "status", "error"),
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
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url_part: str, status: int, error
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True, raising=False)
    (tmp_path / "a.parquet").write_bytes(b"x" * 1_000)
    hub = FailingHub(Population.synthetic(3, seed=1), quota=None, tokens={TOKEN: "ann"})
    with hub:
        dataset = HubDataset("ann/x", endpoint=hub.url, token=TOKEN)
        hub.url_part, hub.status = url_part, status
        with pytest.raises(error, match=r"^The dataset ann/x cannot be published: "):
            dataset.publish({"a.parquet": tmp_path / "a.parquet"}, "a message", parent=None)
        hub.url_part = ""
        files, head = {"a.parquet": tmp_path / "a.parquet"}, dataset.head()
        assert dataset.publish(files, "a message", parent=head).changed


def raise_in_client(error: Exception) -> None:
    """Raise an error as native code of the client does: from one of its frames."""
    namespace = {"__name__": "huggingface_hub.file_download", "error": error}
    exec("def fetch():\n raise error\nfetch()", namespace)


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
    translate_errors = translate_client_errors("http://hub", "x cannot be had", "Try again.")
    with pytest.raises(expected, match="x cannot be had"), translate_errors:
        raise_in_client(error)


def test_errors_of_xet_name_the_variable_that_avoids_it() -> None:
    namespace: dict[str, Any] = {"__name__": "huggingface_hub._commit_api"}
    exec("def _upload_xet_files():\n raise RuntimeError('CAS service error')", namespace)
    translate_errors = translate_client_errors("http://hub", "x cannot be had", "Try again.")
    message = r"Try again\. If it fails again, set HF_HUB_DISABLE_XET=1"
    with pytest.raises(HubUnreachableError, match=message), translate_errors:
        namespace["_upload_xet_files"]()


def test_translate_client_errors_keeps_own_errors() -> None:
    for error in (ZeroDivisionError("ours"), HubRefusedError("no"), KeyError("ours")):
        translate_errors = translate_client_errors("http://hub", "x cannot be had", "Try again.")
        with pytest.raises(type(error), match=r"ours|no"), translate_errors:
            raise error

"""Errors of the official client, whatever it talks through, become hfscan's own."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from servers import RawServer, Send, answer, serving

from hfscan.errors import (
    HfscanError,
    HubRefusedError,
    HubUnreachableError,
    InvalidResponseError,
    StorageError,
)
from hfscan.fakehub import FakeHub, Population
from hfscan.fakehub.answers import as_json
from hfscan.hub import official
from hfscan.hub.official import translate_client_errors
from hfscan.hub.publish import Dataset

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
        dataset = Dataset("ann/x", endpoint=server.url, token=TOKEN)
        with pytest.raises(error, match=r"^ann/x cannot be read: ") as caught:
            dataset.head()
    assert TOKEN not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_dataset_head_says_that_nobody_answers() -> None:
    dataset = Dataset("ann/x", endpoint="http://127.0.0.1:9", token=TOKEN)
    with pytest.raises(HubUnreachableError, match=r"http://127\.0\.0\.1:9 cannot be reached"):
        dataset.head()


def test_dataset_head_gives_up_on_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(official, "LONGEST_SILENCE", 0.2)
    with serving(lambda server, *_: server.closing.wait(30)) as server:
        dataset = Dataset("ann/x", endpoint=server.url, token=TOKEN)
        with pytest.raises(HubUnreachableError, match=r"^ann/x cannot be read: "):
            dataset.head()


class Failing(FakeHub):
    """A Hub whose routes that hold `part` answer with `status` after the first `after`."""

    part, status, after = "", 500, 0

    def answer(self, method: str, target: str, *rest, **more):
        if self.part and self.part in target:
            self.after -= 1
            if self.after < 0:
                return as_json({"error": "storage is ill"}, status=self.status)
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
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True, raising=False)
    (tmp_path / "a.parquet").write_bytes(b"x" * 1_000)
    hub = Failing(Population.synthetic(3, seed=1), quota=None, tokens={TOKEN: "ann"})
    with hub:
        dataset = Dataset("ann/x", endpoint=hub.url, token=TOKEN)
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


def test_translate_client_errors_leaves_errors_of_hfscan_alone() -> None:
    for error in (ZeroDivisionError("ours"), HubRefusedError("no"), KeyError("ours")):
        translated = translate_client_errors("http://hub", "x cannot be had", "Try again.")
        with pytest.raises(type(error), match=r"ours|no"), translated:
            raise error

"""Errors of the official client (huggingface_hub), turned into hfscan's own.

Its releases talk through requests, httpx or httpx2, and store large files through hf_xet, whose
errors are plain RuntimeErrors: they all come as they are, or wrapped in one another.
"""

import contextlib
import errno
import ssl
from collections.abc import Iterator
from types import TracebackType

from huggingface_hub import get_token
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
)

from hfscan.errors import (
    HfscanError,
    HubRefusedError,
    HubUnreachableError,
    InvalidResponseError,
    StorageError,
)
from hfscan.hub.client_limits import SlowAnswerError, limit_client
from hfscan.hub.words import cite, keep_secret

_LIBRARIES = frozenset({"huggingface_hub", "hf_xet", "httpx", "httpx2", "requests", "urllib3"})
_TRANSPORTS = _LIBRARIES - {"huggingface_hub"} | {"httpcore", "httpcore2", "socket", "ssl"}
_NETWORK = (ConnectionError, TimeoutError, ssl.SSLError, OfflineModeIsEnabled, SlowAnswerError)
_UNREADABLE = ValueError  # also of requests, on an answer that is no JSON
_TRANSIENT = frozenset({408, 429})
_DISK = frozenset({
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG, errno.EIO,
    errno.ENOTDIR,
})  # fmt: skip


limit_client()


@contextlib.contextmanager
def translate_client_errors(endpoint: str, failure: str, advice: str) -> Iterator[None]:
    """Raise an HfscanError for every error of the official client.

    `failure` says what did not work ("x cannot be published"), `advice` what to do where the Hub
    cannot be reached or breaks off. Raises HubRefusedError where the Hub says no,
    HubUnreachableError, InvalidResponseError on an answer that the client cannot read, and
    StorageError where its cache cannot be written.
    """
    try:
        yield
    except HfscanError:
        raise
    except Exception as error:
        raised = _translate(error, endpoint, failure, advice)
        if raised is None:
            raise
        raise raised from error


def _translate(error: Exception, endpoint: str, failure: str, advice: str) -> HfscanError | None:
    """Return what an error of the client means, None where it is none of the client's."""
    chain = list(_chain(error))
    for one in chain:
        if isinstance(one, HFValidationError) or (
            (answered := _status(one)) is not None
            and (answered < 500 and answered not in _TRANSIENT)
        ):
            return HubRefusedError(f"{failure}: {describe_error(one)}")
    for one in chain:
        network = isinstance(one, (*_NETWORK, LocalEntryNotFoundError, HfHubHTTPError))
        if network or (_library(one) in _TRANSPORTS and not isinstance(one, _UNREADABLE)):
            reason = describe_error(chain[-1] if isinstance(one, LocalEntryNotFoundError) else one)
            return HubUnreachableError(
                f"{failure}: {endpoint} cannot be reached, or broke off ({reason}). {advice}"
            )
    if not _raised_inside_client(error.__traceback__):
        return None
    if isinstance(error, OSError) and error.errno in _DISK:
        return StorageError(
            f"{failure}: the cache (HF_HOME) cannot be written: {error.strerror}. Free some space, "
            "or name another folder in HF_HOME, and run the same command again."
        )
    if isinstance(error, (RuntimeError, OSError)) and not isinstance(
        error, _UNREADABLE
    ):  # hf_xet, and checks of what was downloaded
        return HubUnreachableError(
            f"{failure}: {endpoint} broke off ({describe_error(error)}). {advice}"
        )
    return InvalidResponseError(
        f"{failure}: {endpoint} answered with something that the official client cannot read "
        f"({type(error).__name__}: {describe_error(error)})."
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__


def _status(error: BaseException) -> int | None:
    """Return the status of the answer behind an error, None where there was no answer."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else None


def describe_error(error: BaseException) -> str:
    """Return what an error of the client says, on one line and without the token."""
    said = getattr(error, "server_message", None) or str(error).strip() or type(error).__name__
    keep_secret(get_token())  # which the client sends on its own
    return cite(said.splitlines()[0])


def _library(error: BaseException) -> str:
    return type(error).__module__.partition(".")[0]


def _raised_inside_client(traceback: TracebackType | None) -> bool:
    while traceback is not None:
        if traceback.tb_frame.f_globals.get("__name__", "").partition(".")[0] in _LIBRARIES:
            return True
        traceback = traceback.tb_next
    return False

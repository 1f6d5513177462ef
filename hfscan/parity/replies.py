"""Validate what a backend replies to each request; everything else is rejected."""

import re
from types import GenericAlias
from typing import Annotated, Any, NotRequired, TypedDict

import msgspec

from hfscan.errors import HfscanError
from hfscan.parity.result import LOADING_KEYS, Verdict, to_line

_NotNegative = Annotated[float, msgspec.Meta(ge=0)]
_Positive = Annotated[float, msgspec.Meta(gt=0)]
_Size = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
_Token = Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)]
_ADVICE_ON_CUDA = re.compile(
    r"\s*(Search for `cuda|CUDA kernel errors might be|If reserved but unallocated memory).*",
    re.DOTALL,
)
"""What PyTorch adds to every error of CUDA, and to those of memory."""
_MAX_KIND, _MAX_MESSAGE = 100, 2000  # characters of a backend's own error


class BackendError(HfscanError):
    """A backend could not do what was requested. `kind` is its exception's class name."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}" if message else kind)
        self.kind = kind
        self.message = message


class BackendDiedError(BackendError):
    """The backend's process ended, or was ended because it cannot be used. `kind` says why."""

    kind: Verdict


def backend_failed(message: str) -> BackendDiedError:
    """Return the error of a backend that violated the protocol."""
    return BackendDiedError(Verdict.BACKEND_FAILED, message)


class ProtocolError(Exception):
    """A backend violated the protocol; the message says how."""


def summary_line(error: Exception) -> str:
    """Return an error's message on one line; never empty."""
    return to_line(_ADVICE_ON_CUDA.sub("", str(error))) or "no reason was given"


class _Envelope(msgspec.Struct):
    id: int
    ok: bool
    kind: str = ""
    message: str = ""


_object: Any = TypedDict  # (name, fields) -> the type of a JSON object
_LOADING = dict.fromkeys(LOADING_KEYS, list[str])
_TENSOR = {
    "source": str, "name": str, "dtype": str, "shape": list[_Size], "sha256": str, "finite": bool,
}  # fmt: skip
_LIBRARY = {"name": str, "version": str | None, "isa": str | None}
_FIELDS: dict[str, dict[str, Any]] = {
    "hello": {
        "versions": dict[str, str],
        "device": str | None,
        "threads": int,
        "libraries": NotRequired[GenericAlias(list, _object("library", _LIBRARY))],
    },
    "probe": {"gemm_gflops": _Positive},
    "open": {
        "loading": _object("loading", _LOADING),
        "load_seconds": _NotNegative,
        "unread_config_keys": NotRequired[list[str]],
        "tensors": NotRequired[list[list[str]]],
    },
    "run": {
        "outputs": dict[str, str],
        "dtypes": dict[str, str],
        "hidden": dict[str, list[str]],
        "first_call_seconds": _NotNegative,
        "replaced_activations": NotRequired[list[str]],
        "notes": NotRequired[list[str]],
    },
    "generate": {
        "tokens": list[_Token],
        "top2": list[tuple[float | None, float | None]],
        "ends": list[int],
    },
    "peak": {"peak_rss_mb": _NotNegative | None, "peak_gpu_mb": _NotNegative | None},
    "time": {"milliseconds": _Positive, "cpu_milliseconds": _NotNegative, "loss": float | None},
    "read": {"tensors": GenericAlias(list, _object("tensor", _TENSOR))},
    "take": {"arrays": dict[str, str]},
    "digest": {"digests": dict[str, str]},
    "save": {},
    "tokenize": {"ids": list[list[_Token]]},
    "demo": {},
}
_REPLIES: dict[str, Any] = {op: _object(op, fields) for op, fields in _FIELDS.items()}


def decode(line: bytes, op: str, number: int) -> dict[str, Any]:
    """Return the known keys of reply `number`, to `op`. Raises ProtocolError and BackendError."""
    try:
        envelope = msgspec.json.decode(line, type=_Envelope)
        if envelope.id != number:
            raise ProtocolError(f"it replied to request {envelope.id}, not to {number}")
        if not envelope.ok:
            raise BackendError(envelope.kind[:_MAX_KIND], envelope.message[:_MAX_MESSAGE])
        reply: dict[str, Any] = msgspec.json.decode(line, type=_REPLIES[op])
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        excerpt = line[:80].decode("utf-8", "replace").strip()
        raise ProtocolError(f"its reply to {op!r} is not valid ({error}): {excerpt}") from error
    return reply

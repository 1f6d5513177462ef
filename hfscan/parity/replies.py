"""What a backend may answer to each request; anything else is refused."""

from typing import Annotated, Any, NotRequired, TypedDict

import msgspec

_Seconds = Annotated[float, msgspec.Meta(ge=0)]
_Megabytes = Annotated[float, msgspec.Meta(ge=0)]
_Size = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
_Token = Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)]
_MESSAGE = 2000  # characters of a backend's own message that are kept


class _Envelope(msgspec.Struct):
    id: int
    ok: bool
    kind: str = ""
    message: str = ""


class _Hello(TypedDict):
    versions: dict[str, str]
    device: str | None
    threads: int


class _Loading(TypedDict):
    missing: list[str]
    unexpected: list[str]
    mismatched: list[str]
    unset: list[str]


class _Open(TypedDict):
    loading: _Loading
    load_seconds: _Seconds


class _Run(TypedDict):
    outputs: dict[str, str]
    dtypes: dict[str, str]
    hidden: dict[str, list[str]]
    first_call_seconds: _Seconds
    in_place_of: NotRequired[list[str]]


class _Generate(TypedDict):
    tokens: list[_Token]
    top2: list[tuple[float | None, float | None]]


class _Peak(TypedDict):
    peak_rss_mb: _Megabytes | None
    peak_gpu_mb: _Megabytes | None


class _Time(TypedDict):
    milliseconds: Annotated[float, msgspec.Meta(gt=0)]
    cpu_milliseconds: _Seconds
    loss: float | None


class _Tensor(TypedDict):
    source: str
    name: str
    dtype: str
    shape: list[_Size]
    sha256: str
    finite: bool


class _Read(TypedDict):
    tensors: list[_Tensor]


class _Take(TypedDict):
    arrays: dict[str, str]


class _Tokenize(TypedDict):
    ids: list[list[_Token]]


class _Demo(TypedDict):
    folders: list[str]


class _Model(TypedDict):
    twin: str | None


class _Architectures(TypedDict):
    architectures: dict[str, str]


class _Nothing(TypedDict):
    pass


_REPLIES: dict[str, Any] = {
    "hello": _Hello,
    "open": _Open,
    "run": _Run,
    "generate": _Generate,
    "peak": _Peak,
    "time": _Time,
    "read": _Read,
    "take": _Take,
    "save": _Nothing,
    "tokenize": _Tokenize,
    "demo": _Demo,
    "model": _Model,
    "architectures": _Architectures,
}


class ReplyError(Exception):
    """A line is no reply to the request; the message says why."""


class RefusedError(Exception):
    """The backend answered that it cannot: `kind` is the exception's class name there."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind, self.message = kind[:100], message[:_MESSAGE]


def decode(line: bytes, op: str, number: int) -> dict[str, Any]:
    """Return what the backend answered to request `number`, which asked for `op`.

    Entries that the protocol does not know are left out. Raises ReplyError, RefusedError.
    """
    try:
        envelope = msgspec.json.decode(line, type=_Envelope)
        if envelope.id != number:
            raise ReplyError(f"it replied to request {envelope.id}, not to {number}")
        if not envelope.ok:
            raise RefusedError(envelope.kind, envelope.message)
        reply: dict[str, Any] = msgspec.json.decode(line, type=_REPLIES[op])
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        shown = line[:80].decode("utf-8", "replace").strip()
        raise ReplyError(f"its reply to {op!r} is not one ({error}): {shown}") from error
    return reply

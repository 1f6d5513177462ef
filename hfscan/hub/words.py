"""What the Hub says in words, made safe to show."""

import re
import zlib

import msgspec

from hfscan.text import sanitize

_LARGEST = 64 << 10  # bytes unpacked
_SHORTEST_SECRET = 6  # characters; masking fewer would only garble texts
_SECRETS: set[str] = set()


def keep_secret(token: str | None) -> None:
    """Mask this token in every text of a Hub from now on: a server may repeat what it received."""
    if token is not None and len(token) >= _SHORTEST_SECRET:
        _SECRETS.add(token)


def mask(text: str) -> str:
    """Return the text with `***` in place of each token that must stay secret."""
    for secret in sorted(_SECRETS, key=len, reverse=True):
        text = re.sub(re.escape(secret), "***", text, flags=re.IGNORECASE)  # hosts lose case
    return text


def cite(text: str, limit: int = 600) -> str:
    """Return a text of a Hub, safe to show and to store: masked, on one line, at most `limit`."""
    return sanitize(mask(text), limit)  # masked first: a cut would leave a part of a token


def explained(body: bytes) -> str:
    """Return the explanation in an error's body, "" where it gives none (HTML, say).

    Shapes seen: `{"error": text | [text]}` and `{"errors": [{"message": text}]}`, also as gzip.
    """
    try:
        if body.startswith(b"\x1f\x8b"):
            body = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS).decompress(body, _LARGEST)
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, zlib.error):
        return ""
    if not isinstance(said, dict):
        return ""
    error = said.get("error") or said.get("errors") or ""
    while isinstance(error, list):
        error = error[0] if error else ""
    if isinstance(error, dict):
        error = error.get("message", "")
    return error if isinstance(error, str) else ""

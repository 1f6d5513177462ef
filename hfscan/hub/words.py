"""What the Hub says in words, made safe to show."""

import zlib

import msgspec

_LARGEST = 64 << 10  # bytes unpacked


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

"""Find entries of a config that only act on texts longer than the inputs."""

from collections.abc import Iterator, Mapping
from typing import Any

from hfscan.parity.inputs import Inputs

_WINDOWS = {
    "sliding_window": 1,
    "attention_chunk_size": 1,
    "attention_window": 2,
    "local_attention": 2,
}
"""Entries that limit how far a position attends -> how many sides of it they extend to."""
_ROPE_OF_LENGTH = {"dynamic", "longrope", "su"}
"""Types of RoPE whose frequencies depend on the length of the text."""
_SHORT = "original_max_position_embeddings"


def describe_unreached(config: Mapping[str, Any], inputs: Inputs) -> str | None:
    """Return a sentence that names the entries without effect on these inputs, or None."""
    length = inputs.longest
    found = [entry for entry, reach in _find_lengths(config) if reach >= length]
    if not found or not length:
        return None
    entries = ", ".join(dict.fromkeys(found))
    return f"texts of at most {length} tokens were compared: too short for {entries}"


def _find_lengths(config: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Yield (entry, number of tokens up to which it has no effect) of a config and its parts."""
    for key, sides in _WINDOWS.items():
        if key != "sliding_window" or config.get("use_sliding_window") is not False:
            value = config.get(key)
            for number in value if isinstance(value, list) else [value]:
                if isinstance(number, int):
                    yield f"{key} {number:,}", number // sides
    for key, value in config.items():
        if not isinstance(value, Mapping):
            continue
        yield from _find_lengths(value)
        kind = value.get("rope_type", value.get("type"))
        if isinstance(kind, str) and kind in _ROPE_OF_LENGTH:
            limits = (value.get(_SHORT), config.get(_SHORT), config.get("max_position_embeddings"))
            numbers = [number for number in limits if isinstance(number, int)]
            yield from [(f"{key} ({kind}) {number:,}", number) for number in numbers[:1]]

"""Remove everything from an untrusted config that could load code, kernels or other files."""

import re
from collections.abc import Mapping
from typing import Any

from hfscan.errors import HfscanError
from hfscan.parity.result import Verdict

Config = dict[str, Any]

_REFUSED = ("quantization_config", "compression_config", "quantization")
"""Keys that make a loader run other libraries' kernels; the weights are useless without them."""

_REMOVED = re.compile(
    r"auto_map|custom_(pipelines|generate)|\w*attn_implementation\w*|\w*experts_implementation\w*|\w*kernel_config"
    r"|use_kernels|(\w*_)?name_or_path"
    r"|_commit_hash|torchscript|use_pretrained_backbone|trust_remote_code|code_revision"
    r"|peft_config|adapter_(\w+_)?path|\w+_file"
)
"""Keys that name code, kernels, other models or other files."""

_PATH = re.compile(r"[/~\\]|[A-Za-z]:[/\\]|[\w.+-]+://|(.*[/\\])?\.\.([/\\].*)?$")
"""Values that point elsewhere: absolute paths, URLs, and paths that go up a folder."""

_LABELS = {"id2label", "label2id"}  # their values are free text, such as "/m/0dgw9r"
_COMMON = {"_name_or_path", "name_or_path", "_commit_hash", "torchscript", "vocab_file"}
_COMMON_ATTENTION = ("eager", "sdpa", None)
_MAX_DEPTH = 50  # of nesting; real configs have three levels


class CheckpointError(HfscanError):
    """A checkpoint cannot be read, or one of its weight files is damaged."""

    verdict = Verdict.UNREADABLE


class RefusedCheckpointError(CheckpointError):
    """A checkpoint cannot be used without running code that comes with it."""

    verdict = Verdict.REFUSED


class UnsupportedCheckpointError(CheckpointError):
    """A checkpoint, or a file of it, is of a kind that no backend opens."""

    verdict = Verdict.UNSUPPORTED


def clean(
    value: Any, removed: dict[str, None], place: tuple[str, ...] = (), *, paths: bool = True
) -> Any:
    """Return a config without entries that load code or point to files, at any depth.

    `removed` grows by the keys of the unusual ones; `place` leads to `value`. With `paths` false,
    values that look like paths stay. Raises RefusedCheckpointError.
    """
    if len(place) > _MAX_DEPTH:
        raise RefusedCheckpointError(f"its config is nested more than {_MAX_DEPTH} levels deep")
    if isinstance(value, list):
        return [clean(item, removed, (*place, ""), paths=paths) for item in value]
    if not isinstance(value, Mapping) or (place and place[-1] in _LABELS):
        return value
    cleaned = {}
    for key, item in value.items():
        key_path = (*place, key)
        _check_not_quantized(key_path, item)
        is_path = paths and isinstance(item, str) and _PATH.match(item)
        if not is_path and not _REMOVED.fullmatch(key):
            cleaned[key] = clean(item, removed, key_path, paths=paths)
        elif not _is_common(key, item):
            removed[_dotted(key_path)] = None
    return cleaned


def _dotted(place: tuple[str, ...]) -> str:
    return ".".join(filter(None, place))


def _check_not_quantized(place: tuple[str, ...], value: Any) -> None:
    if place[-1] in _REFUSED and value:
        method = value.get("quant_method", "") if isinstance(value, Mapping) else ""
        raise RefusedCheckpointError(
            f"its config requires quantized kernels ({_dotted(place)}: {str(method)[:40]!r}), "
            f"which hfscan does not run: check the checkpoint it was made from"
        )


def _is_common(key: str, value: Any) -> bool:
    return value in _COMMON_ATTENTION if "attn_implementation" in key else key in _COMMON

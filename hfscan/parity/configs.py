"""Take out of an untrusted config whatever could load code, kernels or other files."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Config = dict[str, Any]

_REFUSED = ("quantization_config", "compression_config", "quantization")
"""Entries that make a loader run other libraries' kernels, without which the weights are no use."""

_DROPPED = re.compile(
    r"auto_map|custom_(pipelines|generate)|\w*attn_implementation\w*|\w*experts_implementation\w*|\w*kernel_config"
    r"|use_kernels|(\w*_)?name_or_path"
    r"|_commit_hash|torchscript|use_pretrained_backbone|trust_remote_code|code_revision"
    r"|peft_config|adapter_(\w+_)?path|\w+_file"
)
"""Names of entries that name code, kernels, other models or other files."""

_PATH = re.compile(r"[/~\\]|[A-Za-z]:[/\\]|[\w.+-]+://|(.*[/\\])?\.\.([/\\].*)?$")
"""Values that lead elsewhere: absolute paths, addresses, and whatever goes up a folder."""

_LABELS = {"id2label", "label2id"}  # whose names are the user's own words, such as "/m/0dgw9r"
_USUAL = {"_name_or_path", "name_or_path", "_commit_hash", "torchscript", "vocab_file"}
_USUAL_ATTENTION = {"eager", "sdpa", None}
_DEPTH = 50  # of nesting; real configs have three levels


@dataclass(frozen=True)
class Cleaned:
    """A config without its dangerous entries, and the names of those worth telling."""

    config: Config
    dropped: list[str] = field(default_factory=list)


class ForbiddenConfigError(ValueError):
    """A config cannot be used without code that is not run; the message says why."""


def clean(config: Mapping[str, Any], *, paths: bool = True) -> Cleaned:
    """Return `config` without entries that load code or reach for files, at any depth.

    Without `paths` values that look like one are kept: special tokens may. Raises
    ForbiddenConfigError where nothing would be left to compare.
    """
    cleaner = _Cleaner(paths)
    return Cleaned(cleaner.clean(config, (), 0), list(cleaner.dropped))


class _Cleaner:
    def __init__(self, paths: bool) -> None:
        self.paths = paths
        self.dropped: dict[str, None] = {}

    def clean(self, value: Any, place: tuple[str, ...], depth: int) -> Any:
        if depth > _DEPTH:
            raise ForbiddenConfigError(f"its config is nested more than {_DEPTH} levels deep")
        if isinstance(value, list):
            return [self.clean(item, place, depth + 1) for item in value]
        if not isinstance(value, Mapping) or (place and place[-1] in _LABELS):
            return value
        return {
            key: self.clean(item, (*place, key), depth + 1)
            for key, item in value.items()
            if not self._drops(key, item, place)
        }

    def _drops(self, key: str, value: Any, place: tuple[str, ...]) -> bool:
        named = ".".join((*place, key))
        if key in _REFUSED and value:
            method = value.get("quant_method", "") if isinstance(value, Mapping) else ""
            raise ForbiddenConfigError(
                f"its config asks for quantized kernels ({named}: {str(method)[:40]!r}), which are "
                f"not run: check the checkpoint it was made from"
            )
        leads_away = self.paths and isinstance(value, str) and _PATH.match(value)
        if not leads_away and not _DROPPED.fullmatch(key):
            return False
        if not _is_usual(key, value):
            self.dropped[named] = None
        return True


def _is_usual(key: str, value: Any) -> bool:
    if "attn_implementation" in key:
        return value is None or (isinstance(value, str) and value in _USUAL_ATTENTION)
    return key in _USUAL

"""Describe the processor and the libraries that timings depend on."""

import platform
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

Info = Mapping[str, Any]
_INSTRUCTION_SETS = r"sse4_[12]|avx\w*|fma|f16c|amx_\w+|asimd\w*|sve\w*"
_NUMBERS = {"family": "cpu family", "model": "model", "stepping": "stepping"}
_AMD = "AuthenticAMD"


def describe_processor() -> dict[str, Any]:
    """Return name, vendor, family, model, stepping and instruction sets; None where not known."""
    entries: dict[str, str] = {}
    with suppress(OSError):
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0]
        pairs = (line.partition(":") for line in text.splitlines())
        entries = {key.strip(): value.strip() for key, _, value in pairs}
    flags = (entries.get("flags") or entries.get("Features", "")).split()
    numbers = {name: entries.get(key, "") for name, key in _NUMBERS.items()}
    return {
        "name": entries.get("model name") or platform.processor(),
        "vendor": entries.get("vendor_id"),
        **{name: int(text) if text.isdecimal() else None for name, text in numbers.items()},
        "instruction_sets": [flag for flag in flags if re.fullmatch(_INSTRUCTION_SETS, flag)],
    }


def available_memory_bytes() -> int | None:
    """Return how much memory programs can take without swapping; None except on Linux."""
    with suppress(OSError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def describe_libraries(info: Info) -> str | None:
    """Return a backend's libraries with version and instruction set, as one phrase."""
    phrases = []
    for library in info.get("libraries", ()):
        words = " ".join(filter(None, (library["name"], library["version"])))
        phrases.append(f"{words} ({library['isa']})" if library["isa"] else words)
    return ", ".join(phrases) or None


def describe_model(processor: Info) -> str:
    """Return the processor's name, numbers and instruction sets as one sentence."""
    numbers = [f"{name} {processor[name]}" for name in _NUMBERS if processor.get(name) is not None]
    parts = [processor.get("name") or "processor not known", *numbers]
    sets = " ".join(processor.get("instruction_sets", ()))
    return f"{', '.join(parts)}; instruction sets: {sets or 'not known'}."


def find_warnings(processor: Info, infos: Mapping[str, Info]) -> Iterator[str]:
    """Yield what makes a comparison of these backends' times unfair on this processor."""
    with_mkl = [
        name
        for name, info in infos.items()
        if any(library["name"] == "MKL" for library in info.get("libraries", ()))
    ]
    if with_mkl and processor["vendor"] == _AMD:
        yield (
            f"{', '.join(with_mkl)}: Intel's MKL multiplies matrices, on a processor by AMD. "
            f"MKL chooses its instructions by vendor, so that other backends can have an advantage "
            f"here that they do not have on Intel's processors: compare the GFLOP/s."
        )

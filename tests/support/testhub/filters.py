"""Filters of the Hub's model list that hfscan does not use."""

import re
from collections.abc import Sequence

from hfscan.fakehub import listing
from hfscan.fakehub.listing import Filters
from hfscan.fakehub.messages import BadRequestError
from hfscan.fakehub.population import Model

_APP_TAGS = {"llama.cpp": "gguf", "ollama": "gguf", "vllm": "safetensors", "mlx-lm": "mlx"}
"""Local app -> the tag of the format that it reads; the Hub's own rules are finer."""

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}


def _has_provider(model: Model, providers: Sequence[str]) -> bool:
    available = {entry.get("provider") for entry in model.get("inferenceProviderMapping") or ()}
    return bool(available) if "all" in providers else bool(available & set(providers))


def _has_parameters(model: Model, text: str) -> bool:
    """Return whether the size of a model is within `text`: "min:6B,max:128B", or one of the two."""
    if not re.fullmatch(r"(?:(min|max):([\d.]+)([KMBT]?)(?:,|$))+", text, re.IGNORECASE):
        raise BadRequestError(f"Invalid num_parameters: {text}")
    bounds = {
        key.lower(): float(number) * _UNITS[unit.upper()]
        for key, number, unit in re.findall(r"(min|max):([\d.]+)([KMBT]?)", text, re.IGNORECASE)
    }
    totals = ((model.get(key) or {}).get("total") for key in ("safetensors", "gguf"))
    total = next((total for total in totals if total is not None), None)
    return total is not None and bounds.get("min", 0) <= total <= bounds.get("max", total)


FILTERS: Filters = {
    **listing.FILTERS,
    "apps": lambda model, text: (
        {_APP_TAGS.get(app, app) for app in text.split(",")} <= set(model.get("tags") or ())
    ),
    "inference": lambda model, text: model.get("inference") == text,
    "inference_provider": lambda model, text: _has_provider(model, text.split(",")),
    "num_parameters": _has_parameters,
    "gated": lambda model, text: bool(model.get("gated")) == (text == "true"),
}


class Listing(listing.Listing):
    """Pages of a population, with all filters."""

    filters = FILTERS

"""Which keys an answer carries, in which order. Source: recorded answers of the Hub, 2024-2026."""

from typing import Any

PLAIN = (
    "_id id likes trendingScore private downloads tags pipeline_tag library_name createdAt modelId"
).split()
FULL = (
    "_id id author gated lastModified likes trendingScore private sha downloads tags pipeline_tag "
    "library_name createdAt modelId siblings"
).split()
DETAIL = (
    "_id id private pipeline_tag library_name tags downloads likes modelId author sha lastModified "
    "gated disabled mask_token widgetData model-index config cardData transformersInfo gguf "
    "siblings spaces createdAt safetensors inference usedStorage"
).split()
LIST_EXPAND = (
    "_id id author baseModels cardData disabled gated inferenceProviderMapping lastModified likes "
    "trendingScore private sha config downloads downloadsAllTime gguf model-index safetensors "
    "evalResults tags pipeline_tag library_name transformersInfo widgetData createdAt siblings "
    "resourceGroup xetEnabled"
).split()
DETAIL_EXPAND = (
    "_id id author baseModels cardData config disabled downloads downloadsAllTime gated gguf "
    "lastModified library_name likes mask_token model-index pipeline_tag private sha tags "
    "transformersInfo trendingScore widgetData siblings spaces createdAt safetensors "
    "childrenModelCount inference usedStorage inferenceProviderMapping evalResults resourceGroup "
    "xetEnabled"
).split()
EXPANDABLE = (
    "author baseModels cardData config createdAt disabled downloads downloadsAllTime evalResults "
    "gated gguf inference inferenceProviderMapping lastModified library_name likes mask_token "
    "model-index pipeline_tag private resourceGroup safetensors sha siblings spaces tags "
    "transformersInfo trendingScore widgetData xetEnabled"
).split()
DETAIL_ONLY = ["childrenModelCount", "usedStorage"]
_HIDDEN = {"gitalyUid"}  # accepted, though internal


def bad_expand(asked: list[str], *, detail: bool) -> str | None:
    """Return the Hub's message for an `expand` value it does not know, None when all are known."""
    allowed = sorted([*EXPANDABLE, *(DETAIL_ONLY if detail else ())])
    if set(asked) <= {*allowed, *_HIDDEN}:
        return None
    return f'"expand" must be one of [{", ".join(allowed)}]'


def pick(model: dict[str, Any], keys: list[str]) -> dict[str, Any]:
    """Return the model cut to `keys`, in their order; what it does not have is absent."""
    owner, slash, _ = model["id"].partition("/")
    derived = {"modelId": model["id"]} | ({"author": owner} if slash else {})
    whole = derived | model
    return {key: whole[key] for key in keys if key in whole}


def expanded(asked: list[str], *, detail: bool) -> list[str]:
    """Return the keys of an answer with these `expand` values, in the server's own order."""
    order = DETAIL_EXPAND if detail else LIST_EXPAND
    return [key for key in order if key in ("_id", "id") or key in asked]

"""The fields of the Hub API's objects: those that a snapshot stores, and their types."""

from typing import Any

_TEXTS = "_id id modelId author createdAt lastModified sha library_name pipeline_tag".split()
_COUNTS = ("downloads", "downloadsAllTime", "likes")
_OBJECTS = ("baseModels", "safetensors", "gguf", "config")
_LISTS = ("tags", "siblings", "unreadable")  # the last in an export: the unreadable columns

FIELDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_TEXTS, ("VARCHAR",)),
    **dict.fromkeys(_COUNTS, ("UBIGINT", "BIGINT")),
    **dict.fromkeys(("disabled", "private"), ("BOOLEAN",)),
    **dict.fromkeys(_OBJECTS, ("OBJECT",)),
    **dict.fromkeys(_LISTS, ("ARRAY",)),
    "gated": ("BOOLEAN", "VARCHAR"),
}
"""Each stored field -> the JSON types it may have, in DuckDB's names (`json_type`)."""

NESTED_TYPES: dict[str, tuple[str, ...]] = {
    "siblings[0]": ("OBJECT", "VARCHAR"),  # some dumps list bare names
    "baseModels.relation": ("VARCHAR",),
    "baseModels.models": ("ARRAY",),
    "safetensors.total": ("UBIGINT", "BIGINT"),
    "gguf.total": ("UBIGINT", "BIGINT"),
    "config.model_type": ("VARCHAR",),
    "config.architectures": ("ARRAY",),
    "cardData": ("OBJECT", "VARCHAR"),
    "cardData.sdk": ("VARCHAR",),
}
"""The same for the stored parts of lists and objects."""

IGNORED_FIELDS = frozenset(
    "trendingScore cardData transformersInfo widgetData spaces mask_token model-index inference "
    "inferenceStatus resourceGroup usedStorage evalResults inferenceProviderMapping xetEnabled "
    "childrenModelCount gitalyUid securityStatus securityRepoStatus".split()
)
"""Fields of the API that are not stored."""

INSPECTED_FIELDS = frozenset({"cardData"})  # of these, those that show an object's kind: kinds.py

NESTED: dict[str, Any] = {
    "tags": ["VARCHAR"],
    "unreadable": ["VARCHAR"],
    "siblings": [{"rfilename": "VARCHAR"}],
    "baseModels": {"models": [{"id": "VARCHAR"}], "relation": "VARCHAR"},
    "safetensors": {"total": "BIGINT"},
    "gguf": {"total": "BIGINT"},
    "config": {"model_type": "VARCHAR", "architectures": ["VARCHAR"]},
}

JSON_SCHEMA: dict[str, Any] = {name: NESTED.get(name, types[-1]) for name, types in FIELDS.items()}
"""The API's object in the notation of `json_transform`: the stored parts of each field."""

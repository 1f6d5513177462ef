"""One name and one orientation for a tensor, whichever framework wrote it: PyTorch's."""

import re

_RENAMED = {
    r"\.gamma$": ".weight",
    r"\.beta$": ".bias",
    r"\.parametrizations\.weight\.original0$": ".weight_g",
    r"\.parametrizations\.weight\.original1$": ".weight_v",
}


def from_pytorch(name: str) -> str:
    """Return one name for what releases of PyTorch and transformers have called differently."""
    for pattern, present in _RENAMED.items():
        name = re.sub(pattern, present, name)
    return name


def from_tensorflow(name: str, rank: int) -> tuple[str, tuple[int, ...] | None]:
    """Return (PyTorch's name, axes to transpose by or None) of a TF transformers variable.

    The rules are those of transformers' `convert_tf_weight_name_to_pt_weight_name`: the outermost
    scope goes, `layer_._3` is `layer/3`, `a___b` is `b`, and the last word says what it is.
    (They leave out how TensorFlow calls the statistics of a batch norm; these here do not.)
    """
    name = re.sub(r"/[^/]*___([^/]*)/", r"/\1/", name.removesuffix(":0"))
    parts = re.sub(r"//+", "/", name.replace("_._", "/")).split("/")
    parts = parts[1:] if len(parts) > 1 else parts
    last = parts[-1]
    axes: tuple[int, ...] | None = None
    if last == "kernel" and rank == 4:
        axes = (3, 2, 0, 1)
    elif last == "kernel" and rank == 3:
        axes = (2, 1, 0)
    elif last in {"pointwise_kernel", "depthwise_kernel"} or (
        rank == 2 and (last == "kernel" or {"emb_projs", "out_projs"} & set(parts))
    ):
        axes = tuple(reversed(range(rank)))
    parts[-1] = {
        "kernel": "weight",
        "embeddings": "weight",
        "gamma": "weight",
        "beta": "bias",
        "pointwise_kernel": "pointwise.weight",
        "depthwise_kernel": "depthwise.weight",
        "moving_mean": "running_mean",
        "moving_variance": "running_var",
    }.get(last, last)
    return ".".join(parts), axes


def from_flax(name: str, rank: int) -> tuple[str, tuple[int, ...] | None]:
    """Return (PyTorch's name, axes to transpose by or None) of a Flax parameter.

    The rules are those of transformers' `modeling_flax_pytorch_utils`: the collection's name goes,
    layers are numbered alike, and the last word says what it is.
    """
    parts = [part for part in name.split("/") if part not in {"params", "batch_stats"}]
    axes = {2: (1, 0), 3: (2, 1, 0), 4: (3, 2, 0, 1)}.get(rank) if parts[-1] == "kernel" else None
    parts[-1] = {
        "kernel": "weight",
        "scale": "weight",
        "embedding": "weight",
        "mean": "running_mean",
        "var": "running_var",
    }.get(parts[-1], parts[-1])
    return ".".join(parts), axes

# mypy: ignore-errors
"""Makes random models of any architecture that transformers has in both frameworks."""

import inspect
import tomllib
from pathlib import Path

import torch
import transformers

SEED = 20240501
_DATA = tomllib.loads(Path(__file__).with_name("_models.toml").read_text(encoding="utf-8"))
_SIZES = {name: int(size) for size, names in _DATA["sizes"].items() for name in names.split()}
_TOKENS = {name: int(token) for token, names in _DATA["tokens"].items() for name in names.split()}


def architectures():
    """Return {architecture: model type} of all models that have a class in both frameworks."""
    found = {}
    for name in dir(transformers):
        if not hasattr(transformers, "TF" + name):
            continue
        cls = getattr(transformers, name)
        if inspect.isclass(cls) and issubclass(cls, transformers.PreTrainedModel):
            abstract = "pretrained" in name.lower()
            if cls.config_class is not None and not abstract:
                found[name] = cls.config_class.model_type
    return found


def make(architecture, into, changes=None, full=False, pickled=False, twin=True):
    """Save a model with every weight random, as safetensors and, by TensorFlow's class, as .h5.

    It is tiny, its weights far from where training starts, so that no step hides in rounding; or,
    `full`, of its config's own size with weights as its class initialises them, none quite 0 or 1.
    `changes` are entries of its config; with `pickled` it is saved as .bin too, without `twin` not
    as .h5. Return {"twin": None, or why TensorFlow saved nothing}.
    """
    cls = getattr(transformers, architecture)
    changes = dict(changes or {})
    if cls.config_class.model_type in _DATA["encoders"]:
        changes.setdefault("is_decoder", architecture.endswith(("ForCausalLM", "LMHeadModel")))
    config = cls.config_class(**changes) if full else tiny(cls.config_class, changes)
    torch.manual_seed(SEED)
    model = shuffled(cls(config).eval(), 0.002 if full else 0.05)
    model.save_pretrained(into, safe_serialization=True)
    if pickled:
        model.save_pretrained(into, safe_serialization=False)
    if not twin:
        return {"twin": None}
    tf_class = getattr(transformers, "TF" + architecture, None)
    if tf_class is None:
        return {"twin": f"transformers {transformers.__version__} has no class TF{architecture}"}
    try:
        other = tf_class.from_pretrained(into, from_pt=True, use_safetensors=True)
        other.save_pretrained(into, safe_serialization=False)
    except Exception as error:
        return {"twin": f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"}
    return {"twin": None}


def tiny(config_class, changes):
    model_type = config_class.model_type
    taken = inspect.signature(config_class.__init__).parameters
    given = {name: size for name, size in _SIZES.items() if name in taken}
    for name in _TOKENS.keys() & taken.keys():
        default = taken[name].default
        if isinstance(default, int) and not 0 <= default < given.get("vocab_size", default + 1):
            given[name] = _TOKENS[name]
    parts = _DATA["joined"].get(model_type, {})
    for name, part in parts.items():
        inner = tiny(type(transformers.AutoConfig.for_model(part)), {})
        given[name] = inner.to_dict() | {"model_type": part}
        if name == "decoder":
            given[name] |= {"is_decoder": True, "add_cross_attention": True}
    for name, inner in getattr(config_class, "sub_configs", {}).items():
        if name not in parts:
            given[name] = tiny(inner, {}).to_dict()
    config = config_class(**{**given, **_DATA["own"].get(model_type, {}), **changes})
    if config.is_encoder_decoder:
        config.decoder_start_token_id = config.decoder_start_token_id or _TOKENS["bos_token_id"]
    return config


def shuffled(model, scale):
    """Move every weight, also those that start as 0 or 1, so that none can be taken for another."""
    draw = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if not tensor.is_floating_point() or name.endswith("inv_freq"):  # computed
                continue
            noise = scale * torch.randn(tensor.shape, generator=draw)
            tensor.add_(noise.abs() if name.endswith("running_var") else noise)
    return model

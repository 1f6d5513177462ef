# mypy: ignore-errors
"""Make random models of any architecture that transformers has in both frameworks."""

import importlib.metadata
import inspect
import platform
import tomllib
from pathlib import Path

import torch
import transformers

from hfscan.parity.backends._shapes import randomize

SEED = 20240501
_DATA = tomllib.loads(Path(__file__).with_name("random_models.toml").read_text(encoding="utf-8"))
_SIZES = {name: int(size) for size, names in _DATA["sizes"].items() for name in names.split()}
_TOKENS = {name: int(token) for token, names in _DATA["tokens"].items() for name in names.split()}


def architectures():
    """Return {architecture: model type} of all models that have a class in both frameworks."""
    model_types = {}
    for name in dir(transformers):
        if not hasattr(transformers, "TF" + name):
            continue
        cls = getattr(transformers, name)
        if inspect.isclass(cls) and issubclass(cls, transformers.PreTrainedModel):
            is_abstract = "pretrained" in name.lower()
            if cls.config_class is not None and not is_abstract:
                model_types[name] = cls.config_class.model_type
    return model_types


def versions():
    """Return the versions of Python and of the packages that the numbers depend on."""
    packages = ("torch", "transformers", "numpy", "tensorflow")
    installed = {name: importlib.metadata.version(name) for name in packages}
    return {"python": platform.python_version(), **installed}


def make(architecture, into, changes=None, twin=True):
    """Save a tiny model with random weights, as safetensors and, by TensorFlow's class, as .h5.

    The weights are far from their initial values, so that rounding hides no step. `changes` are
    entries of its config; without `twin` no .h5 is saved. Return None, or why TensorFlow failed.
    """
    cls = getattr(transformers, architecture)
    changes = dict(changes or {})
    if cls.config_class.model_type in _DATA["encoders"]:
        changes.setdefault("is_decoder", architecture.endswith(("ForCausalLM", "LMHeadModel")))
    torch.manual_seed(SEED)
    model = randomize(cls(tiny(cls.config_class, changes)).eval(), 0.05)
    model.save_pretrained(into, safe_serialization=True)
    if not twin:
        return None
    tf_class = getattr(transformers, "TF" + architecture, None)
    if tf_class is None:
        return f"transformers {transformers.__version__} has no class TF{architecture}"
    try:
        other = tf_class.from_pretrained(into, from_pt=True, use_safetensors=True)
        other.save_pretrained(into, safe_serialization=False)
    except Exception as error:
        return f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
    return None


def tiny(config_class, changes):
    """Return a config with the sizes of random_models.toml that its class accepts."""
    model_type = config_class.model_type
    accepted = inspect.signature(config_class.__init__).parameters
    sizes = {name: size for name, size in _SIZES.items() if name in accepted}
    for name in _TOKENS.keys() & accepted.keys():
        default = accepted[name].default
        if isinstance(default, int) and not 0 <= default < sizes.get("vocab_size", default + 1):
            sizes[name] = _TOKENS[name]
    parts = _DATA["joined"].get(model_type, {})
    for name, part in parts.items():
        inner = tiny(type(transformers.AutoConfig.for_model(part)), {})
        sizes[name] = inner.to_dict() | {"model_type": part}
        if name == "decoder":
            sizes[name] |= {"is_decoder": True, "add_cross_attention": True}
    for name, inner in getattr(config_class, "sub_configs", {}).items():
        if name not in parts:
            sizes[name] = tiny(inner, {}).to_dict()
    config = config_class(**{**sizes, **_DATA["own"].get(model_type, {}), **changes})
    if config.is_encoder_decoder:
        config.decoder_start_token_id = config.decoder_start_token_id or _TOKENS["bos_token_id"]
    return config

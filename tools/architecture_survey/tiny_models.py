# mypy: ignore-errors
"""Make tiny random models of architectures, and inputs that they run on.

Run as `python tiny_models.py list`, which prints the names of all architectures (folders of
`transformers.models` with a modelling file), or as `python tiny_models.py make FOLDER SECONDS
NAME...`, which fills FOLDER/NAME with a checkpoint and `inputs.npz` and prints a line of JSON for
each; it is killed by SIGALRM if one of them takes longer. It runs in the environment of the backend
`pytorch`, with the project on PYTHONPATH.
"""

import contextlib
import dataclasses
import importlib
import inspect
import json
import pkgutil
import re
import signal
import sys
import tomllib
from pathlib import Path

import numpy as np
import torch
import transformers
from tiny_inputs import list_inputs
from transformers import AutoConfig, PreTrainedModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from hfscan.parity.backends._shapes import SEED, randomize

MAX_PARAMETERS = 40_000_000
MAX_CLASSES = 4  # of an architecture that are tried
LEVELS = ("smallest", "heads", "deep", "shallow")
_DATA = tomllib.loads(Path(__file__).with_name("tiny_models.toml").read_text(encoding="utf-8"))
_SIZES = [(re.compile(row["pattern"]), row) for row in _DATA["size"]]
_FIRST_TOKENS = {"pad": 0, "bos": 1, "eos": 2}
_PREFERRED = (
    "ForConditionalGeneration", "ForCausalLM", "LMHeadModel", "ForMaskedLM",
    "ForImageClassification", "ForObjectDetection", "ForCTC", "Model", "",
)  # fmt: skip
"""Ends of class names, the preferred ones first."""


class NoTinyModelError(Exception):
    """An architecture cannot be made tiny; the message says why."""


def list_architectures():
    """Return the folders of `transformers.models` that have a modelling file."""
    root = Path(transformers.models.__path__[0])
    return sorted({path.parent.name for path in root.glob("*/modeling_*.py")} - {"auto"})


def list_classes(name):
    """Return the public model classes that an architecture defines, the preferred ones first."""
    package = importlib.import_module(f"transformers.models.{name}")
    classes = []
    for info in pkgutil.iter_modules(package.__path__):
        if info.name.startswith("modeling_"):
            module = importlib.import_module(f"{package.__name__}.{info.name}")
            classes += [getattr(module, item) for item in getattr(module, "__all__", ())]

    def is_model(cls):
        return (
            inspect.isclass(cls)
            and issubclass(cls, PreTrainedModel)
            and not cls.__name__.lower().endswith("pretrainedmodel")
            and isinstance(cls.config_class, type)
            and getattr(transformers, cls.__name__, None) is cls
        )

    def rank(cls):
        ends = (number for number, end in enumerate(_PREFERRED) if cls.__name__.endswith(end))
        return next(ends), len(cls.__name__)

    return sorted(filter(is_model, dict.fromkeys(classes)), key=rank)


def shrink(name, value, level):
    """Return an entry of a config, at most as large as the first pattern of its name says."""
    row = next((row for pattern, row in _SIZES if pattern.fullmatch(name)), None)
    if row is None or isinstance(value, bool):
        return value
    levels = LEVELS[: LEVELS.index(level) + 1]
    size = next(row[level] for level in reversed(levels) if level in row)
    if isinstance(value, int):
        return min(value, size)
    if not isinstance(value, list | tuple) or not value or {type(item) for item in value} != {int}:
        return value
    least = min(value)
    if "heads" in name:
        return [item // least for item in value]
    if least > size > 1 and "image" not in name:  # a list of widths keeps its ratios
        return [item * size // least for item in value]
    return [min(item, size) for item in value]


def make_config(config_class, level, changes=None):
    """Return a config with its class's defaults made small, and those of its parts."""
    changes = changes or {}
    default = config_class(**changes)
    parts = getattr(config_class, "sub_configs_defaults", {})
    values = {}
    for field in dataclasses.fields(config_class):
        if field.name not in parts:
            with contextlib.suppress(Exception):  # some differ from layer to layer
                values[field.name] = getattr(default, field.name)
    entries = {name: shrink(name, value, level) for name, value in values.items()}
    entries = {name: value for name, value in entries.items() if value != values[name]}
    if values.get("num_key_value_heads") == values.get("num_attention_heads"):
        entries.pop("num_key_value_heads", None)
        if "num_attention_heads" in entries and "num_key_value_heads" in values:
            entries["num_key_value_heads"] = entries["num_attention_heads"]
    rope = values.get("rope_parameters")
    if isinstance(rope, dict) and "rope_theta" in rope and rope["rope_theta"] is None:
        entries["rope_parameters"] = rope | {"rope_theta": 10_000.0}
    for name, spec in parts.items():
        if getattr(default, name, None) is not None or not spec.optional:
            is_auto = spec.config_class is AutoConfig
            part_class = CONFIG_MAPPING[spec.model_type] if is_auto else spec.config_class
            own = {key: spec.init_kwargs[key] for key in spec.init_kwargs if _is_kept(key)}
            entries[name] = make_config(part_class, level, own).to_dict()
    vocabulary = entries.get("vocab_size", values.get("vocab_size"))
    if isinstance(vocabulary, int):
        entries |= replace_tokens(values, vocabulary)
    return config_class(**changes | entries | _DATA["own"].get(config_class.model_type, {}))


def _is_kept(key):
    """Return whether an entry that a part gets from the model does not concern its size."""
    return key.startswith(("out_", "is_", "add_"))


def replace_tokens(values, vocabulary):
    """Return ids inside a vocabulary for the special tokens whose ids lie outside it."""
    replaced, last = {}, vocabulary - 1
    for name, value in values.items():
        if type(value) is int and value >= vocabulary and name.endswith(("_id", "_index")):
            replaced[name] = _FIRST_TOKENS.get(name.partition("_")[0])
            if replaced[name] is None:
                replaced[name] = last
                last -= 1
    return replaced


def make_model(cls, level):
    """Return a tiny random model and its size. Raises NoTinyModelError if it is not small."""
    config = make_config(cls.config_class, level)
    with torch.device("meta"):
        size = sum(tensor.numel() for tensor in cls(config).parameters())
    if size > MAX_PARAMETERS:
        raise NoTinyModelError(f"{size:,} parameters after shrinking")
    torch.manual_seed(SEED)
    return randomize(cls(make_config(cls.config_class, level)).eval(), 0.05), size


def run_model(model, arrays):
    """Call a model twice. Raises NoTinyModelError if its outputs cannot be compared.

    They must be named, without NaN, and the same in the second call.
    """
    given = {name: torch.from_numpy(array) for name, array in arrays.items()}
    calls = []
    with torch.inference_mode():
        for _ in range(2):
            output = model(**given, output_hidden_states=True, return_dict=True)
            if not hasattr(output, "items"):
                raise NoTinyModelError(f"it returns a {type(output).__name__}, not named outputs")
            calls.append({key: item for key, item in output.items() if torch.is_tensor(item)})
            for key, item in output.items():
                if key.endswith("hidden_states") and not all(map(torch.is_tensor, item)):
                    raise NoTinyModelError(f"its {key} are not tensors")
    first, second = calls
    if not first:
        raise NoTinyModelError("it returns no named tensor")
    if any(value.isnan().any() for value in first.values()):
        raise NoTinyModelError("NaN in its outputs")
    if any(not torch.equal(value, second[key]) for key, value in first.items()):
        raise NoTinyModelError("two calls give different outputs")


def make(name, folder):
    """Save the first class of an architecture that can be made tiny and run; return its row."""
    faults = {}
    for cls in list_classes(name)[:MAX_CLASSES]:
        for level in LEVELS:
            try:
                model, size = make_model(cls, level)
            except Exception as error:
                faults[cls.__name__] = describe(error)
                continue
            for arrays in list_inputs(model):
                try:
                    run_model(model, arrays)
                except Exception as error:
                    faults.setdefault(cls.__name__, f"on {', '.join(arrays)}: {describe(error)}")
                    continue
                model.save_pretrained(folder)
                np.savez(folder / "inputs.npz", **arrays)
                return {
                    "model_type": model.config.model_type,
                    "architecture": cls.__name__,
                    "parameters": size,
                    "inputs": {key: list(array.shape) for key, array in arrays.items()},
                    "level": level,
                }
    reasons = [f"{cls}: {fault}" for cls, fault in faults.items()]
    raise NoTinyModelError("; ".join(reasons) or "it has no public model class")


def describe(error):
    """Return what an error says, with its class unless it is this module's own."""
    line = " ".join(str(error).split("\n")[:2])[:200]
    return line if isinstance(error, NoTinyModelError) else f"{type(error).__name__}: {line}"


def main():
    if sys.argv[1] == "list":
        print(json.dumps(list_architectures()))
        return
    folder, seconds, *names = sys.argv[2:]
    for name in names:
        signal.alarm(int(seconds))
        try:
            row = make(name, Path(folder) / name)
        except Exception as error:
            row = {"fault": describe(error)}
        print(json.dumps({"name": name, **row}), flush=True)


if __name__ == "__main__":
    main()

# mypy: ignore-errors
"""Share what the backends that run transformers' classes need, whichever the framework."""

import contextlib
import importlib
import time

import numpy as np
import transformers
from _protocol import op, save_arrays
from _tensors import normalize_pytorch_name
from _vision import NETWORKS


@op
def tokenize(folder, texts, length):
    """Return a list of token ids for each text, cut to `length`."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(
        folder, local_files_only=True, trust_remote_code=False
    )
    ids = tokenizer(texts, truncation=True, max_length=length)["input_ids"]
    return {"ids": [list(map(int, row)) for row in ids]}


VISION = {"": "_vision_pytorch", "TF": "_vision_tensorflow"}  # prefix -> module


def find_class(prefix, architecture, folder, mapping=None):
    """Return (class, config): a class of `mapping` if the config names none of this framework."""
    if architecture in NETWORKS:
        if prefix not in VISION:
            raise LookupError(f"this backend has no {architecture}")
        cls = importlib.import_module(VISION[prefix]).MODELS[architecture]
        return cls, cls.config_class.from_pretrained(folder)
    cls = getattr(transformers, prefix + architecture, None) if architecture else None
    configs = transformers.AutoConfig if cls is None else cls.config_class
    config = configs.from_pretrained(folder, trust_remote_code=False)
    if cls is None and mapping is not None:
        cls = mapping[type(config)]
    if cls is None:
        raise LookupError(
            f"transformers {transformers.__version__} has no class {prefix}{architecture}"
        )
    return cls, config


def open_reply(seconds, info, unset=(), unread=(), tensors=None):
    """Return how long loading took, the keys that the loader reported, and `unread_keys`.

    `tensors`: PyTorch's names of each tensor of the model, several if it is tied.
    """
    loading = {"unset": sorted(unset)}
    for kind in ("missing", "unexpected", "mismatched"):
        keys = info.get(f"{kind}_keys", ())  # a mismatched key may come with its shapes
        names = (key[0] if isinstance(key, (tuple, list)) else key for key in keys)
        loading[kind] = sorted(map(str, names))
    reply = {"load_seconds": seconds, "loading": loading, "unread_config_keys": list(unread)}
    return reply if tensors is None else reply | {"tensors": tensors}


def group_tied(model):
    """Return the names in files of each tensor of a PyTorch model; tied ones share their memory.

    transformers 5 renames, joins and splits tensors when it loads and saves some models.
    """
    tensors, groups = model.state_dict(), {}
    with contextlib.suppress(ImportError):  # transformers 4 stores them as they are
        from transformers.core_model_loading import revert_weight_conversion  # noqa: PLC0415

        tensors = revert_weight_conversion(model, tensors)
    for name, tensor in tensors.items():
        if tensor.is_floating_point():
            place = (tensor.data_ptr(), tensor.shape) if tensor.numel() else name
            groups.setdefault(place, []).append(normalize_pytorch_name(name))
    return list(groups.values())


def weightless_layers(model):
    """Return the layers without weights, such as dropout, which Keras reports as missing."""
    return {layer.name for layer in model.layers if not layer.weights}


HIDDEN_STATES = {"output_hidden_states": True, "return_dict": True}


def run_model(model, given, to_numpy, into):
    """Run a model once, and save what it returns."""
    start = time.perf_counter()
    output = model(**given, **HIDDEN_STATES)
    for tensor in [value for value in output.values() if hasattr(value, "shape")][:1]:
        to_numpy(tensor)  # waits until a GPU has computed it
    return run_reply(output, to_numpy, into, time.perf_counter() - start)


def run_reply(output, to_numpy, into, seconds):
    """Save a transformers output: its tensors, their dtypes, and the hidden states by layer."""
    arrays, dtypes, hidden = {}, {}, {}
    for name, value in output.items():
        if name.endswith("hidden_states"):
            layers = {number: to_numpy(layer) for number, layer in enumerate(value)}
            hidden[name] = list(save_arrays(f"{into}/{name}", layers).values())
        elif hasattr(value, "shape"):
            arrays[name] = to_numpy(value)
            dtypes[name] = str(getattr(value.dtype, "name", value.dtype)).removeprefix("torch.")
    return {
        "outputs": save_arrays(f"{into}/outputs", arrays),
        "dtypes": dtypes,
        "hidden": hidden,
        "first_call_seconds": seconds,
    }


def end_tokens(ends):
    """Return the tokens that end a text: suppressed, so that all backends generate equally many."""
    return ends if isinstance(ends, list) else [] if ends is None else [ends]


def special_token(config, name):
    """Return a special token of a config; composite ones name it in the part that generates."""
    for part in (config, config.get_text_config(decoder=True)):
        if (token := getattr(part, name, None)) is not None:
            return token
    return None


def neutral_generation_config(model):
    """Return a generation config with the model's special tokens only, so that no processor acts.

    Checkpoints carry penalties, suppressed, forced and sampled tokens, and not every backend and
    load method reads them.
    """
    names = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")
    tokens = {name: special_token(model.config, name) for name in names}
    if tokens["decoder_start_token_id"] is None:
        tokens["decoder_start_token_id"] = model.generation_config.decoder_start_token_id
    if tokens["pad_token_id"] is None:
        tokens["pad_token_id"] = 0  # avoids a warning; one row needs no padding
    return transformers.GenerationConfig(**tokens)


def generate_greedily(model, given, new_tokens, to_numpy, *, scored=True, **options):
    """Return the tokens after the first row's prompt; if `scored`, the two best scores of each.

    `ends`: the suppressed tokens.
    """
    if scored:
        options |= {"output_scores": True, "return_dict_in_generate": True}
    model.generation_config = neutral_generation_config(model)
    ends = end_tokens(model.generation_config.eos_token_id)
    output = model.generate(
        **given,
        do_sample=False,
        num_beams=1,
        max_new_tokens=new_tokens,
        suppress_tokens=ends or None,
        **options,
    )
    tokens = to_numpy(output.sequences)[0].tolist()
    scores = getattr(output, "scores", None) or ()
    start = 1 if model.config.is_encoder_decoder else given["input_ids"].shape[1]
    top2 = [two_best(to_numpy(row)[0]) for row in scores]
    return {"tokens": tokens[start:], "top2": top2, "ends": ends}


def two_best(scores):
    """Return the two highest scores, the best first."""
    return np.sort(scores.astype(np.float64))[-2:][::-1].tolist()

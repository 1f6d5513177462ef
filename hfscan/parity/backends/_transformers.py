# mypy: ignore-errors
"""What backends share that run classes of transformers, whichever the framework."""

import numpy as np
import transformers
from _protocol import op, save_arrays


@op
def tokenize(folder, texts, length):
    """Return a list of ids for each text, cut to `length`, in `ids`."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(
        folder, local_files_only=True, trust_remote_code=False
    )
    ids = tokenizer(texts, truncation=True, max_length=length)["input_ids"]
    return {"ids": [list(map(int, row)) for row in ids]}


def named_class(prefix, architecture, folder, mapping=None):
    """Return (the framework's class, the checkpoint's config).

    A config that names no class of the framework gets the one in `mapping` for its kind.
    """
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


def answer_open(cls, seconds, info, unset=()):
    """Answer how long a loader took, and what it left out, put in or could not fit."""
    mismatched = info.get("mismatched_keys", ())
    return {
        "class": cls.__name__,
        "load_seconds": seconds,
        "loading": {
            "missing": sorted(map(str, info.get("missing_keys", ()))),
            "unexpected": sorted(map(str, info.get("unexpected_keys", ()))),
            "mismatched": sorted(
                str(key[0] if isinstance(key, (tuple, list)) else key) for key in mismatched
            ),
            "unset": sorted(unset),
        },
    }


def named_outputs(output, to_numpy):
    """Split a transformers output into {name: array}, {name: dtype}, {name: [array per layer]}."""
    flat, dtypes, layers = {}, {}, {}
    for name, value in output.items():
        if name.endswith("hidden_states"):
            layers[name] = [to_numpy(layer) for layer in value]
        elif hasattr(value, "shape"):
            flat[name] = to_numpy(value)
            dtypes[name] = str(getattr(value.dtype, "name", value.dtype)).removeprefix("torch.")
    return flat, dtypes, layers


def answer_run(output, to_numpy, into, seconds):
    flat, dtypes, layers = named_outputs(output, to_numpy)
    return {
        "outputs": save_arrays(f"{into}/outputs", flat),
        "dtypes": dtypes,
        "hidden": {
            name: list(save_arrays(f"{into}/{name}", dict(enumerate(values))).values())
            for name, values in layers.items()
        },
        "first_call_seconds": seconds,
    }


def end_tokens(ends):
    """Return the tokens that end a text: suppressed, so that all backends generate equally many."""
    return ends if isinstance(ends, list) else [] if ends is None else [ends]


def greedy(model, new_tokens):
    """Return the options with which every framework generates alike."""
    if model.generation_config.pad_token_id is None:
        model.generation_config.pad_token_id = 0  # else a warning; one row needs no padding
    return {
        "do_sample": False,
        "num_beams": 1,
        "max_new_tokens": new_tokens,
        "suppress_tokens": end_tokens(model.config.eos_token_id) or None,
    }


SCORED = {"output_scores": True, "return_dict_in_generate": True}


def answer_generate(model, given, output, to_numpy):
    """Tokens of the first row after the prompt, and at each step the two best scores, if known."""
    tokens = to_numpy(output.sequences)[0].tolist()
    steps = []
    for scores in getattr(output, "scores", None) or ():
        row = to_numpy(scores)[0].astype(np.float64)
        best = np.argsort(row)[-2:][::-1]
        steps.append([float(row[best[0]]), float(row[best[1]])])
    start = 1 if model.config.is_encoder_decoder else given["input_ids"].shape[1]
    return {"tokens": tokens[start:], "top2": steps}

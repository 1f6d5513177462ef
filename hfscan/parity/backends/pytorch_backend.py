# mypy: ignore-errors
"""The PyTorch backend: transformers' PyTorch classes, eager."""

import contextlib
import time

import torch
import transformers
from _names import from_pytorch
from _protocol import about, load, op, peak_rss_mb, reset_peak, save_arrays, timed
from _tensors import describe
from _transformers import (
    SCORED,
    answer_generate,
    answer_open,
    answer_run,
    greedy,
    named_class,
)
from transformers.activations import ACT2FN

DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "float64": torch.float64,
}
OPENS = {  # origin/format -> routes; `plain` is the call a user makes
    "pytorch/safetensors": ["plain"],
    "pytorch/bin": ["plain"],
    "tensorflow/h5": ["plain", "helper"],
    "tensorflow/safetensors": ["plain", "helper"],
}
READS = ["bin"]  # formats whose tensors it lists for comparing
NEEDS = {
    "tensorflow": "tensorflow"
}  # origin -> the backend whose framework is imported beside torch
VARIANTS = ["eager", "compile"]  # ways to run a model; the first is what a verdict rests on
TRAINS = ["eager", "compile"]  # ways to take a training step; the first is the usual one
state = {}


@op
def hello(threads):
    torch.set_num_threads(threads)
    use_tf32(False)
    cuda = torch.cuda.is_available()
    device = torch.cuda.get_device_name(0) if cuda else None
    return about(torch.get_num_threads(), device, torch=torch, transformers=transformers)


def use_tf32(allowed):
    """Let a GPU round the factors of matrix products to 10 bits, or not."""
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed


@op
def read(path):
    """Describe the tensors of one .bin file; its pickle is never executed."""
    return {
        "tensors": [
            describe(key, from_pytorch(key), numpy(value)) for key, value in _bin(path).items()
        ]
    }


@op
def take(path, names, into):
    tensors = {from_pytorch(key): value for key, value in _bin(path).items()}
    return {"arrays": save_arrays(into, {name: numpy(tensors[name]) for name in names})}


def _bin(path):
    tensors = torch.load(path, map_location="cpu", weights_only=True, mmap=None)
    tensors = tensors.get("state_dict", tensors)
    return {key: value for key, value in tensors.items() if isinstance(value, torch.Tensor)}


@op
def open_(folder, architecture, origin, format, route, dtype, device):
    """Load the checkpoint; report what the loader left out, put in or could not fit."""
    state.clear()
    reset_peak()
    start = time.perf_counter()
    cls, config = named_class("", architecture, folder, transformers.MODEL_MAPPING)
    options = {"config": config, "output_loading_info": True, "local_files_only": True}
    if origin == "pytorch":
        model, info = cls.from_pretrained(
            folder, use_safetensors=format == "safetensors", dtype=torch.float32, **options
        )
    elif route == "plain":
        model, info = cls.from_pretrained(folder, from_tf=True, **options)
    else:
        tf_class = getattr(transformers, "TF" + cls.__name__)
        source, tf_info = tf_class.from_pretrained(folder, config=config, output_loading_info=True)
        model, info = transformers.load_tf2_model_in_pytorch_model(
            cls(config), source, allow_missing_keys=True, output_loading_info=True
        )
        empty = {layer.name for layer in source.layers if not layer.weights}  # dropout and the like
        info = {
            key: [one for one in (*info.get(key, ()), *tf_info.get(key, ())) if one not in empty]
            for key in (*info, *tf_info)
        }
    unset = [name for name, value in model.state_dict().items() if value.is_meta]
    if not unset:
        model = model.to(device=device, dtype=DTYPES[dtype]).eval()
    state.update(model=model, device=device, dtype=dtype, calls={})
    return answer_open(cls, time.perf_counter() - start, info, unset)


def numpy(tensor):
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def tensors(inputs):
    """Whole numbers as they are, others in the model's precision."""
    given = {name: torch.from_numpy(array) for name, array in load(inputs).items()}
    floating = DTYPES[state["dtype"]]
    return {
        name: value.to(state["device"], floating if value.is_floating_point() else torch.int64)
        for name, value in given.items()
    }


@op
def save(into):
    state["model"].save_pretrained(into)


@op
def run(inputs, into, activation=None, tf32=False, double=False):
    """Run the open model once; with `activation` in place of the one between its layers.

    `double`: in float64, for this once; a model in float32 comes back as it was, bit for bit.
    """
    if double:
        with doubled():
            return run(inputs, into, activation, tf32)
    given = tensors(inputs)
    use_tf32(tf32)
    start = time.perf_counter()
    with torch.inference_mode(), activated(state["model"], activation) as replaced:
        output = state["model"](**given, output_hidden_states=True, return_dict=True)
    answer = answer_run(output, numpy, into, time.perf_counter() - start)
    use_tf32(False)
    return answer | {"in_place_of": replaced}


@contextlib.contextmanager
def doubled():
    before = state["dtype"]
    state["model"].double()
    state["dtype"] = "float64"
    try:
        yield
    finally:
        state["model"].to(DTYPES[before])
        state["dtype"] = before


@contextlib.contextmanager
def activated(model, name):
    """Replace the activations between layers; poolers' tanh and gates' sigmoid stay.

    Give the names of those replaced.
    """
    names = {type(ACT2FN[key]): key for key in ACT2FN if key not in {"tanh", "sigmoid", "linear"}}
    replaced = [
        (parent, key, child)
        for parent in (model.modules() if name else ())
        for key, child in parent.named_children()
        if type(child) in names
    ]
    try:
        for parent, key, _ in replaced:
            setattr(parent, key, ACT2FN[name])
        yield sorted({names[type(child)] for _, _, child in replaced})
    finally:
        for parent, key, child in replaced:
            setattr(parent, key, child)


@op
def generate(inputs, new_tokens):
    given, model = tensors(inputs), state["model"]
    with torch.inference_mode():
        output = model.generate(**given, **greedy(model, new_tokens), **SCORED)
    return answer_generate(model, given, output, numpy)


@op
def time_(inputs, variant, train):
    """Time one call, or one training step: forward, backward and AdamW."""
    given = tensors(inputs)
    if (variant, train) not in state["calls"]:
        model = state["model"]
        if variant == "compile":
            model = torch.compile(model)
        state["calls"][variant, train] = trained(model) if train else inferred(model)
    call = state["calls"][variant, train]

    def finished():
        loss = call(given)
        if state["device"] == "cuda":
            torch.cuda.synchronize()
        return loss.item() if train else None

    return timed(finished)


def inferred(model):
    def call(given):
        with torch.inference_mode():
            return model(**given)

    return call


def trained(model):
    """Take the mean square of the first output as loss: any head has one, in every framework."""
    model.train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)

    def call(given):
        loss = model(**given)[0].float().square().mean()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        return loss

    return call


@op
def peak():
    cuda = state.get("device") == "cuda"
    return {
        "peak_rss_mb": peak_rss_mb(),
        "peak_gpu_mb": torch.cuda.max_memory_allocated() / 2**20 if cuda else None,
    }


@op
def demo(into, formats):
    """Make the demo checkpoints: see `_demo`."""
    import _demo  # noqa: PLC0415 - seldom wanted

    return {"folders": _demo.make(into, formats)}


@op
def model(**arguments):
    """Make a random model: see `_models`."""
    import _models  # noqa: PLC0415 - seldom wanted

    return _models.make(**arguments)


@op
def architectures():
    """List what transformers has a class for in both frameworks: see `_models`."""
    import _models  # noqa: PLC0415 - seldom wanted

    return {"architectures": _models.architectures()}

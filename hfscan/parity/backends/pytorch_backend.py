# mypy: ignore-errors
"""The PyTorch backend: transformers' PyTorch classes, eager."""

import contextlib
import gc
import re
import time

import torch
import transformers
from _configs import unread_keys
from _protocol import (
    UnsupportedTypeError,
    hello_reply,
    load_arrays,
    op,
    peak_reply,
    reset_peak,
    tensor_ops,
    timed_variant,
)
from _tensors import normalize_pytorch_name
from _transformers import (
    find_class,
    generate_greedily,
    group_tied,
    open_reply,
    run_model,
    weightless_layers,
)
from transformers.activations import ACT2FN

DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "float64": torch.float64,
}
OPENS = {  # origin/format -> load methods
    "pytorch/safetensors": ["direct"],
    "pytorch/bin": ["direct"],
    "tensorflow/h5": ["direct", "converted"],
    "tensorflow/safetensors": ["direct", "converted"],
}
NEEDS = {"tensorflow": "tensorflow"}  # origin -> backend whose framework is imported as well
READS = ["bin"]  # formats whose tensors it can list
VARIANTS = ["eager", "compile"]  # ways to run a model; verdicts rest on the first
TRAINS = ["eager", "compile"]  # ways to take a training step, the default first
state = {}


@op
def hello(threads):
    torch.set_num_threads(threads)
    set_tf32(False)
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    blas = re.search(r"BLAS_INFO=(\w+)", torch.__config__.show())
    parts = [blas[1] if blas else "unknown BLAS", torch.backends.cpu.get_cpu_capability()]
    return hello_reply(
        torch.get_num_threads(), device, ", ".join(parts), torch=torch, transformers=transformers
    )


def set_tf32(enabled):
    """Let a GPU round the factors of matrix products to 10 bits, or not."""
    torch.backends.cuda.matmul.allow_tf32 = enabled
    torch.backends.cudnn.allow_tf32 = enabled


def free_gpu():
    """Free the GPU memory of the last model, and reset its peak."""
    if torch.cuda.is_initialized():
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


@tensor_ops
def bin_tensors(path):
    """List the tensors of one .bin file; its pickle is never executed."""
    tensors = torch.load(path, map_location="cpu", weights_only=True, mmap=None)
    for key, value in tensors.get("state_dict", tensors).items():
        if isinstance(value, torch.Tensor):
            if value.is_floating_point() and value.dtype not in DTYPES.values():
                name = str(value.dtype).removeprefix("torch.")
                raise UnsupportedTypeError(f"{key} is stored as {name}, which no backend uses")
            yield key, normalize_pytorch_name(key), numpy(value)


@op
def open_(folder, architecture, origin, format, load_method, dtype, device):
    """Load the checkpoint; report the keys that the loader skipped, created or could not fit."""
    state.clear()
    reset_peak()
    free_gpu()
    start = time.perf_counter()
    cls, config = find_class("", architecture, folder, transformers.MODEL_MAPPING)
    options = {"config": config, "output_loading_info": True, "local_files_only": True}
    if origin == "pytorch":
        # not cast afterwards: loading keeps some tensors, such as RoPE's frequencies, in float32
        loaded_as = torch.float32 if dtype == "float64" else DTYPES[dtype]
        model, info = cls.from_pretrained(
            folder, use_safetensors=format == "safetensors", dtype=loaded_as, **options
        )
    elif load_method == "direct":
        model, info = cls.from_pretrained(folder, from_tf=True, **options)
    else:
        model, info = _convert_from_tensorflow(cls, config, folder)
    unset = [name for name, value in model.state_dict().items() if value.is_meta]
    if not unset:
        is_cast = origin == "pytorch" and dtype != "float64"
        model = model.to(device=device, dtype=None if is_cast else DTYPES[dtype]).eval()
    state.update(model=model, device=device, dtype=dtype, calls={})
    unread = unread_keys(folder, cls, config)
    tensors = None if unset else group_tied(model)
    return open_reply(time.perf_counter() - start, info, unset, unread, tensors)


def _convert_from_tensorflow(cls, config, folder):
    tf_class = getattr(transformers, "TF" + cls.__name__)
    source, tf_info = tf_class.from_pretrained(folder, config=config, output_loading_info=True)
    model, info = transformers.load_tf2_model_in_pytorch_model(
        cls(config), source, allow_missing_keys=True, output_loading_info=True
    )
    empty = weightless_layers(source)
    return model, {
        kind: [key for key in (*info.get(kind, ()), *tf_info.get(kind, ())) if key not in empty]
        for kind in (*info, *tf_info)
    }


def numpy(tensor):
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def tensors(inputs):
    """Load the inputs: integers as int64, others in the model's precision."""
    dtypes = {"f": DTYPES[state["dtype"]]}
    return {
        name: torch.from_numpy(array).to(state["device"], dtypes.get(array.dtype.kind, torch.int64))
        for name, array in load_arrays(inputs).items()
    }


@op
def save(into):
    state["model"].save_pretrained(into)


@op
def run(inputs, into, activation=None, tf32=False, double=False, eager=False):
    """Run the open model once; with `activation` instead of the one between its layers.

    `double`: in float64, for this call only; a float32 model is restored bit for bit. `eager`: with
    transformers' own attention instead of a kernel of PyTorch.
    """
    with in_float64() if double else contextlib.nullcontext():
        given, model = tensors(inputs), state["model"]
        set_tf32(tf32)
        with (
            torch.inference_mode(),
            replaced_activations(model, activation) as replaced,
            eager_attention(model) if eager else contextlib.nullcontext({}) as options,
        ):
            reply = run_model(model, given | options, numpy, into)
        set_tf32(False)
    return reply | {"replaced_activations": replaced}


@contextlib.contextmanager
def in_float64():
    dtype = state["dtype"]
    state["model"].double()
    state["dtype"] = "float64"
    try:
        yield
    finally:
        state["model"].to(DTYPES[dtype])
        state["dtype"] = dtype


@contextlib.contextmanager
def eager_attention(model):
    """Compute attention in transformers' own code; yield what a call of the model needs for that.

    Some classes choose their attention when they are created. These fall back to their own code
    if they must return the weights of the attention.
    """
    used = getattr(model.config, "_attn_implementation", "eager")
    if used == "eager":
        yield {}
    elif not model._can_set_attn_implementation():
        yield {"output_attentions": True}
    else:
        model.set_attn_implementation("eager")
        try:
            yield {}
        finally:
            model.set_attn_implementation(used)


@contextlib.contextmanager
def replaced_activations(model, name):
    """Replace activations, but not poolers' tanh and gates' sigmoid; yield the replaced names."""
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
def generate(inputs, new_tokens, use_cache=True):
    options = {} if use_cache else {"use_cache": False}
    with torch.inference_mode():
        return generate_greedily(state["model"], tensors(inputs), new_tokens, numpy, **options)


@op
def time_(inputs, variant, train):
    """Time one call, or one training step: forward, backward and AdamW."""

    def build():
        model = torch.compile(state["model"]) if variant == "compile" else state["model"]
        return training_step(model) if train else inference(model)

    def finish(loss):
        if state["device"] == "cuda":
            torch.cuda.synchronize()
        return loss.item() if train else None

    return timed_variant(state["calls"], (variant, train), build, (tensors(inputs),), finish)


def inference(model):
    @torch.inference_mode()
    def call(given):
        return model(**given)

    return call


def training_step(model):
    """Use the mean square of the first output as loss: every head has one, in every framework."""
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)

    def call(given):
        loss = model(**given)[0].float().square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    return call


@op
def peak():
    is_cuda = state.get("device") == "cuda"
    return peak_reply(torch.cuda.max_memory_allocated() if is_cuda else None)


@op
def demo(**arguments):
    """Make a demo checkpoint: see `_demo`."""
    import _demo  # noqa: PLC0415 - seldom used

    _demo.make(**arguments)

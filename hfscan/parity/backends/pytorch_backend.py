# mypy: ignore-errors
"""The PyTorch backend: transformers' PyTorch classes, eager."""

import contextlib
import copy
import time

import torch
import transformers
from _configs import unread_keys
from _protocol import (
    NotApplicableError,
    UnsupportedTypeError,
    load_arrays,
    op,
    tensor_ops,
    timed_variant,
)
from _tensors import normalize_pytorch_name
from _torch import DTYPES, forget_model, load_pretrained, load_tensors, numpy, set_tf32, state, wait
from _transformers import (
    find_class,
    generate_greedily,
    group_tied,
    open_reply,
    run_model,
    weightless_layers,
)
from torch.overrides import TorchFunctionMode
from torch.utils.mkldnn import MkldnnLinear
from transformers.activations import ACT2FN

OPENS = {  # origin/format -> load methods
    "pytorch/safetensors": ["direct"],
    "pytorch/bin": ["direct"],
    "tensorflow/h5": ["direct", "converted"],
    "tensorflow/safetensors": ["direct", "converted"],
}
NEEDS = {"tensorflow": "tensorflow"}  # origin -> backend whose framework is imported as well
READS = ["bin"]  # formats whose tensors it can list
VARIANTS = ["eager", "compile", "mkldnn"]  # ways to run a model; verdicts rest on the first
TRAINS = ["eager", "compile"]  # ways to take a training step, the default first


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
    forget_model()
    start = time.perf_counter()
    cls, config = find_class("", architecture, folder, transformers.MODEL_MAPPING)
    options = {"config": config, "output_loading_info": True, "local_files_only": True}
    if origin == "pytorch":
        # not cast afterwards: loading keeps some tensors, such as RoPE's frequencies, in float32
        loaded_as = torch.float32 if dtype == "float64" else DTYPES[dtype]
        model, info = load_pretrained(
            cls, folder, config=config, use_safetensors=format == "safetensors", dtype=loaded_as
        )
    elif int(transformers.__version__.split(".")[0]) >= 5:
        raise NotApplicableError("transformers 5 does not open TensorFlow's weights: 4.57 does")
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


@op
def save(into):
    state["model"].save_pretrained(into)


@op
def run(inputs, into, activation=None, tf32=False, double=False, eager=False, variant="eager"):
    """Run the open model once; with `activation` instead of the one between its layers.

    `double`: in float64, for this call only; a float32 model is restored bit for bit. `eager`: with
    transformers' own attention instead of a kernel of PyTorch.
    """
    with in_float64() if double else contextlib.nullcontext():
        given, model = load_tensors(load_arrays(inputs)), state["model"]
        with (
            torch.inference_mode(),
            replaced_activations(model, activation) as replaced,
            computing(model, tf32, eager) as options,
        ):
            call = (as_variant(model, variant), given | options, numpy, into)
            try:
                reply = run_model(*call)
            except RuntimeError:  # also of float32 tensors that do not fit float64 ones
                if not double:
                    raise
                with Float64InsteadOfFloat32():
                    reply = run_model(*call)
    return reply | {"replaced_activations": replaced}


class Float64InsteadOfFloat32(TorchFunctionMode):
    """Give float64 to code that asks for float32, such as `x.float()` and `dtype=torch.float32`."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function is torch.Tensor.float:
            function = torch.Tensor.double
        args = [torch.float64 if value is torch.float32 else value for value in args]
        kwargs = {
            name: torch.float64 if value is torch.float32 else value
            for name, value in (kwargs or {}).items()
        }
        return function(*args, **kwargs)


def as_variant(model, variant):
    if variant == "mkldnn":
        return with_mkldnn(model)
    return torch.compile(model, dynamic=False) if variant == "compile" else model


def with_mkldnn(model):
    """Return a copy whose linear layers call oneDNN instead of MKL; convolutions always do.

    Raises NotApplicableError where MKL is not what multiplies matrices.
    """
    if state["device"] != "cpu" or state["dtype"] != "float32":
        raise NotApplicableError("mkldnn is a variant for float32 on the CPU")
    if not (torch.backends.mkl.is_available() and torch.backends.mkldnn.is_available()):
        raise NotApplicableError("this PyTorch does not have both MKL and oneDNN")
    model = copy.deepcopy(model)
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if type(child) is torch.nn.Linear:
                setattr(parent, name, MkldnnLinear(child, torch.float32))
    return model


@contextlib.contextmanager
def computing(model, tf32, eager):
    """Set TF32, attention and experts for a block; yield what a call needs for that."""
    set_tf32(tf32)
    try:
        if eager:
            with eager_experts(model), eager_attention(model) as options, float64_softmax():
                yield options
        else:
            yield {}
    finally:
        set_tf32(False)


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
def float64_softmax():
    """Keep float64 where classes ask for float32.

    float64's lowest number, which hides positions, is -Inf in float32: positions that attend to
    nothing would get NaN.
    """
    softmax = torch.nn.functional.softmax

    def keep_float64(scores, *args, **options):
        if scores.dtype == torch.float64:
            options.pop("dtype", None)
        return softmax(scores, *args, **options)

    torch.nn.functional.softmax = keep_float64
    try:
        yield
    finally:
        torch.nn.functional.softmax = softmax


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
        parts = [part for part in model.modules() if isinstance(part, transformers.PreTrainedModel)]
        implementations = [(part.config, part.config._attn_implementation) for part in parts]
        model.set_attn_implementation("eager")
        try:
            yield {}
        finally:
            # one by one, the whole first: a part may not support that of the whole
            for config, implementation in implementations:
                config._attn_implementation = implementation


@contextlib.contextmanager
def eager_experts(model):
    """Compute experts in transformers' own code: the kernel for groups of them has no float64."""
    if not getattr(model, "_can_set_experts_implementation", lambda: False)():  # transformers 5
        yield
        return
    used = model.get_experts_implementation()
    model.set_experts_implementation("eager")
    try:
        yield
    finally:
        model.set_experts_implementation(used)


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
        return generate_greedily(
            state["model"], load_tensors(load_arrays(inputs)), new_tokens, numpy, **options
        )


@op
def time_(inputs, variant, train, tf32=False, eager=False):
    """Time one call, or one training step: forward, backward and AdamW."""
    key = (variant, train, tf32, eager)

    def build():
        model = as_variant(state["model"], variant)
        return training_step(model) if train else inference(model)

    def finish(loss):
        wait()
        return loss.item() if train else None

    with computing(state["model"], tf32, eager) as options:
        return timed_variant(
            state["calls"], key, build, (load_tensors(load_arrays(inputs)) | options,), finish
        )


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
def demo(**arguments):
    """Make a demo checkpoint: see `_demo`."""
    import _demo  # noqa: PLC0415 - seldom used

    _demo.make(**arguments)

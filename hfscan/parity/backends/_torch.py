# mypy: ignore-errors
"""Share what the backends that compute with PyTorch need: precision, arrays and the GPU."""

import contextlib
import gc
import re

import torch
import transformers
from _math import find_mkl, find_onednn, library, offer_probe
from _protocol import explain, hello_reply, op, peak_reply, reset_peak
from _tensors import describe

DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "float64": torch.float64,
}
state = {}  # what is open: `model`, `device`, `dtype`, and what the backend adds


@explain
def find_lack_of_memory(error):
    """Say that a GPU's memory is full: cuDNN and cuBLAS then report an internal error."""
    if torch.cuda.is_initialized() and re.search("CUDNN_STATUS|CUBLAS_STATUS", str(error)):
        with contextlib.suppress(RuntimeError):  # after some errors the GPU gives no answer
            free, total = torch.cuda.mem_get_info()
            if free < total / 100:
                return f"out of memory: {free >> 20:,} of the GPU's {total >> 20:,} MB are free"
    return None


@op
def hello(threads):
    torch.set_num_threads(threads)
    set_tf32(False)
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    modules = {"torch": torch, "transformers": transformers}
    return hello_reply(torch.get_num_threads(), device, find_libraries(), **modules)


@offer_probe
def make_product(side):
    square = torch.ones(side, side)
    return lambda: square @ square


def find_libraries():
    """Return the libraries that PyTorch computes with on the CPU, its BLAS first."""
    blas = re.search(r"BLAS_INFO=(\w+)", torch.__config__.show())
    libraries = [library(blas[1] if blas else "unknown BLAS")]
    if torch.backends.mkl.is_available():
        with torch.backends.mkl.verbose(torch.backends.mkl.VERBOSE_ON):
            libraries = find_mkl(make_product(8)) or libraries
    if torch.backends.mkldnn.is_available():
        with torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON):
            libraries += find_onednn(torch.ones(8, 8).to_mkldnn)
    return [*libraries, library("ATen", isa=torch.backends.cpu.get_cpu_capability())]


def set_tf32(enabled):
    """Let a GPU round the factors of matrix products to 10 bits, or not."""
    torch.backends.cuda.matmul.allow_tf32 = enabled
    torch.backends.cudnn.allow_tf32 = enabled


def load_pretrained(cls, folder, **options):
    """Return (model, loading info) of PyTorch's own weights.

    Raises ValueError that names a tensor if its shape is not that of the config: transformers 5
    only prints which.
    """
    options |= {"local_files_only": True, "output_loading_info": True}
    try:
        return cls.from_pretrained(folder, **options)
    except RuntimeError as error:
        if "ignore_mismatched_sizes" not in str(error):
            raise
        _, info = cls.from_pretrained(folder, ignore_mismatched_sizes=True, **options)
        mismatched = sorted(info["mismatched_keys"])
        if not mismatched:
            raise
        (name, stored, required), more = mismatched[0], len(mismatched) - 1
        raise ValueError(
            f"{name} is {list(stored)} in the file, but the config requires {list(required)}"
            + (f"; {more} more do not fit either" if more else "")
        ) from error


def forget_model():
    """Free the memory of the last model, also on the GPU, and reset the peaks."""
    state.clear()
    reset_peak()
    if torch.cuda.is_initialized():
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


@op
def digest(expected):
    """Return which SHA-256 of a file's tensors are those of buffers that the model computes.

    `expected`: the file's names -> SHA-256. Old releases saved such buffers in every layer, in the
    precision of the model. Only the last two parts of the names are the same.
    """
    digests, stored = {}, state["model"].state_dict()
    buffers = [item for item in state["model"].named_buffers() if item[0] not in stored]
    for name, sha256 in expected.items():
        for buffer, value in buffers:
            rounded = (value.to(dtype) for dtype in DTYPES.values())
            if _without_scope(buffer) == _without_scope(name) and any(
                describe(name, name, numpy(item))["sha256"] == sha256 for item in rounded
            ):
                digests[name] = sha256
    return {"digests": digests}


def _without_scope(name):
    return ".".join(name.split(".")[-2:])


@op
def peak():
    """Return the peaks of memory since the last call, or since the model was opened."""
    if state.get("device") != "cuda":
        reply = peak_reply()
    else:
        reply = peak_reply(torch.cuda.max_memory_allocated())
        torch.cuda.reset_peak_memory_stats()
    reset_peak()
    return reply


def load_tensors(arrays):
    """Return the inputs: integers as int64, others in the model's precision."""
    dtypes = {"f": DTYPES[state["dtype"]]}
    return {
        name: torch.from_numpy(array).to(state["device"], dtypes.get(array.dtype.kind, torch.int64))
        for name, array in arrays.items()
    }


def numpy(tensor):
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def wait():
    """Return when the GPU has computed everything."""
    if state["device"] == "cuda":
        torch.cuda.synchronize()

# mypy: ignore-errors
"""The TensorFlow backend: transformers' TensorFlow classes, eager."""

import time

import h5py
import numpy as np
import tensorflow as tf
import tf_keras
import transformers
from _names import from_tensorflow
from _protocol import about, load, memory_bytes, op, peak_rss_mb, reset_peak, save_arrays, timed
from _tensors import canonical, describe
from _transformers import (
    SCORED,
    answer_generate,
    answer_open,
    answer_run,
    greedy,
    named_class,
)

OPENS = {
    "tensorflow/h5": ["plain"],
    "tensorflow/safetensors": ["plain"],
    "pytorch/bin": ["plain"],  # from_pt=True is the call a user makes and the best there is
    "pytorch/safetensors": ["plain", "helper"],
}
NEEDS = {"pytorch": "pytorch"}
READS = ["h5"]
DEVICES = {"cpu": "CPU:0", "cuda": "GPU:0"}
VARIANTS = ["eager", "function", "xla"]
TRAINS = ["function", "xla", "eager"]  # Keras trains in graphs unless it is told not to
state = {}


@op
def hello(threads):
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_tensor_float_32_execution(False)
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    device = gpus[0].name if gpus else None
    return about(threads, device, tensorflow=tf, transformers=transformers)


def _h5(path):
    with h5py.File(path, "r") as file:
        found = {}
        file.visititems(
            lambda name, item: (
                found.update({name: item}) if isinstance(item, h5py.Dataset) else None
            )
        )
        leaves = file.visititems_links(
            lambda name, link: isinstance(link, h5py.ExternalLink) or None  # None: go on
        )
        if leaves or any(item.external or item.is_virtual for item in found.values()):
            raise ValueError("it wants to take values from other files")
        size, most = sum(item.nbytes for item in found.values()), memory_bytes()
        if most is not None and size > most:  # a few bytes of a file can say so
            raise ValueError(f"it says that it holds {size:,} bytes, more than memory has")
        # a whole file holds layer/variable, the variable's own name starting after the layer's;
        # a shard holds variables, without the outermost scope of their names
        whole = not any(":" in str(name) for name in file.attrs.get("layer_names", ()))
        for key, item in found.items():
            source = key.split("/", 1)[-1] if whole else f"model/{key}"
            name, axes = from_tensorflow(source, item.ndim)
            yield source, name, canonical(item[()], axes)


@op
def read(path):
    """Describe the tensors of one .h5 file (plain arrays; nothing in it is executed)."""
    return {"tensors": [describe(*tensor) for tensor in _h5(path)]}


@op
def take(path, names, into):
    return {
        "arrays": save_arrays(into, {name: array for _, name, array in _h5(path) if name in names})
    }


@op
def open_(folder, architecture, origin, format, route, dtype, device):
    state.clear()
    reset_peak()
    start = time.perf_counter()
    mapping = None if architecture else transformers.TF_MODEL_MAPPING
    cls, config = named_class("TF", architecture, folder, mapping)
    if dtype != "float32":
        raise LookupError(f"transformers' TensorFlow classes load {dtype} weights as float32")
    from_pt = origin == "pytorch" and (format == "bin" or route == "helper")
    with tf.device(DEVICES[device]):
        model, info = cls.from_pretrained(
            folder,
            config=config,
            from_pt=from_pt,
            output_loading_info=True,
            local_files_only=True,
            use_safetensors=format == "safetensors",
        )
    state.update(model=model, device=device, calls={})
    return answer_open(
        cls, time.perf_counter() - start, info | {"missing_keys": held(model, info["missing_keys"])}
    )


def held(model, keys):
    """Leave out layers without weights, such as dropout, that Keras reports by their names."""
    empty = {layer.name for layer in model.layers if not layer.weights}
    return [str(key) for key in keys if key not in empty]


def numpy(tensor):
    return tensor.numpy()


def tensors(inputs):
    """Whole numbers as int32, as transformers' TensorFlow classes want them."""
    return {
        name: tf.constant(array.astype(np.int32 if array.dtype.kind == "i" else array.dtype))
        for name, array in load(inputs).items()
    }


@op
def save(into):
    state["model"].save_pretrained(into, safe_serialization=False)


@op
def run(inputs, into, tf32=False):
    given = tensors(inputs)
    tf.config.experimental.enable_tensor_float_32_execution(tf32)
    start = time.perf_counter()
    with tf.device(DEVICES[state["device"]]):
        output = state["model"](
            **given, output_hidden_states=True, return_dict=True, training=False
        )
    tf.config.experimental.enable_tensor_float_32_execution(False)
    return answer_run(output, numpy, into, time.perf_counter() - start)


@op
def generate(inputs, new_tokens):
    given, model = tensors(inputs), state["model"]
    with tf.device(DEVICES[state["device"]]):
        output = model.generate(**given, **greedy(model, new_tokens), **SCORED)
    return answer_generate(model, given, output, numpy)


@op
def time_(inputs, variant, train):
    """Time one call, or one training step: forward, backward and AdamW."""
    given = tensors(inputs)
    if (variant, train) not in state["calls"]:
        call = trained(state["model"]) if train else inferred(state["model"])
        if variant != "eager":
            call = tf.function(call, jit_compile=variant == "xla")
        state["calls"][variant, train] = call
    call = state["calls"][variant, train]

    def finished():
        with tf.device(DEVICES[state["device"]]):
            result = call(given).numpy()  # which waits for it
        return float(result) if train else None

    return timed(finished)


def inferred(model):
    return lambda given: model(**given, training=False)[0]


def trained(model):
    """Take the mean square of the first output as loss: any head has one, in every framework."""
    optimiser = tf_keras.optimizers.AdamW(1e-4, weight_decay=0.01, jit_compile=False)
    weights = model.trainable_variables
    optimiser.build(weights)  # its state is made here, for a compiled step may make none

    def call(given):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(**given, training=True)[0]))
        gradients = zip(tape.gradient(loss, weights), weights, strict=True)
        optimiser.apply_gradients([pair for pair in gradients if pair[0] is not None])
        return loss

    return call


@op
def peak():
    gpu = state.get("device") == "cuda"
    return {
        "peak_rss_mb": peak_rss_mb(),
        "peak_gpu_mb": tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**20
        if gpu
        else None,
    }

# mypy: ignore-errors
"""The TensorFlow backend: transformers' TensorFlow classes, eager."""

import os
import time

import h5py
import tensorflow as tf
import tf_keras
import transformers
from _configs import unread_keys
from _math import find_onednn, library, offer_probe
from _protocol import (
    NotApplicableError,
    hello_reply,
    load_int32_arrays,
    op,
    peak_reply,
    reset_peak,
    tensor_ops,
    timed_variant,
)
from _tensors import convert_tensorflow_name, describe, orient, total_memory_bytes
from _transformers import find_class, generate_greedily, open_reply, run_model, weightless_layers

OPENS = {
    "tensorflow/h5": ["direct"],
    "tensorflow/safetensors": ["direct"],
    "pytorch/bin": ["direct"],  # users call from_pt=True themselves
    "pytorch/safetensors": ["direct", "converted"],
}
NEEDS = {"pytorch": "pytorch"}
READS = ["h5"]
DEVICES = {"cpu": "CPU:0", "cuda": "GPU:0"}
VARIANTS = ["eager", "function", "xla"]
TRAINS = ["function", "xla", "eager"]  # Keras trains in graphs by default
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
    libraries = [*find_onednn(convolve), library("Eigen")]
    return hello_reply(threads, device, libraries, tensorflow=tf, transformers=transformers)


def convolve():
    """Use oneDNN for the first time: it prints its version, and then nothing without a shuffle."""
    os.environ["ONEDNN_VERBOSE"] = "profile_create,filter=shuffle"
    with tf.device(DEVICES["cpu"]):
        tf.nn.conv2d(tf.ones([1, 8, 8, 4]), tf.ones([3, 3, 4, 4]), 1, "SAME")


@offer_probe
def make_product(side):
    with tf.device(DEVICES["cpu"]):
        square = tf.ones([side, side])

    def multiply():
        with tf.device(DEVICES["cpu"]):
            return tf.matmul(square, square)

    return multiply


@tensor_ops
def h5_tensors(path):
    """List the tensors of one .h5 file (plain arrays; nothing in it is executed)."""
    with h5py.File(path, "r") as file:
        items = {}
        file.visititems(items.__setitem__)
        datasets = {name: item for name, item in items.items() if isinstance(item, h5py.Dataset)}
        has_external_link = file.visititems_links(
            lambda name, link: isinstance(link, h5py.ExternalLink) or None  # None: continue
        )
        if has_external_link or any(item.external or item.is_virtual for item in datasets.values()):
            raise ValueError("it refers to values in other files")
        size, memory = sum(item.nbytes for item in datasets.values()), total_memory_bytes()
        if memory is not None and size > memory:  # a file of a few bytes can declare any size
            raise ValueError(f"it declares {size:,} bytes, more than memory has")
        # an unsharded file has layer/variable, the variable's own name starting after the layer's;
        # a shard has variables, without the outermost scope of their names
        is_shard = any(":" in str(name) for name in file.attrs.get("layer_names", ()))
        for key, item in datasets.items():
            source = f"model/{key}" if is_shard else key.split("/", 1)[-1]
            name, axes = convert_tensorflow_name(source, item.ndim)
            yield source, name, orient(item[()], axes)


@op
def open_(folder, architecture, origin, format, load_method, dtype, device):
    state.clear()
    reset_peak()
    if device == "cuda":
        tf.config.experimental.reset_memory_stats("GPU:0")
    start = time.perf_counter()
    mapping = None if architecture else transformers.TF_MODEL_MAPPING
    cls, config = find_class("TF", architecture, folder, mapping)
    if dtype != "float32":
        message = f"transformers' TensorFlow classes load {dtype} weights as float32"
        raise NotApplicableError(message)
    from_pt = origin == "pytorch" and (format == "bin" or load_method == "converted")
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
    empty = weightless_layers(model)
    missing = [str(key) for key in info["missing_keys"] if key not in empty]
    info |= {"missing_keys": missing}
    unread = unread_keys(folder, cls, config)
    tensors = [[convert_tensorflow_name(item.name, item.shape.rank)[0]] for item in model.weights]
    return open_reply(time.perf_counter() - start, info, unread=unread, tensors=tensors)


@op
def digest(expected):
    """Return the SHA-256 of these tensors of the open model; a loader may copy tied ones."""
    digests = {}
    for item in state["model"].weights:
        name, axes = convert_tensorflow_name(item.name, item.shape.rank)
        if name in expected:
            digests[name] = describe(item.name, name, orient(item.numpy(), axes))["sha256"]
    return {"digests": digests}


def numpy(tensor):
    return tensor.numpy()


def tensors(inputs):
    """Load the inputs, with channels last where the model takes them so."""
    arrange = getattr(state["model"], "arrange_inputs", dict)
    return {name: tf.constant(array) for name, array in arrange(load_int32_arrays(inputs)).items()}


def on_device():
    return tf.device(DEVICES[state["device"]])


@op
def save(into):
    state["model"].save_pretrained(into, safe_serialization=False)


@op
def run(inputs, into, tf32=False):
    given = tensors(inputs) | {"training": False}
    tf.config.experimental.enable_tensor_float_32_execution(tf32)
    with on_device():
        reply = run_model(state["model"], given, numpy, into)
    tf.config.experimental.enable_tensor_float_32_execution(False)
    return reply


@op
def generate(inputs, new_tokens, use_cache=True):
    options = {} if use_cache else {"use_cache": False}
    with on_device():
        return generate_greedily(state["model"], tensors(inputs), new_tokens, numpy, **options)


@op
def time_(inputs, variant, train):
    """Time one call, or one training step: forward, backward and AdamW."""

    def build():
        model = state["model"]
        call = training_step(model) if train else lambda given: model(**given, training=False)[0]
        return call if variant == "eager" else tf.function(call, jit_compile=variant == "xla")

    def finish(result):
        value = result.numpy()  # waits for it
        return float(value) if train else None

    with on_device():
        return timed_variant(state["calls"], (variant, train), build, (tensors(inputs),), finish)


def training_step(model):
    """Use the mean square of the first output as loss: every head has one, in every framework."""
    numbers = {"learning_rate": 1e-4, "weight_decay": 0.01, "epsilon": 1e-8}  # as in PyTorch
    optimizer = tf_keras.optimizers.AdamW(**numbers, jit_compile=False)
    weights = model.trainable_variables
    optimizer.build(weights)  # creates its state here: a compiled step must not create any

    def call(given):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(**given, training=True)[0]))
        gradients = zip(tape.gradient(loss, weights), weights, strict=True)
        optimizer.apply_gradients([pair for pair in gradients if pair[0] is not None])
        return loss

    return call


@op
def demo(**arguments):
    """Add TensorFlow's files to a demo checkpoint: see `_demo`."""
    import _demo  # noqa: PLC0415 - seldom used, and it imports PyTorch

    _demo.convert(**arguments)


@op
def peak():
    if state.get("device") != "cuda":
        return peak_reply()
    return peak_reply(tf.config.experimental.get_memory_info("GPU:0")["peak"])

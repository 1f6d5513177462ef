# mypy: ignore-errors
"""The TensorFlow lane: transformers' TensorFlow classes, eager."""

import sys
import time

import h5py
import numpy as np
import tensorflow as tf
import tf_keras
import transformers
from _names import from_tensorflow
from _protocol import (
    answer_generate,
    answer_run,
    end_tokens,
    load,
    pad,
    peak_rss_mb,
    reset_peak,
    save,
    serve,
    timed,
)
from _tensors import canonical, describe
from _text import tokenize

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
TRAINS = True
state = {}


def hello(threads):
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_tensor_float_32_execution(False)
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    return {
        "versions": {
            "python": sys.version.split()[0],
            "tensorflow": tf.__version__,
            "transformers": transformers.__version__,
            "numpy": np.__version__,
        },
        "device": gpus[0].name if gpus else None,
        "threads": threads,
    }


def _h5(path):
    with h5py.File(path, "r") as file:
        found = {}
        file.visititems(
            lambda name, item: (
                found.update({name: item}) if isinstance(item, h5py.Dataset) else None
            )
        )
        # a whole file holds layer/variable, the variable's own name starting after the layer's;
        # a shard holds variables, without the outermost scope of their names
        whole = not any(":" in str(name) for name in file.attrs.get("layer_names", ()))
        for key, item in found.items():
            source = key.split("/", 1)[-1] if whole else f"model/{key}"
            name, axes = from_tensorflow(source, item.ndim)
            yield source, name, canonical(item[()], axes)


def read(path):
    """Describe the tensors of one .h5 file (plain arrays; nothing in it is executed)."""
    return {"tensors": [describe(*tensor) for tensor in _h5(path)]}


def take(path, names, into):
    return {"arrays": save(into, {name: array for _, name, array in _h5(path) if name in names})}


def open_(folder, architecture, origin, format, route, dtype, device):
    state.clear()
    reset_peak()
    start = time.perf_counter()
    cls = getattr(transformers, "TF" + architecture, None) if architecture else None
    configs = transformers.AutoConfig if cls is None else cls.config_class
    config = configs.from_pretrained(folder, trust_remote_code=False)
    if cls is None and not architecture:
        cls = transformers.TF_MODEL_MAPPING[type(config)]
    if cls is None:
        raise LookupError(f"transformers {transformers.__version__} has no class TF{architecture}")
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
    return {
        "class": cls.__name__,
        "load_seconds": time.perf_counter() - start,
        "loading": {
            "missing": sorted(held(model, info["missing_keys"])),
            "unexpected": sorted(map(str, info.get("unexpected_keys", []))),
            "mismatched": sorted(
                str(key[0]) if isinstance(key, (tuple, list)) else str(key)
                for key in info.get("mismatched_keys", [])
            ),
            "unset": [],
        },
        "base_prefix": cls.base_model_prefix,
    }


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


def generate(inputs, new_tokens):
    given = tensors(inputs)
    model = state["model"]
    pad(model)
    with tf.device(DEVICES[state["device"]]):
        output = model.generate(
            **given,
            do_sample=False,
            num_beams=1,
            max_new_tokens=new_tokens,
            suppress_tokens=end_tokens(model.config),
            output_scores=True,
            return_dict_in_generate=True,
        )
    return answer_generate(
        output, given["input_ids"].shape[1], numpy, model.config.is_encoder_decoder
    )


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
            call(given).numpy()  # which waits for it

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


def peak():
    gpu = state.get("device") == "cuda"
    return {
        "peak_rss_mb": peak_rss_mb(),
        "peak_gpu_mb": tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**20
        if gpu
        else None,
    }


if __name__ == "__main__":
    serve(
        {
            "hello": hello,
            "tokenize": tokenize,
            "read": read,
            "take": take,
            "open": open_,
            "run": run,
            "generate": generate,
            "time": time_,
            "peak": peak,
        }
    )

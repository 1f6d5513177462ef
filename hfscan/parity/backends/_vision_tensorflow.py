# mypy: ignore-errors
"""Build the networks of `_vision` in Keras 2, as transformers' TensorFlow classes are."""

from pathlib import Path

import numpy as np
from _tensors import convert_tensorflow_name
from _vision import NETWORKS, NORM, VisionConfig, size_layers
from safetensors import safe_open
from safetensors.numpy import save_file
from tf_keras import Input, Model, layers
from transformers.modeling_tf_outputs import TFImageClassifierOutput

FILE = "model.safetensors"
SCOPE = "vision/"  # the outermost scope of a variable's name is not part of PyTorch's name


def convolve(layer, given, stride, padding, **options):
    """Pad as PyTorch does: "same" pads a strided layer at the right and bottom only."""
    is_same = stride == 1 and 2 * padding == options["kernel_size"] - 1
    given = given if is_same else zero_pad(given, padding)
    return layer(strides=stride, padding="same" if is_same else "valid", **options)(given)


def zero_pad(given, padding):
    return layers.ZeroPadding2D(padding)(given) if padding else given


def add_residual(x, name, body, shortcut):
    return layers.add([build(body, x, f"{name}.body"), build(shortcut, x, f"{name}.shortcut")])


def flatten(x):
    """Flatten in PyTorch's order: channels, height, width."""
    x = x if x.shape[1] == x.shape[2] == 1 else layers.Permute((3, 1, 2))(x)
    return layers.Flatten()(x)


LAYERS = {
    "conv": lambda x, name, given, out, bias, **sides: convolve(
        layers.Conv2D, x, name=name, filters=out, use_bias=bias, **sides
    ),
    "depthwise": lambda x, name, given, **sides: convolve(
        layers.DepthwiseConv2D, x, name=name, use_bias=False, **sides
    ),
    "norm": lambda x, name, given: layers.BatchNormalization(
        epsilon=NORM["eps"], momentum=1 - NORM["momentum"], name=name
    )(x),
    "relu": lambda x, name: layers.ReLU()(x),
    # zeros do not change a maximum of what ReLU returns
    "max_pool": lambda x, name, kernel_size, stride, padding: layers.MaxPooling2D(
        kernel_size, stride
    )(zero_pad(x, padding)),
    "average": lambda x, name: layers.GlobalAveragePooling2D(keepdims=True)(x),
    "dropout": lambda x, name, p: layers.Dropout(p)(x),
    "linear": lambda x, name, given, out: layers.Dense(out, name=name)(x),
    "residual": add_residual,
}


def build(described, x, name):
    """Apply the layers to `x`; their names are those of PyTorch's modules."""
    for number, (kind, options) in enumerate(described):
        x = LAYERS[kind](x, f"{name}.{number}", **options)
    return x


class VisionModel:
    """A network of `_vision`, called and loaded like transformers' classes."""

    config_class = VisionConfig

    def __init__(self, config):
        self.config = config
        before, after = size_layers(type(self).__name__, config)
        images = Input((config.image_size, config.image_size, config.num_channels))
        features = build(before, images, f"{SCOPE}features")
        self.network = Model(images, build(after, flatten(features), f"{SCOPE}classifier"))
        self.layers, self.weights = self.network.layers, self.network.weights
        self.trainable_variables = self.network.trainable_variables

    def __call__(self, pixel_values, training=False, **_):
        """Return the logits, [rows, classes], of images [rows, height, width, channels]."""
        return TFImageClassifierOutput(logits=self.network(pixel_values, training=training))

    @staticmethod
    def arrange_inputs(inputs):
        """Return the images with channels last, the order of TensorFlow on every device."""
        return {name: np.moveaxis(array, 1, -1) for name, array in inputs.items()}

    @classmethod
    def from_pretrained(cls, folder, config, **_):
        """Return (model, info), filled from a file of either framework without the other one."""
        model, missing, mismatched = cls(config), [], []
        with safe_open(Path(folder) / FILE, framework="np") as file:
            unexpected = set(file.keys())
            for variable in model.weights:
                name, axes = convert_tensorflow_name(variable.name, variable.shape.rank)
                own = variable.name.removesuffix(":0")
                stored = next((key for key in (own, name) if key in unexpected), None)
                if stored is None:
                    missing.append(name)
                    continue
                unexpected.remove(stored)
                array = file.get_tensor(stored)
                if stored == name and axes is not None and array.ndim == len(axes):
                    array = array.transpose(np.argsort(axes))
                if array.shape == variable.shape:
                    variable.assign(array)
                else:
                    mismatched.append(name)
        info = {"missing_keys": missing, "unexpected_keys": unexpected}
        return model, info | {"mismatched_keys": mismatched}

    def save_pretrained(self, folder, **_):
        """Save under TensorFlow's names and in its orientation."""
        arrays = {item.name.removesuffix(":0"): item.numpy() for item in self.weights}
        save_file(arrays, Path(folder) / FILE, {"format": "tf"})
        self.config.save_pretrained(folder)


MODELS = {name: type(name, (VisionModel,), {"__module__": __name__}) for name in NETWORKS}

# mypy: ignore-errors
"""Define four convolutional networks as data, which a builder in each framework turns into models.

transformers has no class for them in both frameworks. They are the networks for images of the
comparison in https://arxiv.org/abs/1912.01703:

- AlexNet in the form of https://arxiv.org/abs/1404.5997, for one device and without local response
  normalisation, which both frameworks' users know from torchvision;
- VGG-19: configuration E of https://arxiv.org/abs/1409.1556;
- ResNet-50: https://arxiv.org/abs/1512.03385, with the stride of a block in its 3 x 3 convolution
  ("v1.5"), as torchvision and NVIDIA train it;
- MobileNet: https://arxiv.org/abs/1704.04861, the first version, which the comparison cites.
"""

from transformers import PretrainedConfig

NORM = {"eps": 1e-5, "momentum": 0.1}  # momentum as PyTorch counts it: the weight of the new batch


class VisionConfig(PretrainedConfig):
    """The sizes of a network. `width` multiplies the channels of every layer but the last."""

    model_type = "hfscan_vision"

    def __init__(
        self, image_size=224, num_channels=3, classes=1000, width=1.0, dropout=0.5, **rest
    ):
        if not (0 < width <= 1 and 0 < classes <= 1000):
            raise ValueError("width must be in (0, 1], classes in [1, 1000]")
        self.image_size, self.num_channels = image_size, num_channels
        self.classes, self.width, self.dropout = classes, width, dropout
        super().__init__(**rest)


def conv(out, kernel, stride=1, padding=None, *, bias=True):
    padding = kernel // 2 if padding is None else padding
    return "conv", {
        "out": out, "kernel_size": kernel, "stride": stride, "padding": padding, "bias": bias,
    }  # fmt: skip


def conv_norm(out, kernel, stride=1):
    return [conv(out, kernel, stride, bias=False), ("norm", {})]


def max_pool(kernel, stride, padding=0):
    return "max_pool", {"kernel_size": kernel, "stride": stride, "padding": padding}


def vgg_stage(out, depth):
    return [*[conv(out, 3), RELU] * depth, max_pool(2, 2)]


def bottleneck(out, stride, *, is_first):
    """Return a residual block; the first of a stage also projects its input."""
    body = [*conv_norm(out, 1), RELU, *conv_norm(out, 3, stride), RELU, *conv_norm(4 * out, 1)]
    shortcut = conv_norm(4 * out, 1, stride) if is_first else []
    return [("residual", {"body": body, "shortcut": shortcut}), RELU]


def resnet_stage(out, depth, stride):
    blocks = [bottleneck(out, 1 if n else stride, is_first=n == 0) for n in range(depth)]
    return [layer for block in blocks for layer in block]


def separable(out, stride=1):
    depthwise = "depthwise", {"kernel_size": 3, "stride": stride, "padding": 1}
    return [depthwise, ("norm", {}), RELU, *conv_norm(out, 1), RELU]


def linear(out):
    return "linear", {"out": out}


RELU = "relu", {}
DROPOUT = "dropout", {}
AVERAGE = "average", {}
CLASSES = "linear", {}  # as many outputs as classes

NETWORKS = {  # name -> the layers before and after the image is flattened
    "AlexNet": (
        [
            conv(64, 11, 4, 2), RELU, max_pool(3, 2),
            conv(192, 5), RELU, max_pool(3, 2),
            conv(384, 3), RELU, conv(256, 3), RELU, conv(256, 3), RELU, max_pool(3, 2),
        ],
        [DROPOUT, linear(4096), RELU, DROPOUT, linear(4096), RELU, CLASSES],
    ),
    "VGG19": (
        [*vgg_stage(64, 2), *vgg_stage(128, 2),
         *vgg_stage(256, 4), *vgg_stage(512, 4), *vgg_stage(512, 4)],
        [linear(4096), RELU, DROPOUT, linear(4096), RELU, DROPOUT, CLASSES],
    ),
    "ResNet50": (
        [
            *conv_norm(64, 7, 2), RELU, max_pool(3, 2, 1),
            *resnet_stage(64, 3, 1), *resnet_stage(128, 4, 2),
            *resnet_stage(256, 6, 2), *resnet_stage(512, 3, 2), AVERAGE,
        ],
        [CLASSES],
    ),
    "MobileNet": (
        [
            *conv_norm(32, 3, 2), RELU, *separable(64), *separable(128, 2), *separable(128),
            *separable(256, 2), *separable(256), *separable(512, 2), *separable(512) * 5,
            *separable(1024, 2), *separable(1024), AVERAGE,
        ],
        [CLASSES],
    ),
}  # fmt: skip


def size_layers(name, config):
    """Return both lists of a network's layers with every size stated.

    Each layer is (kind, options); `given` and `out` are channels. Raises ValueError if the image is
    too small.
    """
    before, after = NETWORKS[name]
    shape = config.num_channels, config.image_size
    before, (channels, side) = _size(before, shape, config)
    after, _ = _size(after, (channels * side * side, 1), config)
    return before, after


def _size(layers, shape, config):
    """Return (sized layers, shape of their output); a shape is (channels, side)."""
    sized, (channels, side) = [], shape
    for kind, stated in layers:
        options = dict(stated)
        if kind == "residual":
            results = [_size(part, (channels, side), config) for part in stated.values()]
            options = {name: part for name, (part, _) in zip(stated, results, strict=True)}
            channels, side = results[0][1]
        elif kind in {"conv", "linear"}:
            out = options.get("out")
            out = config.classes if out is None else max(1, round(out * config.width))
            options |= {"given": channels, "out": out}
            channels = out
        elif kind in {"norm", "depthwise"}:
            options["given"] = channels
        elif kind == "dropout":
            options["p"] = config.dropout
        elif kind == "average":
            side = 1
        if "kernel_size" in options:
            reach = side + 2 * options["padding"] - options["kernel_size"]
            side = reach // options["stride"] + 1
        if side < 1:
            raise ValueError(f"an image of {config.image_size} x {config.image_size} is too small")
        sized.append((kind, options))
    return sized, (channels, side)

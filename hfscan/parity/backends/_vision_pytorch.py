# mypy: ignore-errors
"""Build the networks of `_vision` in PyTorch."""

import torch
from _vision import NETWORKS, NORM, VisionConfig, size_layers
from torch import nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import ImageClassifierOutput


class Residual(nn.Module):
    """The sum of a block and its input, projected where their shapes differ."""

    def __init__(self, body, shortcut):
        super().__init__()
        self.body, self.shortcut = build(body), build(shortcut)

    def forward(self, given):
        return self.body(given) + self.shortcut(given)


LAYERS = {
    "conv": lambda given, out, **options: nn.Conv2d(in_channels=given, out_channels=out, **options),
    "depthwise": lambda given, **options: nn.Conv2d(
        given, given, groups=given, bias=False, **options
    ),
    "norm": lambda given: nn.BatchNorm2d(given, **NORM),
    "relu": lambda: nn.ReLU(inplace=True),
    "max_pool": nn.MaxPool2d,
    "average": lambda: nn.AdaptiveAvgPool2d(1),
    "dropout": nn.Dropout,
    "linear": lambda given, out: nn.Linear(in_features=given, out_features=out),
    "residual": Residual,
}


def build(layers):
    return nn.Sequential(*(LAYERS[kind](**options) for kind, options in layers))


class VisionModel(PreTrainedModel):
    """A network of `_vision`, the one that its class is named after."""

    config_class = VisionConfig
    main_input_name = "pixel_values"

    def __init__(self, config):
        super().__init__(config)
        self.features, self.classifier = map(build, size_layers(type(self).__name__, config))
        self.post_init()

    def _init_weights(self, module):
        """Keep the variance from layer to layer (https://arxiv.org/abs/1502.01852)."""
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)

    def forward(self, pixel_values, **_):
        """Return the logits, [rows, classes], of images [rows, channels, height, width]."""
        features = self.features(pixel_values)
        return ImageClassifierOutput(logits=self.classifier(torch.flatten(features, 1)))


MODELS = {name: type(name, (VisionModel,), {"__module__": __name__}) for name in NETWORKS}

# mypy: ignore-errors
"""Show programs that OpenVINO 2026.4.1 does not convert: docs/export-disagreements.md.

Needs openvino and torch only. Prints one line for each program.
"""

import openvino
import torch


class RepeatedOutput(torch.nn.Module):
    """Return a tensor twice, as models do with their last hidden state."""

    def forward(self, x):
        y = x + 1
        return y, y


class IndexAdd(torch.nn.Module):
    """Add rows, as mixtures of experts do with the outputs of their experts."""

    def forward(self, x):
        return torch.zeros(4, 4).index_add(0, torch.tensor([0, 2]), x)


class CatWithEmpty(torch.nn.Module):
    """Append to an empty tensor of one dimension, as the first step of a cache does."""

    def forward(self, x):
        return torch.cat([torch.empty(0), x], dim=-2)


def main():
    x = torch.randn(2, 4)
    for module in (RepeatedOutput(), IndexAdd(), CatWithEmpty()):
        program = torch.export.export(module, (x,))
        try:
            openvino.convert_model(program)
        except Exception as error:
            lines = str(error).strip().splitlines()
            print(f"{type(module).__name__}: {type(error).__name__}: {' '.join(lines)[:400]}")
        else:
            print(f"{type(module).__name__}: converted")


if __name__ == "__main__":
    main()

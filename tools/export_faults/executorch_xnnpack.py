# mypy: ignore-errors
"""Show what ExecuTorch 1.5.1 computes otherwise than PyTorch: docs/export-disagreements.md.

Needs executorch and torch only. Prints the largest difference of each program to PyTorch.
"""

import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower
from executorch.runtime import Runtime


class Sort(torch.nn.Module):
    """Sort numbers; ExecuTorch has no kernel for it."""

    def forward(self, x):
        return x.sort().values


class Convolve(torch.nn.Module):
    """Convolve in three dimensions, as models of videos do; the kernel takes two."""

    def forward(self, x):
        return torch.nn.functional.conv3d(x.reshape(1, 1, 1, 3, 3), torch.ones(1, 1, 1, 2, 2))


def main():
    x = torch.linspace(-3, 3, 9).reshape(1, 9)
    for module in (torch.nn.GELU("none"), torch.nn.GELU("tanh"), Sort(), Convolve()):
        for kernels, partitioners in (("XNNPACK", [XnnpackPartitioner()]), ("portable", [])):
            program = torch.export.export(module.eval(), (x,))
            lowered = to_edge_transform_and_lower(program, partitioner=partitioners)
            loaded = Runtime.get().load_program(lowered.to_executorch().buffer)
            try:
                (y,) = loaded.load_method("forward").execute([x])
            except RuntimeError as error:
                print(f"{module}, {kernels}: {error}")
            else:
                print(f"{module}, {kernels}: {(y - module(x)).abs().max():.1e}")


if __name__ == "__main__":
    main()

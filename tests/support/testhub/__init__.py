"""The fake Hub with all that tests need, and hfscan's users do not.

It adds repositories (details, trees, files, renames), datasets that clients publish, filters, more
faults, and populations that change.
"""

from .datasets import Dataset, Datasets
from .faults import KINDS, Faults
from .population import Population
from .server import FakeHub

__all__ = ["KINDS", "Dataset", "Datasets", "FakeHub", "Faults", "Population"]

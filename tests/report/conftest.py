"""The recorded censuses as plain models."""

import gc
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import recount


@pytest.fixture(scope="session")
def models(recorded):
    """The models of the recorded censuses, by snapshot."""
    gc.disable()  # what is read stays: nothing of it is to be found again and again
    found = {snapshot: recount.models(file) for snapshot, (file, _) in recorded.items()}
    gc.enable()
    return found

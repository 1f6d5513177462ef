"""The recorded models, parsed without hfscan."""

import gc
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import recount


@pytest.fixture(scope="session")
def models(recorded_dumps):
    """The models of `recorded_db`, by snapshot."""
    gc.disable()  # much faster: all objects stay alive
    trace = sys.gettrace()
    sys.settrace(None)  # none of hfscan's code runs, so there is nothing to measure coverage of
    models_by_snapshot = {
        snapshot: recount.read_models(file) for snapshot, (file, _) in recorded_dumps.items()
    }
    sys.settrace(trace)
    gc.enable()
    return models_by_snapshot

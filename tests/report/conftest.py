"""The recorded models, parsed without hfscan."""

import gc
import sys
from pathlib import Path

import pytest
from tracing import pause_tracing

sys.path.insert(0, str(Path(__file__).parent))
import recount


@pytest.fixture(scope="session")
def models(recorded_dumps):
    """The models of `recorded_db`, by snapshot."""
    gc.disable()  # much faster: all objects stay alive
    with pause_tracing():
        models_by_snapshot = {
            snapshot: recount.read_models(file) for snapshot, (file, _) in recorded_dumps.items()
        }
    gc.enable()
    return models_by_snapshot

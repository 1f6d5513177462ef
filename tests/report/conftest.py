"""The recorded models, parsed without hfscan, and claims on a few models."""

import gc
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from dumps import ingest_models
from tracing import pause_tracing

from hfscan.report.claims import evaluate_claims
from hfscan.store import Store

sys.path.insert(0, str(Path(__file__).parent))
import recount
from claim_texts import HEAD, MODELS


@pytest.fixture(scope="session")
def models(recorded_dumps):
    """The models of `recorded_db`, by snapshot."""
    gc.disable()  # much faster: all objects stay alive
    with pause_tracing():
        models_by_snapshot = {
            snapshot: recount.read_models(file) for snapshot, (file, _) in recorded_dumps.items()
        }
    gc.freeze()  # nor are they searched later
    gc.enable()
    return models_by_snapshot


@pytest.fixture
def evaluate_claim(tmp_path):
    """Return a function that evaluates the text of a claim over 400 models."""
    db = tmp_path / "h.duckdb"
    ingest_models(db, MODELS, day=datetime(2024, 1, 1, tzinfo=UTC))

    def evaluate(text):
        folder = tmp_path / "own"
        folder.mkdir(exist_ok=True)
        (folder / "10-own.toml").write_text(HEAD + text)
        with Store.open(db) as store:
            (claim,) = evaluate_claims(store, folder)
        return claim

    return evaluate

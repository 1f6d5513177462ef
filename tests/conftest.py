"""What the tests share."""

from pathlib import Path

import pytest

_SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of recorded Hub metadata, beside the checkout."""
    if not _SHARED.is_dir():
        pytest.skip(f"no recorded Hub metadata at {_SHARED}")
    return _SHARED

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file's tests on one worker, and all that recount the censuses: they load for long."""
    for item in items:
        heavy = "censuses" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("censuses" if heavy else str(item.path)))

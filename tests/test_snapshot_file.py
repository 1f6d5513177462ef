"""`snapshot.json`, local or from a dataset on the Hub, is read or refused."""

import json

import pytest

from hfscan.errors import ImportFileError
from hfscan.sync import read_state

STATE = {
    "snapshot": 1, "kind": "crawl", "observed_to": "2024-01-01T00:00:00Z", "models": 7,
    "message": "data: 7 models", "exported": 1,
}  # fmt: skip


def test_state_is_read(tmp_path):
    assert read_state(tmp_path) is None
    (tmp_path / "snapshot.json").write_text(json.dumps(STATE))
    assert vars(read_state(tmp_path)) == STATE


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{", "\x00", json.dumps(STATE)[:-9], json.dumps(STATE | {"models": "7"}),
        json.dumps(STATE | {"observed_to": "yesterday"}), json.dumps(STATE | {"snapshot": None}),
        json.dumps(STATE | {"observed_to": "2024-01-01T00:00:00"}), "[" * 100_000,
    ],
)  # fmt: skip
def test_damaged_state_is_refused(tmp_path, text):
    """A missing file would start the dataset over."""
    (tmp_path / "snapshot.json").write_text(text)
    with pytest.raises(ImportFileError, match="changed or damaged"):
        read_state(tmp_path)

"""`snapshot.json`, which may come from a dataset on the Hub: read correctly or refused."""

import json

import pytest

from hfscan.errors import ImportFileError
from hfscan.sync import read_state

WHOLE = {
    "snapshot": 1, "kind": "crawl", "observed_to": "2024-01-01T00:00:00Z", "models": 7,
    "message": "data: 7 models", "exported": 1,
}  # fmt: skip


def test_a_whole_snapshot_is_read(tmp_path):
    assert read_state(tmp_path) is None
    (tmp_path / "snapshot.json").write_text(json.dumps(WHOLE))
    assert vars(read_state(tmp_path)) == WHOLE


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{", "\x00", json.dumps(WHOLE)[:-9], json.dumps(WHOLE | {"models": "7"}),
        json.dumps(WHOLE | {"observed_to": "yesterday"}), json.dumps(WHOLE | {"snapshot": None}),
        json.dumps(WHOLE | {"observed_to": "2024-01-01T00:00:00"}), "[" * 100_000,
    ],
)  # fmt: skip
def test_a_damaged_snapshot_is_refused(tmp_path, text):
    """Taken for none, a state on the Hub would be started anew over its history."""
    (tmp_path / "snapshot.json").write_text(text)
    with pytest.raises(ImportFileError, match="changed or damaged"):
        read_state(tmp_path)

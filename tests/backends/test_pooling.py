"""Sentence embeddings, pooled as a checkpoint of sentence-transformers says."""

import json

import numpy as np
import pytest

from hfscan.parity.pooling import Pooling, list_unapplied_modules, read_pooling

STATES = np.array([[[1.0, 8.0], [3.0, 2.0], [9.0, 9.0]]])  # the last position is padding
MASK = np.array([[1, 1, 0]])
MODULES = [
    {"type": "sentence_transformers.models.Transformer", "path": ""},
    {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"},
    {"type": "sentence_transformers.models.Normalize", "path": "2_Normalize"},
]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("mean", [2, 5]),
        ("cls", [1, 8]),
        ("last", [3, 2]),
        ("max", [3, 8]),
        ("mean_sqrt_len", [4 / 2**0.5, 10 / 2**0.5]),
        ("weighted_mean", [7 / 3, 4]),
    ],
)
def test_padding_is_left_out_of_embeddings(mode, expected):
    pooling = Pooling((mode,), normalized=False)
    assert pooling.embed(STATES, MASK)[0] == pytest.approx(expected)
    padded_left = STATES[:, [2, 0, 1]], MASK[:, [2, 0, 1]]
    if mode != "weighted_mean":  # its weights are positions
        assert pooling.embed(*padded_left)[0] == pytest.approx(expected)


def write_modules(folder, modules, config):
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(config))
    (folder / "modules.json").write_text(json.dumps(modules))


def test_pooling_is_read_from_modules(tmp_path):
    config = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True, "other": True}
    write_modules(tmp_path, MODULES, config)
    pooling = read_pooling(tmp_path, [tmp_path])
    assert pooling == Pooling(("cls", "mean"), normalized=True)
    assert np.linalg.norm(pooling.embed(STATES, MASK)) == pytest.approx(1)


@pytest.mark.parametrize(
    "modules", [[*MODULES, {"type": "models.Dense", "path": "3_Dense"}], {}, [7, None], MODULES[:1]]
)
def test_unknown_modules_are_not_pooled(tmp_path, modules):
    write_modules(tmp_path, modules, {"pooling_mode_mean_tokens": True})
    assert read_pooling(tmp_path, [tmp_path]) is None


def test_modules_with_own_weights_are_listed(tmp_path):
    write_modules(tmp_path, [*MODULES, {"type": "models.Dense", "path": "3_Dense"}], {})
    assert list_unapplied_modules(tmp_path, [tmp_path]) == ("Dense (3_Dense)",)


def test_pooling_outside_the_folder_is_not_read(tmp_path):
    (tmp_path / "inside").mkdir()
    write_modules(tmp_path, MODULES, {"pooling_mode_mean_tokens": True})
    (tmp_path / "inside" / "modules.json").symlink_to(tmp_path / "modules.json")
    assert read_pooling(tmp_path / "inside", [tmp_path / "inside"]) is None

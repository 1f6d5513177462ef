"""Configs that a later release of transformers saved."""

import pytest

from hfscan.parity.releases import find_unread, is_newer, translate

FULL = {"rope_type": "linear", "rope_theta": 1e6, "factor": 8.0}
LOCAL = {"rope_type": "default", "rope_theta": 1e4}


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ({"rope_parameters": {"rope_type": "default", "rope_theta": 5e5}}, {"rope_theta": 5e5}),
        (
            {"rope_parameters": {"rope_type": "yarn", "rope_theta": 5e5, "factor": 2.0}},
            {"rope_theta": 5e5, "rope_scaling": {"rope_type": "yarn", "factor": 2.0}},
        ),
        (
            {"rope_theta": 1e4, "rope_scaling": {"rope_type": "default", "rope_theta": 5e5}},
            {"rope_theta": 5e5},
        ),
        (
            {"rope_parameters": {"rope_theta": 5e5, "partial_rotary_factor": 0.5}},
            {"rope_theta": 5e5, "partial_rotary_factor": 0.5},
        ),
        (
            {"text_config": {"rope_parameters": {"rope_theta": 5e5}}},
            {"text_config": {"rope_theta": 5e5}},
        ),
        (
            {
                "model_type": "gemma3_text",
                "rope_parameters": {"full_attention": FULL, "sliding_attention": LOCAL},
            },
            {
                "model_type": "gemma3_text",
                "rope_theta": 1e6,
                "rope_scaling": {"rope_type": "linear", "factor": 8.0},
                "rope_local_base_freq": 1e4,
            },
        ),
        ({"rope_theta": 5e5, "rope_scaling": None}, {"rope_theta": 5e5, "rope_scaling": None}),
    ],
)
def test_rope_parameters_become_older_entries(entries, expected):
    assert translate(entries) == expected


def test_unknown_sets_of_rope_parameters_are_not_translated():
    rope = {"full_attention": FULL, "sliding_attention": LOCAL}
    config = {"model_type": "another", "rope_parameters": rope}
    assert translate(config) == config
    assert find_unread(["rope_parameters"], config) == ["rope_parameters"]


def test_harmless_entries_are_ignored_by_value():
    config = {"normalize_before": False, "use_bias": False, "unset": None, "part": {"_note": 1}}
    assert find_unread([*config, "part._note"], config) == ["use_bias", "part"]


def test_later_releases_are_recognised():
    assert is_newer("5.24.0", "4.57.6")
    assert is_newer("4.58.0.dev0", "4.57.6")
    assert not is_newer("4.57.9", "4.57.6")
    assert not is_newer(None, "4.57.6")

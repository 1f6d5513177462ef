"""Entries of configs that only act on longer texts than were compared."""

import pytest

from hfscan.parity.inputs import make_inputs
from hfscan.parity.reach import describe_unreached

TYPE = {"type": "longrope"}
PHI = {"max_position_embeddings": 4096, "original_max_position_embeddings": 2048}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"sliding_window": 4096}, "too short for sliding_window 4,096"),
        ({"sliding_window": 4096, "use_sliding_window": False}, None),
        ({"sliding_window": 100}, None),
        ({"text_config": {"sliding_window": 512}}, "too short for sliding_window 512"),
        ({"attention_window": [512, 512]}, "too short for attention_window 512"),
        ({"local_attention": 128}, None),  # 64 positions to each side
        ({**PHI, "rope_scaling": TYPE}, "too short for rope_scaling (longrope) 2,048"),
        ({**PHI, "rope_parameters": {"rope_type": "yarn"}}, None),  # the same for every length
        ({}, None),
    ],
)  # fmt: skip
def test_entries_for_longer_texts_are_named(config, expected):
    inputs = make_inputs({"vocab_size": 96, **config}, "MistralForCausalLM")
    found = describe_unreached(config, inputs)
    assert (found is None) == (expected is None)
    assert expected is None or found.endswith(expected)

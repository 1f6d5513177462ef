"""What every lane is fed: the same for the same config."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hfscan.parity.checkpoints import Checkpoint

SEED = 20240501
BATCH, LENGTH, PROMPT, NEW_TOKENS = 4, 128, 8, 64


@dataclass(frozen=True)
class Inputs:
    """What every lane is fed. `batch` has padding at the right; `prompt` has none."""

    batch: dict[str, np.ndarray]
    prompt: dict[str, np.ndarray] | None
    new_tokens: int
    mask: np.ndarray  # 1 where an output's position is real
    decoder_mask: np.ndarray | None

    def mask_of(self, name: str) -> np.ndarray:
        """Return the mask for the output or hidden states of this name."""
        decoder = self.decoder_mask
        return self.mask if decoder is None or name.startswith("encoder") else decoder


def number(config: Mapping[str, Any], names: Sequence[str], default: int) -> int:
    """Return the first whole number among the config's entries of these names."""
    found = (config.get(name) for name in names)
    return next((value for value in found if isinstance(value, int) and value > 0), default)


def draw(checkpoint: Checkpoint, padding_seed: int = 0) -> Inputs:
    """Draw token ids, the same for the same config; `padding_seed` changes the padding only."""
    config, architecture = checkpoint.config, checkpoint.architecture or ""
    rng = np.random.default_rng(SEED)
    vocab = number(config, ("vocab_size", "n_vocab"), 1000)
    room = number(config, ("max_position_embeddings", "n_positions", "n_ctx"), 10 * LENGTH)
    length = max(4, min(LENGTH, room - 4))  # RoBERTa counts positions from 2
    pad = config.get("pad_token_id")
    classify = "SequenceClassification" in architecture
    batch_size = 1 if classify and pad is None else BATCH
    special = {
        pad,
        config.get("eos_token_id"),
        config.get("bos_token_id"),
        config.get("sep_token_id"),
    }
    ordinary = np.array([token for token in range(vocab) if token not in special] or [0])
    ids = rng.choice(ordinary, (batch_size, length))
    mask = np.ones((batch_size, length), dtype=np.int64)
    for row in range(1, batch_size):
        mask[row, length - row * length // 6 :] = 0
    filler = np.full_like(ids, pad if isinstance(pad, int) and 0 <= pad < vocab else 0)
    if padding_seed:
        filler = np.random.default_rng(padding_seed).choice(ordinary, ids.shape)
    eos = config.get("eos_token_id")
    if classify and isinstance(eos, int) and config.get("is_encoder_decoder"):
        ids[np.arange(batch_size), mask.sum(axis=1) - 1] = eos
    batch = {"input_ids": np.where(mask == 1, ids, filler), "attention_mask": mask}
    decoder_mask = None
    if config.get("is_encoder_decoder"):
        decoder_mask = np.ones((batch_size, max(2, length // 2)), dtype=np.int64)
        if not classify and "QuestionAnswering" not in architecture:
            batch["decoder_input_ids"] = rng.choice(ordinary, decoder_mask.shape)
    prompt = None
    if architecture.endswith(("LMHeadModel", "ForCausalLM", "ForConditionalGeneration")):
        first = min(PROMPT, length // 2)
        prompt = {"input_ids": ids[:1, :first], "attention_mask": mask[:1, :first]}
    used = 1 if decoder_mask is not None else PROMPT
    return Inputs(batch, prompt, max(1, min(NEW_TOKENS, room - used - 2)), mask, decoder_mask)

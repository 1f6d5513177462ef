"""Make the inputs that every backend gets: the same for the same config."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hfscan.parity.configs import CheckpointError
from hfscan.parity.tables import read_table

SEED = 20240501
BATCH, LENGTH, PROMPT, NEW_TOKENS = 4, 128, 8, 64
VISION_BATCH = 8  # of the networks of backends/_vision.py: speed is their purpose
PADDED_LEFT, ALONE = "padded at the left", "one row alone"
CHOICES = 2  # of a multiple-choice question
MAX_ELEMENTS = 1 << 26  # of one input; 64 images of 500 x 500 have fewer
_MAX_VOCAB = 1 << 20  # token ids to draw from; the largest vocabularies have some 260,000
_GENERATE = ("LMHeadModel", "ForCausalLM", "ForConditionalGeneration", "MTModel")
_VOCAB_SIZE = ("vocab_size", "n_vocab", "n_words")
_TOKEN_IDS = ("input_ids", "decoder_input_ids")
_MAX_POSITIONS = """max_position_embeddings n_positions n_ctx max_encoder_position_embeddings
    max_target_positions""".split()

Arrays = dict[str, np.ndarray]
Config = Mapping[str, Any]


@dataclass(frozen=True)
class Inputs:
    """What every backend gets. `batch` is padded at the right; `prompt` is not padded."""

    batch: Arrays
    prompt: Arrays | None
    new_tokens: int
    mask: np.ndarray  # 1 where an output's position is real
    decoder_mask: np.ndarray | None
    conditions: dict[str, Arrays] = field(default_factory=dict)  # parts of the batch, by how

    @property
    def longest(self) -> int:
        """The tokens of the longest text that a model gets or generates; 0 without token ids."""
        lengths = [self.batch[name].shape[-1] for name in _TOKEN_IDS if name in self.batch]
        if self.prompt and "input_ids" in self.prompt:
            lengths.append(self.prompt["input_ids"].shape[-1] + self.new_tokens)
        return max(lengths, default=0)

    def mask_of(self, name: str) -> np.ndarray:
        """Return the mask for an output or for hidden states of this name."""
        decoder = self.decoder_mask
        return self.mask if decoder is None or name.startswith("encoder") else decoder


def make_inputs(
    config: Config,
    architecture: str | None,
    padding_seed: int = 0,
    tokens: np.ndarray | None = None,
) -> Inputs:
    """Return inputs for a checkpoint with this config and class.

    `padding_seed` changes the padding only. `tokens`, [rows, length] with -1 as padding, replace
    random ids if the model takes token ids. Raises CheckpointError.
    """
    architecture = architecture or ""
    kinds = _kinds(config, architecture)
    text = _text_config(config)
    rng = np.random.default_rng(SEED)
    rows = VISION_BATCH if config.get("model_type") == "hfscan_vision" else BATCH
    mask = np.ones((rows, 1), dtype=np.int64)
    batch: Arrays = {}
    if "tokens" in kinds:
        if tokens is None:
            batch, mask = _random_tokens(text, architecture, rng, padding_seed)
        else:
            mask = (tokens >= 0).astype(np.int64)
            ids = np.where(mask == 1, tokens, _pad_token_id(text))
            batch = {"input_ids": ids, "attention_mask": mask}
        if config.get("model_type") == "transfo-xl":  # takes no mask: all its positions count
            del batch["attention_mask"]
            mask = np.ones_like(mask)
        if architecture.endswith("MultipleChoice"):
            sides = -1, CHOICES, mask.shape[1]
            batch = {name: array.reshape(sides) for name, array in batch.items()}
    for kind in kinds[kinds[0] == "tokens" :]:
        batch |= _MAKERS[kind](config, rng, mask)
    decoder_mask = None
    is_encoder_decoder = (
        config.get("is_encoder_decoder") or architecture == "BlipForQuestionAnswering"
    )
    if is_encoder_decoder:
        decoder_mask = mask  # these classes shift the encoder's ids themselves
        shifts_itself = ("ForSequenceClassification", "ForQuestionAnswering")
        if config.get("model_type") == "blip" or not architecture.endswith(shifts_itself):
            shape = (len(mask), max(2, mask.shape[1] // 2))
            ids = _regular_token_ids(_sub_config(config, "decoder", "text_config"))
            batch["decoder_input_ids"] = rng.choice(ids, shape)
            decoder_mask = np.ones(shape, dtype=np.int64)
    prompt = None
    if "input_ids" in batch and architecture.endswith(_GENERATE):
        prompt = _make_prompt(batch, min(PROMPT, max(2, mask.shape[1] // 2)))
    used = 1 if is_encoder_decoder else PROMPT
    positions = _number(text, _MAX_POSITIONS, 10 * LENGTH)
    new_tokens = max(1, min(NEW_TOKENS, positions - used - 2))
    conditions = {} if is_encoder_decoder else _make_conditions(batch, mask)
    return Inputs(batch, prompt, new_tokens, mask, decoder_mask, conditions)


def save_arrays(folder: Path, arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Write each array to a file of its name; return the paths by name."""
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return {name: str(folder / f"{name}.npy") for name in arrays}


def _make_conditions(batch: Arrays, mask: np.ndarray) -> dict[str, Arrays]:
    """Return the batch's last two rows padded at the left, and its last row alone, not padded."""
    if batch.keys() != {"input_ids", "attention_mask"} or batch["input_ids"].shape != mask.shape:
        return {}
    length = int(mask[-1].sum())
    if len(mask) == 1 or length in {0, mask.shape[1]}:
        return {}
    order = np.argsort(mask[-2:], axis=1, kind="stable")  # padding first, the text in its order
    left = {name: np.take_along_axis(array[-2:], order, axis=1) for name, array in batch.items()}
    alone = {name: array[-1:, :length] for name, array in batch.items()}
    return {PADDED_LEFT: left, ALONE: alone}


def _kinds(config: Config, architecture: str) -> list[str]:
    """Return the kinds of input of a model, as `inputs.toml` lists them for its type."""
    entries = read_table("inputs").items()
    model_type = config.get("model_type")
    kinds = next((key.split() for key, types in entries if model_type in types), ["tokens"])
    if architecture.endswith("VisionModel"):
        return ["pixels"]
    if architecture.endswith("TextModel") and "tokens" in kinds:
        return ["tokens"]
    return kinds


def _make_prompt(batch: Arrays, length: int) -> Arrays:
    """Return the first row without the decoder's ids, its text cut to `length` tokens."""
    return {
        name: array[:1, :length] if name in {"input_ids", "attention_mask"} else array[:1]
        for name, array in batch.items()
        if name != "decoder_input_ids"
    }


def max_length(config: Config) -> int:
    """Return how many tokens a row can have, at most LENGTH."""
    positions = _number(_text_config(config), _MAX_POSITIONS, 10 * LENGTH)
    return max(4, min(LENGTH, positions - 4))  # RoBERTa counts positions from 2


def _text_config(config: Config) -> Config:
    return _sub_config(config, "text_config", "encoder", "text_encoder")


def _sub_config(config: Config, *names: str) -> Config:
    """Return the config of a part if the model consists of several, else the config itself."""
    parts = (config.get(name) for name in names)
    return next((part for part in parts if isinstance(part, dict)), config)


def _number(config: Config, names: Sequence[str], default: int) -> int:
    """Return the first positive integer of these entries; of a list (sides), its first number."""
    for name in names:
        value = config.get(name)
        value = value[0] if isinstance(value, list) and value else value
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return default


def _regular_token_ids(config: Config) -> np.ndarray:
    """Return the token ids without the special ones."""
    names = ("pad_token_id", "eos_token_id", "bos_token_id", "sep_token_id")
    special = [token for token in map(config.get, names) if isinstance(token, int)]
    ids = np.arange(min(_number(config, _VOCAB_SIZE, 1000), _MAX_VOCAB))
    ids = ids[~np.isin(ids, special)]
    return ids if len(ids) else np.zeros(1, dtype=np.int64)


def _random_tokens(
    config: Config, architecture: str, rng: np.random.Generator, padding_seed: int
) -> tuple[Arrays, np.ndarray]:
    length = max_length(config)
    classifies = "SequenceClassification" in architecture
    rows = 1 if classifies and config.get("pad_token_id") is None else BATCH
    regular_ids = _regular_token_ids(config)
    ids = rng.choice(regular_ids, (rows, length))
    mask = np.ones((rows, length), dtype=np.int64)
    for row in range(1, rows):
        mask[row, length - row * length // 6 :] = 0
    padding = np.full_like(ids, _pad_token_id(config))
    if padding_seed:
        padding = np.random.default_rng(padding_seed).choice(regular_ids, ids.shape)
    eos = config.get("eos_token_id")
    if isinstance(eos, int) and config.get("is_encoder_decoder"):
        # these classifiers read the last end token, which every row must have
        ids[np.arange(rows), mask.sum(axis=1) - 1] = eos
    separator = config.get("sep_token_id")
    if isinstance(separator, int) and architecture.startswith("Longformer"):
        ids[:, 1:4] = separator  # its question answering needs three in each row
    return {"input_ids": np.where(mask == 1, ids, padding), "attention_mask": mask}, mask


def _pad_token_id(config: Config) -> int:
    pad = config.get("pad_token_id")
    vocab = _number(config, _VOCAB_SIZE, 1000)
    return pad if isinstance(pad, int) and 0 <= pad < vocab else 0


def _check_size(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape. Raises CheckpointError if it is larger than any model here could use."""
    if math.prod(shape) > MAX_ELEMENTS:
        sides = " x ".join(map(str, shape))
        raise CheckpointError(f"its config requires inputs of {sides} numbers: too large")
    return shape


def _normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(_check_size(shape)).astype(np.float32)


def _pixels(config: Config, rng: np.random.Generator, mask: np.ndarray) -> Arrays:
    """[rows, channels, height, width], the order of both frameworks' classes."""
    vision = _sub_config(config, "vision_config", "encoder")
    side = _number(vision, ("image_size",), 64)
    channels = _number(vision, ("num_channels",), 3)
    return {"pixel_values": _normal(rng, len(mask), channels, side, side)}


def _noise(config: Config, rng: np.random.Generator, mask: np.ndarray) -> Arrays:
    """[rows, patches]: the noise that hides patches; otherwise each class draws its own."""
    patches = (_number(config, ("image_size",), 224) // _number(config, ("patch_size",), 16)) ** 2
    return {"noise": rng.random(_check_size((len(mask), patches))).astype(np.float32)}


def _images(config: Config, rng: np.random.Generator, mask: np.ndarray) -> Arrays:
    """[rows, 1, channels, height, width]: one image a row, visible to every position."""
    pixels = _pixels(config, rng, mask)["pixel_values"][:, None]
    return {"pixel_values": pixels, "image_attention_mask": np.ones_like(mask)[..., None]}


def _samples(config: Config, rng: np.random.Generator, mask: np.ndarray) -> Arrays:
    """[rows, samples]: 0.125 s at 16 kHz."""
    return {"input_values": _normal(rng, len(mask), 2000)}


def _frames(config: Config, rng: np.random.Generator, mask: np.ndarray) -> Arrays:
    """[rows, bins, frames] for Whisper, two frames a position; [rows, frames, bins] for others."""
    sides = LENGTH, _number(config, ("input_feat_per_channel",), 80)
    if "num_mel_bins" in config:
        frames = 2 * _number(config, ("max_source_positions",), 1500)
        sides = _number(config, ("num_mel_bins",), 80), frames
    return {"input_features": _normal(rng, len(mask), *sides)}


def _boxes(config: Config, rng: np.random.Generator, mask: np.ndarray) -> Arrays:
    """[rows, length, 4]: left, top, right, bottom, on a page of at most 1000 x 1000."""
    side = min(1000, _number(config, ("max_2d_position_embeddings",), 1000) - 1)
    corners = rng.integers(0, side, (*mask.shape, 2, 2))
    return {"bbox": np.sort(corners, axis=-2).reshape(*mask.shape, 4)}


def _regions(config: Config, rng: np.random.Generator, mask: np.ndarray) -> Arrays:
    """For LXMERT: regions [rows, 10, features] and their positions [rows, 10, 4]."""
    features = _number(config, ("visual_feat_dim",), 2048)
    return {
        "visual_feats": _normal(rng, len(mask), 10, features),
        "visual_pos": rng.random((len(mask), 10, 4)).astype(np.float32),
    }


_MAKERS = {
    "pixels": _pixels,
    "images": _images,
    "noise": _noise,
    "samples": _samples,
    "frames": _frames,
    "boxes": _boxes,
    "regions": _regions,
}

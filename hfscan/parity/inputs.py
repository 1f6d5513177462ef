"""What every backend is fed: the same for the same config."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hfscan.parity.checkpoints import Checkpoint, CheckpointError

SEED = 20240501
BATCH, LENGTH, PROMPT, NEW_TOKENS = 4, 128, 8, 64
CHOICES = 2  # of a multiple-choice question
_VOCAB = 1 << 20  # tokens drawn from; the largest vocabularies have some 260,000
_MOST = 1 << 26  # numbers in one input; 64 images of 500 x 500 are fewer

_GENERATE = ("LMHeadModel", "ForCausalLM", "ForConditionalGeneration", "MTModel")

Arrays = dict[str, np.ndarray]
Config = Mapping[str, Any]

TAKES: dict[str, tuple[str, ...]] = {
    model_type: tuple(takes.split())
    for takes, model_types in {
        "pixels": (
            "convnext convnextv2 cvt data2vec-vision deit efficientformer mobilevit regnet resnet "
            "sam segformer swiftformer swin vision-encoder-decoder vit"
        ),
        "pixels noise": "vit_mae",
        "samples": "hubert wav2vec2",
        "frames": "speech_to_text whisper",
        "tokens pixels": "blip clip groupvit vision-text-dual-encoder",
        "tokens boxes": "layoutlm layoutlmv3",
        "tokens regions": "lxmert",
        "tokens images": "idefics",
    }.items()
    for model_type in model_types.split()
}
"""Model type -> what its models take, where that is not token ids alone."""


@dataclass(frozen=True)
class Inputs:
    """What every backend is fed. `batch` has padding at the right; `prompt` has none."""

    batch: Arrays
    prompt: Arrays | None
    new_tokens: int
    mask: np.ndarray  # 1 where an output's position is real
    decoder_mask: np.ndarray | None

    def mask_of(self, name: str) -> np.ndarray:
        """Return the mask for the output or hidden states of this name."""
        decoder = self.decoder_mask
        return self.mask if decoder is None or name.startswith("encoder") else decoder


def number(config: Config, names: Sequence[str], default: int) -> int:
    """Return the first whole number among the config's entries of these names.

    Where an entry is a list (sides of an image), its first number counts.
    """
    for name in names:
        value = config.get(name)
        value = value[0] if isinstance(value, list) and value else value
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return default


def draw(checkpoint: Checkpoint, padding_seed: int = 0, tokens: np.ndarray | None = None) -> Inputs:
    """Draw inputs, the same for the same config.

    `padding_seed` changes the padding only. `tokens`, [rows, length] with -1 as padding, take the
    place of random ids, where the model takes token ids.
    """
    architecture = checkpoint.architecture or ""
    config = checkpoint.config
    takes = TAKES.get(str(config.get("model_type")), ("tokens",))
    if architecture.endswith("VisionModel"):
        takes = ("pixels",)
    elif architecture.endswith("TextModel") and "tokens" in takes:
        takes = ("tokens",)
    text = _nested(config, "text_config", "encoder", "text_encoder")
    rng = np.random.default_rng(SEED)
    mask = np.ones((BATCH, 1), dtype=np.int64)
    batch: Arrays = {}
    if "tokens" in takes:
        if tokens is None:
            batch, mask = _tokens(text, architecture, rng, padding_seed)
        else:
            batch, mask = _given(text, tokens)
        if config.get("model_type") == "transfo-xl":  # it takes no mask: all its positions count
            del batch["attention_mask"]
            mask = np.ones_like(mask)
        if architecture.endswith("MultipleChoice"):
            batch = {
                name: array.reshape(-1, CHOICES, array.shape[1]) for name, array in batch.items()
            }
    for kind in takes[takes[0] == "tokens" :]:
        batch |= _OTHERS[kind](config, rng, mask)
    decoder_mask = None
    encoder_decoder = (
        bool(config.get("is_encoder_decoder")) or architecture == "BlipForQuestionAnswering"
    )
    if encoder_decoder:
        decoder_mask = mask  # these shift the encoder's ids themselves
        own = ("ForSequenceClassification", "ForQuestionAnswering")
        if config.get("model_type") == "blip" or not architecture.endswith(own):
            shape = (len(mask), max(2, mask.shape[1] // 2))
            batch["decoder_input_ids"] = rng.choice(
                _ordinary(_nested(config, "decoder", "text_config")), shape
            )
            decoder_mask = np.ones(shape, dtype=np.int64)
    room = _room(text)
    prompt = None
    if "input_ids" in batch and architecture.endswith(_GENERATE):
        first = min(PROMPT, max(2, mask.shape[1] // 2))
        cut = {"input_ids", "attention_mask"}
        prompt = {
            name: array[:1, :first] if name in cut else array[:1]
            for name, array in batch.items()
            if name != "decoder_input_ids"
        }
    used = 1 if encoder_decoder else PROMPT
    return Inputs(batch, prompt, max(1, min(NEW_TOKENS, room - used - 2)), mask, decoder_mask)


def length(config: Config) -> int:
    """Return how many tokens a row has room for, at most LENGTH."""
    return _length(_nested(config, "text_config", "encoder", "text_encoder"))


def _length(config: Config) -> int:
    return max(4, min(LENGTH, _room(config) - 4))  # RoBERTa counts positions from 2


def _nested(config: Config, *names: str) -> Config:
    """Return the config of a part, where the model is put together from several."""
    parts = (config.get(name) for name in names)
    return next((part for part in parts if isinstance(part, dict)), config)


def _room(config: Config) -> int:
    names = (
        "max_position_embeddings",
        "n_positions",
        "n_ctx",
        "max_encoder_position_embeddings",
        "max_target_positions",
    )
    return number(config, names, 10 * LENGTH)


def _ordinary(config: Config) -> np.ndarray:
    """Return the token ids that mean nothing special."""
    names = ("pad_token_id", "eos_token_id", "bos_token_id", "sep_token_id")
    special = [token for token in map(config.get, names) if isinstance(token, int)]
    vocab = number(config, ("vocab_size", "n_vocab", "n_words"), 1000)
    ordinary = np.arange(min(vocab, _VOCAB))
    ordinary = ordinary[~np.isin(ordinary, special)]
    return ordinary if len(ordinary) else np.zeros(1, dtype=np.int64)


def _tokens(
    config: Config, architecture: str, rng: np.random.Generator, padding_seed: int
) -> tuple[Arrays, np.ndarray]:
    length = _length(config)
    classify = "SequenceClassification" in architecture
    rows = 1 if classify and config.get("pad_token_id") is None else BATCH
    ordinary = _ordinary(config)
    ids = rng.choice(ordinary, (rows, length))
    mask = np.ones((rows, length), dtype=np.int64)
    for row in range(1, rows):
        mask[row, length - row * length // 6 :] = 0
    filler = np.full_like(ids, _pad(config))
    if padding_seed:
        filler = np.random.default_rng(padding_seed).choice(ordinary, ids.shape)
    eos = config.get("eos_token_id")
    if isinstance(eos, int) and config.get("is_encoder_decoder"):
        # classifiers of this kind read the last end token, of which each row must have one
        ids[np.arange(rows), mask.sum(axis=1) - 1] = eos
    separator = config.get("sep_token_id")
    if isinstance(separator, int) and architecture.startswith("Longformer"):
        ids[:, 1:4] = separator  # its question answering wants three in each row
    return {"input_ids": np.where(mask == 1, ids, filler), "attention_mask": mask}, mask


def _given(config: Config, tokens: np.ndarray) -> tuple[Arrays, np.ndarray]:
    mask = (tokens >= 0).astype(np.int64)
    return {"input_ids": np.where(mask == 1, tokens, _pad(config)), "attention_mask": mask}, mask


def _pad(config: Config) -> int:
    pad = config.get("pad_token_id")
    vocab = number(config, ("vocab_size", "n_vocab", "n_words"), 1000)
    return pad if isinstance(pad, int) and 0 <= pad < vocab else 0


def _normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(_sane(shape)).astype(np.float32)


def _sane(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape. Raises CheckpointError where no model that runs here would take as much."""
    if math.prod(shape) > _MOST:
        raise CheckpointError(
            f"its config asks for inputs of {' x '.join(map(str, shape))} numbers"
        )
    return shape


def _pixels(config: Config, rng: np.random.Generator, mask: np.ndarray) -> Arrays:
    """[rows, channels, height, width], as both frameworks' classes want it."""
    vision = _nested(config, "vision_config", "encoder")
    side = number(vision, ("image_size",), 64)
    channels = number(vision, ("num_channels",), 3)
    return {"pixel_values": _normal(rng, len(mask), channels, side, side)}


def _noise(config: Config, rng: np.random.Generator, mask: np.ndarray) -> Arrays:
    """Draw what hides patches, [rows, patches]; each class would draw its own."""
    patches = (number(config, ("image_size",), 224) // number(config, ("patch_size",), 16)) ** 2
    return {"noise": rng.random(_sane((len(mask), patches))).astype(np.float32)}


def _images(config: Config, rng: np.random.Generator, mask: np.ndarray) -> Arrays:
    """One image for each row, [rows, 1, channels, height, width], that every position may see."""
    pixels = _pixels(config, rng, mask)["pixel_values"][:, None]
    return {
        "pixel_values": pixels,
        "image_attention_mask": np.ones((*mask.shape, 1), dtype=np.int64),
    }


def _samples(config: Config, rng: np.random.Generator, mask: np.ndarray) -> Arrays:
    """[rows, samples]: a tenth of a second and more at 16 kHz."""
    return {"input_values": _normal(rng, len(mask), 2000)}


def _frames(config: Config, rng: np.random.Generator, mask: np.ndarray) -> Arrays:
    """Whisper wants [rows, bins, frames], twice as many frames as positions; others turned."""
    if "num_mel_bins" in config:
        frames = 2 * number(config, ("max_source_positions",), 1500)
        shape = (len(mask), number(config, ("num_mel_bins",), 80), frames)
    else:
        shape = (len(mask), LENGTH, number(config, ("input_feat_per_channel",), 80))
    return {"input_features": _normal(rng, *shape)}


def _boxes(config: Config, rng: np.random.Generator, mask: np.ndarray) -> Arrays:
    """[rows, length, 4]: left, top, right, bottom, on a page of 1000 (or less) by as many."""
    side = min(1000, number(config, ("max_2d_position_embeddings",), 1000) - 1)
    corners = rng.integers(0, side, (*mask.shape, 2, 2))
    return {"bbox": np.sort(corners, axis=-2).reshape(*mask.shape, 4)}


def _regions(config: Config, rng: np.random.Generator, mask: np.ndarray) -> Arrays:
    """LXMERT: [rows, 10, features] and the regions' places [rows, 10, 4]."""
    features = number(config, ("visual_feat_dim",), 2048)
    return {
        "visual_feats": _normal(rng, len(mask), 10, features),
        "visual_pos": rng.random((len(mask), 10, 4)).astype(np.float32),
    }


_OTHERS = {
    "pixels": _pixels,
    "images": _images,
    "noise": _noise,
    "samples": _samples,
    "frames": _frames,
    "boxes": _boxes,
    "regions": _regions,
}

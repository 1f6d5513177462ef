# mypy: ignore-errors
"""List inputs that a model may run on: its own main input, with what belongs to it."""

import inspect

import numpy as np

from hfscan.parity.backends._shapes import SEED

ROWS, LENGTH, PADDING = 2, 12, 4
LAYOUTS = range(4)  # of an input that models expect in different shapes
OTHERS = ("input_ids", "pixel_values", "input_features", "input_values", "bbox")
"""Inputs that some models need besides their main one."""


def list_inputs(model):
    """Yield inputs to try, as {name: array}: the model's main input first, then with others."""
    parameters = inspect.signature(model.forward).parameters
    main = model.main_input_name
    main = [main] if isinstance(main, str) else list(main)
    required = [
        name
        for name, parameter in parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    combinations = [main, [*main, *required], *([*main, name] for name in OTHERS)]
    seen = []
    for names in combinations:
        for layout in LAYOUTS:
            arrays = make_inputs(
                model.config, [name for name in names if name in parameters], layout
            )
            arrays = {name: array for name, array in arrays.items() if name in parameters}
            shapes = {name: array.shape for name, array in arrays.items()}
            if arrays and shapes not in seen:
                seen.append(shapes)
                yield arrays


def make_inputs(config, names, layout):
    """Return arrays for these names and what belongs to them, in one of the `LAYOUTS`."""
    rng = np.random.default_rng(SEED)
    entries = config.to_dict()
    arrays = {}
    for name in names:
        if make := _MAKERS.get(name):
            array = make(entries, rng, layout)
            arrays |= array if isinstance(array, dict) else {name: array}
    if config.is_encoder_decoder and arrays:
        arrays["decoder_input_ids"] = make_ids(entries, rng, LENGTH // 2)
    return arrays


def find_entry(config, names, default):
    """Return the first positive integer that a config or its parts have under these names."""
    for name in names:
        queue = [config]
        while queue:
            entries = queue.pop(0)
            value = entries.get(name)
            value = value[0] if isinstance(value, list | tuple) and value else value
            if isinstance(value, int) and value > 0:
                return value
            queue += [part for part in entries.values() if isinstance(part, dict)]
    return default


def normal(rng, *sides):
    return rng.standard_normal(sides).astype(np.float32)


def make_ids(config, rng, length):
    """Return [rows, length]: ids of no special token, which have the lowest and highest."""
    names = ("vocab_size", "n_words", "n_vocab", "decoder_vocab_size")
    vocabulary = find_entry(config, names, 100)
    return rng.integers(5, max(6, vocabulary - 24), (ROWS, length))


def make_tokens(config, rng, layout):
    """Return ids whose last row is padded at the right; the second layout has no mask."""
    ids = make_ids(config, rng, LENGTH)
    if layout == 1:
        return {"input_ids": ids}
    mask = np.ones_like(ids)
    mask[-1, LENGTH - PADDING :] = 0
    pad = config.get("pad_token_id")
    padding = pad if isinstance(pad, int) and pad >= 0 else 0
    return {"input_ids": np.where(mask == 1, ids, padding), "attention_mask": mask}


def make_pixels(config, rng, layout):
    """Return [rows, channels, height, width] or [rows, images, channels, height, width]."""
    side = find_entry(config, ("image_size", "img_size", "input_size"), 64)
    channels = find_entry(config, ("num_channels", "in_channels", "in_chans"), 3)
    side = (side, 64, 32, side)[layout]
    images = [find_entry(config, ("num_frames",), 2)] if layout == 3 else []
    return normal(rng, ROWS, *images, channels, side, side)


def make_video(config, rng, layout):
    """Return [rows, frames, channels, height, width]."""
    return make_pixels(config, rng, 3)


def make_frames(config, rng, layout):
    """Return [rows, bins, frames], [rows, frames, bins] or [rows, 1, frames, bins]."""
    names = ("num_mel_bins", "input_feat_per_channel", "feature_size", "input_dim", "mel_dim")
    bins = find_entry(config, names, 80)
    frames = 2 * find_entry(config, ("max_source_positions",), 32)
    return normal(rng, ROWS, *((bins, frames), (frames, bins), (1, frames, bins))[layout % 3])


def make_samples(config, rng, layout):
    """Return [rows, samples] or [rows, 1, samples]: 0.25 s at 16 kHz."""
    return normal(rng, ROWS, *((4000,), (1, 3840), (1024, 128))[layout % 3])


def make_states(config, rng, layout):
    """Return [rows, length, width]."""
    width = find_entry(config, ("hidden_size", "d_model", "hidden_dim"), 32)
    return normal(rng, ROWS, LENGTH, width)


def make_series(config, rng, layout):
    """Return [rows, time, variables] or [rows, time]."""
    time = find_entry(config, ("context_length", "horizon_length"), 32)
    variables = find_entry(config, ("num_input_channels", "input_size"), 1)
    return normal(rng, ROWS, *((time, variables), (time,), (2 * time,))[layout % 3])


def make_boxes(config, rng, layout):
    """Return [rows, length, 4]: left, top, right, bottom."""
    corners = rng.integers(0, 50, (ROWS, LENGTH, 2, 2))
    return np.sort(corners, axis=-2).reshape(ROWS, LENGTH, 4)


_MAKERS = {
    "input_ids": make_tokens,
    "pixel_values": make_pixels,
    "pixel_values_videos": make_video,
    "input_features": make_frames,
    "spectrogram": make_frames,
    "audio_mel": make_frames,
    "input_values": make_samples,
    "inputs_embeds": make_states,
    "hidden_states": make_states,
    "past_values": make_series,
    "bbox": make_boxes,
}

# mypy: ignore-errors
"""The shapes of models that are made with random weights, and these weights."""

from dataclasses import dataclass, field
from typing import Any

import torch

SEED = 20240501


@dataclass(frozen=True)
class Shape:
    """A class of transformers and its config.

    `noise` is the scale of what is added to each weight. `in_all_formats`: saved as .bin and .h5,
    too, not only as safetensors.
    """

    architecture: str
    config: dict[str, Any] = field(default_factory=dict)
    noise: float = 0.002
    in_all_formats: bool = False


_TINY_TEXT = {
    "vocab_size": 96, "hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2,
    "num_attention_heads": 4, "max_position_embeddings": 96,
}  # fmt: skip
_TINY_IMAGE = {
    "hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
    "image_size": 32, "patch_size": 8,
}  # fmt: skip
_TINY_DECODER = {**_TINY_TEXT, "num_key_value_heads": 2, "head_dim": 16, "pad_token_id": 0}

SHAPES = {
    "resnet": Shape(
        "ResNetForImageClassification",
        {"hidden_sizes": [8, 16, 16, 32], "depths": [1, 1, 1, 1], "embedding_size": 8},
        noise=0.05,
    ),
    "bert-base": Shape("BertForMaskedLM", in_all_formats=True),
    "gpt2-124m": Shape("GPT2LMHeadModel", in_all_formats=True),
    "resnet-50": Shape("ResNetForImageClassification", {"image_size": 224}),
    "llama": Shape(  # Llama 3.2 1B with half of its layers and a smaller vocabulary
        "LlamaForCausalLM",
        {
            "vocab_size": 32000, "hidden_size": 2048, "intermediate_size": 8192,
            "num_hidden_layers": 8, "num_attention_heads": 32, "num_key_value_heads": 8,
            "head_dim": 64, "tie_word_embeddings": True, "pad_token_id": 0,
        },
    ),
    "qwen3": Shape(  # Qwen3 0.6B with half of its layers and a smaller vocabulary
        "Qwen3ForCausalLM",
        {
            "vocab_size": 32000, "hidden_size": 1024, "intermediate_size": 3072,
            "num_hidden_layers": 14, "num_attention_heads": 16, "num_key_value_heads": 8,
            "head_dim": 128, "tie_word_embeddings": True, "pad_token_id": 0,
        },
    ),
    "t5-base": Shape(
        "T5ForConditionalGeneration",
        {
            "d_model": 768, "d_ff": 3072, "num_layers": 12, "num_heads": 12,
            "decoder_start_token_id": 0,
        },
    ),
    "whisper-small": Shape(
        "WhisperForConditionalGeneration",
        {
            "d_model": 768, "encoder_layers": 12, "decoder_layers": 12,
            "encoder_attention_heads": 12, "decoder_attention_heads": 12,
            "encoder_ffn_dim": 3072, "decoder_ffn_dim": 3072,
        },
    ),
    "clip-b32": Shape("CLIPModel"),
    "vit-b16": Shape("ViTForImageClassification"),
    "tiny-bert": Shape("BertForMaskedLM", _TINY_TEXT, noise=0.05),
    "tiny-gpt2": Shape(
        "GPT2LMHeadModel",
        {
            "vocab_size": 96, "n_embd": 48, "n_layer": 2, "n_head": 4, "n_positions": 96,
            "bos_token_id": 1, "eos_token_id": 2,
        },
        noise=0.05,
    ),
    "tiny-llama": Shape("LlamaForCausalLM", _TINY_DECODER, noise=0.05),
    "tiny-qwen3": Shape("Qwen3ForCausalLM", _TINY_DECODER, noise=0.05),
    "tiny-t5": Shape(
        "T5ForConditionalGeneration",
        {
            "vocab_size": 96, "d_model": 48, "d_kv": 12, "d_ff": 96, "num_layers": 2,
            "num_heads": 4, "decoder_start_token_id": 0,
        },
        noise=0.05,
    ),
    "tiny-whisper": Shape(
        "WhisperForConditionalGeneration",
        {
            "vocab_size": 96, "d_model": 48, "encoder_layers": 2, "decoder_layers": 2,
            "encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 96,
            "decoder_ffn_dim": 96, "max_source_positions": 40, "max_target_positions": 64,
            "num_mel_bins": 16, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
            "decoder_start_token_id": 3, "suppress_tokens": None, "begin_suppress_tokens": None,
        },
        noise=0.05,
    ),
    "tiny-clip": Shape(
        "CLIPModel",
        {"text_config": _TINY_TEXT, "vision_config": _TINY_IMAGE, "projection_dim": 32},
        noise=0.05,
    ),
    "tiny-vit": Shape("ViTForImageClassification", _TINY_IMAGE, noise=0.05),
}  # fmt: skip


def randomize(model, scale):
    """Add noise to every weight, also to those that are 0 or 1 at first, so that each is unique."""
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if not tensor.is_floating_point() or name.endswith("inv_freq"):  # computed
                continue
            noise = scale * torch.randn(tensor.shape, generator=generator)
            tensor.add_(noise.abs() if name.endswith("running_var") else noise)
    return model

# mypy: ignore-errors
"""Makes tiny BERT and GPT-2 checkpoints, briefly trained so that generation is not degenerate."""

import random
from pathlib import Path

import numpy as np
import torch
import transformers

SEED, VOCAB, LENGTH, STEPS = 20240501, 96, 96, 120
SHARD = "100KB"
SMALL = {"vocab_size": VOCAB, "initializer_range": 0.2, "pad_token_id": 0}


def corpus():
    """Return a deterministic text: words of 2 to 4 ids, each followed by one of three."""
    rng = random.Random(SEED)  # noqa: S311
    words = [[rng.randrange(4, VOCAB) for _ in range(rng.randrange(2, 5))] for _ in range(40)]
    follows = {index: rng.sample(range(40), 3) for index in range(40)}
    text, word = [], 0
    while len(text) < 20_000:
        text += words[word]
        word = rng.choice(follows[word])
    return np.array(text, dtype=np.int64)


def train(model, masked):
    torch.manual_seed(SEED)
    rng, text = np.random.default_rng(SEED), corpus()
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    model.train()
    for _ in range(STEPS):
        starts = rng.integers(0, len(text) - 32, 16)
        ids = torch.from_numpy(np.stack([text[start : start + 32] for start in starts]))
        given = ids
        if masked:
            # all tokens are to be told, not only the hidden ones: else so small a model learns no
            # more in so short a time than how frequent each token is, whatever it is given
            given = ids.masked_fill(torch.from_numpy(rng.random(ids.shape) < 0.15), 3)
        loss = model(input_ids=given, labels=ids).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model.eval()


def build():
    torch.manual_seed(SEED)
    bert = transformers.BertForMaskedLM(
        transformers.BertConfig(
            **SMALL,
            hidden_size=48,
            num_hidden_layers=3,
            num_attention_heads=4,
            intermediate_size=96,
            max_position_embeddings=LENGTH,
        )
    )
    gpt2 = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            **SMALL,
            n_embd=48,
            n_layer=3,
            n_head=4,
            n_positions=LENGTH,
            bos_token_id=1,
            eos_token_id=2,
        )
    )
    return {"bert": train(bert, masked=True), "gpt2": train(gpt2, masked=False)}


def make(into, formats):
    """Write each model as .bin and safetensors, whole and in shards, and return the folders.

    With `tensorflow` in formats also as .h5, and as safetensors written by TensorFlow.
    """
    folders = []
    for name, model in build().items():
        folder = Path(into) / name
        model.save_pretrained(folder, safe_serialization=True)
        model.save_pretrained(folder, safe_serialization=False)
        sharded = Path(into) / f"{name}-sharded"
        model.save_pretrained(sharded, max_shard_size=SHARD)
        model.save_pretrained(sharded, max_shard_size=SHARD, safe_serialization=False)
        folders += [str(folder), str(sharded)]
        if "tensorflow" in formats:
            tf_class = getattr(transformers, "TF" + type(model).__name__)
            twin = tf_class.from_pretrained(folder, from_pt=True, use_safetensors=False)
            twin.save_pretrained(folder, safe_serialization=False)
            twin.save_pretrained(sharded, max_shard_size=SHARD, safe_serialization=False)
            other = Path(into) / f"{name}-tf-safetensors"
            twin.save_pretrained(other, safe_serialization=True)
            folders.append(str(other))
    return folders

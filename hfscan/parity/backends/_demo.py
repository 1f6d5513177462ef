# mypy: ignore-errors
"""Make demo checkpoints: a BERT and GPT-2, briefly trained to generate varied text, or random."""

import random
from pathlib import Path

import _vision_pytorch
import numpy as np
import torch
import transformers

SEED, VOCAB, LENGTH, STEPS = 20240501, 96, 96, 120
SHARD = "100KB"
RANDOM = {  # folder -> class, entries of its config, scale of the noise
    "resnet": (
        "ResNetForImageClassification",
        {"hidden_sizes": [8, 16, 16, 32], "depths": [1, 1, 1, 1], "embedding_size": 8},
        0.05,
    ),
    "bert-base": ("BertForMaskedLM", {}, 0.002),
    "gpt2-124m": ("GPT2LMHeadModel", {}, 0.002),
    "resnet-50": ("ResNetForImageClassification", {"image_size": 224}, 0.002),
    **{name.lower(): (name, {}, 0.002) for name in _vision_pytorch.MODELS},
}
SMALL = {"vocab_size": VOCAB, "initializer_range": 0.2, "pad_token_id": 0}
BERT = {
    "hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 96,
    "max_position_embeddings": LENGTH,
}  # fmt: skip
GPT2 = {
    "n_embd": 48, "n_layer": 3, "n_head": 4, "n_positions": LENGTH,
    "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip


def corpus():
    """Return a deterministic text: words of 2 to 4 ids, each followed by one of three words."""
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
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    model.train()
    for _ in range(STEPS):
        starts = rng.integers(0, len(text) - 32, 16)
        ids = torch.from_numpy(np.stack([text[start : start + 32] for start in starts]))
        given = ids
        if masked:
            # predict all tokens, not only the masked ones: otherwise so small a model only learns
            # the frequency of each token in so short a time
            given = ids.masked_fill(torch.from_numpy(rng.random(ids.shape) < 0.15), 3)
        loss = model(input_ids=given, labels=ids).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


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


def make(into, name, with_tensorflow, **changes):
    """Make the checkpoint `name` of `RANDOM`, or the tiny trained ones, as folders of `into`.

    `changes`: entries of the random one's config.
    """
    if name in RANDOM:
        architecture, config, scale = RANDOM[name]
        save_random(Path(into) / name, architecture, config | changes, scale, with_tensorflow)
    else:
        save_trained(Path(into), with_tensorflow)


def save_random(folder, architecture, config, scale, with_tensorflow):
    """Save a random model as safetensors; language models also as .bin and .h5."""
    cls = _vision_pytorch.MODELS.get(architecture) or getattr(transformers, architecture)
    torch.manual_seed(SEED)
    model = randomize(cls(cls.config_class(**config)).eval(), scale)
    model.save_pretrained(folder, safe_serialization=True)
    if cls.main_input_name == "pixel_values":
        return
    model.save_pretrained(folder, safe_serialization=False)
    if with_tensorflow:
        load_in_tensorflow(model, folder).save_pretrained(folder, safe_serialization=False)


def load_in_tensorflow(model, folder):
    tf_class = getattr(transformers, "TF" + type(model).__name__)
    return tf_class.from_pretrained(folder, from_pt=True, use_safetensors=False)


def save_trained(into, with_tensorflow):
    """Save a BERT and a GPT-2 as .bin and safetensors, in one file and in shards.

    `with_tensorflow`: also as .h5, and as safetensors written by TensorFlow.
    """
    torch.manual_seed(SEED)
    bert = transformers.BertForMaskedLM(transformers.BertConfig(**SMALL, **BERT))
    gpt2 = transformers.GPT2LMHeadModel(transformers.GPT2Config(**SMALL, **GPT2))
    models = {"bert": train(bert, masked=True), "gpt2": train(gpt2, masked=False)}
    for name, model in models.items():
        folder, sharded = into / name, into / f"{name}-sharded"
        model.save_pretrained(folder, safe_serialization=True)
        model.save_pretrained(folder, safe_serialization=False)
        model.save_pretrained(sharded, max_shard_size=SHARD)
        model.save_pretrained(sharded, max_shard_size=SHARD, safe_serialization=False)
        if with_tensorflow:
            twin = load_in_tensorflow(model, folder)
            twin.save_pretrained(folder, safe_serialization=False)
            twin.save_pretrained(sharded, max_shard_size=SHARD, safe_serialization=False)
            twin.save_pretrained(into / f"{name}-tf-safetensors", safe_serialization=True)

# mypy: ignore-errors
"""Make demo checkpoints: a BERT and GPT-2, briefly trained to generate varied text, or random."""

import random
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import _vision_pytorch
import numpy as np
import torch
import transformers
from _shapes import SEED, SHAPES, Shape, randomize
from huggingface_hub import save_torch_model

VOCAB, LENGTH, STEPS = 96, 96, 120
SHARD = "100KB"
RANDOM = SHAPES | {name.lower(): Shape(name) for name in _vision_pytorch.MODELS}
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


def make(into, name, **changes):
    """Make the checkpoint `name` of `RANDOM`, or the tiny trained ones, as folders of `into`.

    `changes`: entries of the random one's config.
    """
    if name in RANDOM:
        shape = replace(RANDOM[name], config={**RANDOM[name].config, **changes})
        save_random(Path(into) / name, shape)
    else:
        save_trained(Path(into))


def save_random(folder, shape):
    """Save a random model as safetensors; where its shape says so, also as .bin."""
    architecture = shape.architecture
    cls = _vision_pytorch.MODELS.get(architecture) or getattr(transformers, architecture)
    torch.manual_seed(SEED)
    model = randomize(cls(cls.config_class(**shape.config)).eval(), shape.noise)
    model.save_pretrained(folder)
    if shape.in_all_formats:
        save_bin(model, folder)


def save_bin(model, folder, size="50GB"):
    """Save a model as .bin, which transformers 5 no longer does."""
    pattern = "pytorch_model{suffix}.bin"
    save_torch_model(
        model, folder, filename_pattern=pattern, max_shard_size=size, safe_serialization=False
    )


def save_trained(into):
    """Save a BERT and a GPT-2 as .bin and safetensors, in one file and in shards."""
    torch.manual_seed(SEED)
    bert = transformers.BertForMaskedLM(transformers.BertConfig(**SMALL, **BERT))
    gpt2 = transformers.GPT2LMHeadModel(transformers.GPT2Config(**SMALL, **GPT2))
    models = {"bert": train(bert, masked=True), "gpt2": train(gpt2, masked=False)}
    for name, model in models.items():
        folder, sharded = into / name, into / f"{name}-sharded"
        model.save_pretrained(folder)
        save_bin(model, folder)
        model.save_pretrained(sharded, max_shard_size=SHARD)
        save_bin(model, sharded, SHARD)


def convert(into, name):
    """Save what `make` made as TensorFlow does, too: as .h5, the trained ones also as safetensors.

    Runs in the backend of TensorFlow, which may have another release of transformers.
    """
    into = Path(into)
    if name not in RANDOM:
        for folder in (into / "bert", into / "gpt2"):
            model = load_in_tensorflow(folder)
            save_h5(model, folder)
            save_h5(model, Path(f"{folder}-sharded"), SHARD)
            model.save_pretrained(f"{folder}-tf-safetensors", safe_serialization=True)
    elif RANDOM[name].in_all_formats:
        save_h5(load_in_tensorflow(into / name), into / name)


def load_in_tensorflow(folder):
    (architecture,) = transformers.AutoConfig.from_pretrained(folder).architectures
    cls = getattr(transformers, "TF" + architecture)
    return cls.from_pretrained(folder, from_pt=True, use_safetensors=False)


def save_h5(model, folder, size="50GB"):
    """Save a TensorFlow model as .h5, without its configs: those of PyTorch's class stay."""
    with tempfile.TemporaryDirectory() as own:
        model.save_pretrained(own, max_shard_size=size, safe_serialization=False)
        for path in Path(own).glob("tf_model*"):
            shutil.move(path, folder)

# mypy: ignore-errors
"""Turns texts into token ids with a checkpoint's own tokenizer."""

import transformers


def tokenize(folder, texts, length):
    """Return a list of ids for each text, cut to `length`, in `ids`."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(
        folder, local_files_only=True, trust_remote_code=False
    )
    ids = tokenizer(texts, truncation=True, max_length=length)["input_ids"]
    return {"ids": [list(map(int, row)) for row in ids]}

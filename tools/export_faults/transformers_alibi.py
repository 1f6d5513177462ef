# mypy: ignore-errors
"""Show that Falcon's eager attention adds ALiBi twice: docs/export-disagreements.md.

Needs transformers 5.24.0 and torch only. Prints the relative L2 of logits to those with SDPA, the
default attention.
"""

import torch
import transformers
from transformers.models.falcon import modeling_falcon

build_alibi_tensor = modeling_falcon.build_alibi_tensor


def compute_logits(attention, factor=1.0):
    """Return the logits of a tiny Falcon whose ALiBi is multiplied by a factor."""
    modeling_falcon.build_alibi_tensor = lambda *args, **kwargs: (
        factor * build_alibi_tensor(*args, **kwargs)
    )
    torch.manual_seed(1)
    config = transformers.FalconConfig(
        vocab_size=96, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, alibi=True,
        initializer_range=0.2, attn_implementation=attention,
    )  # fmt: skip
    with torch.inference_mode():
        return transformers.FalconForCausalLM(config).eval()(torch.arange(12)[None]).logits


def main():
    sdpa = compute_logits("sdpa")
    for text, factor in (("eager", 1.0), ("eager, half of ALiBi", 0.5)):
        difference = compute_logits("eager", factor) - sdpa
        print(f"{text}: {difference.norm() / sdpa.norm():.1e}")


if __name__ == "__main__":
    main()

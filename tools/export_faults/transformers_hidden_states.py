# mypy: ignore-errors
"""Show that an export by transformers 5.24.0 drops hidden states: docs/export-disagreements.md.

Needs transformers and torch only. The exporters write output_hidden_states into the model's config,
but a model with a text model inside reads it from the text model's.
"""

import torch
from transformers import LlamaConfig, LlamaForCausalLM, LlavaConfig, LlavaForConditionalGeneration
from transformers.exporters import DynamoConfig, DynamoExporter

SMALL = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
}  # fmt: skip


def main():
    text = {**SMALL, "vocab_size": 128}
    vision = {**SMALL, "model_type": "clip_vision_model", "image_size": 32, "patch_size": 8}
    composite = LlavaConfig(
        text_config={**text, "model_type": "llama"}, vision_config=vision, image_token_index=127
    )
    given = {"input_ids": torch.arange(12).reshape(1, 12)}
    flags = {"output_hidden_states": True, "return_dict": True, "use_cache": False}
    for model in (
        LlamaForCausalLM(LlamaConfig(**text)),
        LlavaForConditionalGeneration(composite),
    ):
        eager = model.eval()(**given, **flags)
        exported = DynamoExporter().export(model, given | flags, DynamoConfig())(**given)
        for name, output in (("eager", eager), ("exported", exported)):
            states = output.get("hidden_states")
            print(
                f"{type(model).__name__}, {name}: {len(states) if states else 'no'} hidden states"
            )


if __name__ == "__main__":
    main()

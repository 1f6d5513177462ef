"""Print hfscan/frameworks/architectures.toml, from the installed transformers.

Use a release 4.x, the last with TensorFlow and Flax classes. Reads the sources of
transformers.models.auto, so that no framework is needed.
"""

import ast
import textwrap
from importlib.metadata import distribution, version
from pathlib import Path

AUTO = {"tensorflow": ("modeling_tf_auto.py", "TF"), "jax": ("modeling_flax_auto.py", "Flax")}


TASKS = {
    "": ("feature-extraction", "sentence-similarity"),
    "FOR_AUDIO_CLASSIFICATION": ("audio-classification",),
    "FOR_CAUSAL_LM": ("text-generation",),
    "FOR_IMAGE_CLASSIFICATION": ("image-classification",),
    "FOR_MASKED_LM": ("fill-mask",),
    "FOR_MASK_GENERATION": ("mask-generation",),
    "FOR_MULTIPLE_CHOICE": ("multiple-choice",),
    "FOR_QUESTION_ANSWERING": ("question-answering",),
    "FOR_SEMANTIC_SEGMENTATION": ("image-segmentation",),
    "FOR_SEQUENCE_CLASSIFICATION": ("text-classification", "zero-shot-classification"),
    "FOR_SEQ_TO_SEQ_CAUSAL_LM": ("text2text-generation", "summarization", "translation"),
    "FOR_SPEECH_SEQ_2_SEQ": ("automatic-speech-recognition",),
    "FOR_TABLE_QUESTION_ANSWERING": ("table-question-answering",),
    "FOR_TOKEN_CLASSIFICATION": ("token-classification",),
    "FOR_VISION_2_SEQ": ("image-to-text",),
    "FOR_ZERO_SHOT_IMAGE_CLASSIFICATION": ("zero-shot-image-classification",),
}
"""Table of classes -> the tasks that the Hub gives models of them: hub-docs, "Tasks"."""


def read_tables(file: Path) -> dict[str, dict[str, set[str]]]:
    """Return table -> model type -> names of the classes that it gives for the type."""
    tables: dict[str, dict[str, set[str]]] = {}
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
            continue
        (target,) = node.targets
        if isinstance(target, ast.Name) and target.id.endswith("_MAPPING_NAMES"):
            for model_type, classes in ast.literal_eval(node.value.args[0]):
                names = (classes,) if isinstance(classes, str) else classes
                table = tables.setdefault(target.id, {})
                table.setdefault(model_type, set()).update(filter(None, names))
    return tables


def print_list(key: str, values: set[str]) -> None:
    quoted = ", ".join(f'"{value}"' for value in sorted(values))
    wrap = textwrap.TextWrapper(
        98, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
    )
    print(f"{key} = [\n{wrap.fill(f'{quoted},')}\n]")


def main() -> None:
    """Print the tables."""
    folder = Path(str(distribution("transformers").locate_file("transformers/models/auto")))
    print("# Transformers architectures with classes for other frameworks than PyTorch; made by")
    print("# tools/architectures.py. classes: the PyTorch names of those that have such a class.")
    print("# heads: the model types that have a class for a task of the Hub.")
    print(f'transformers = "{version("transformers")}"')
    for framework, (name, prefix) in AUTO.items():
        tables = read_tables(folder / name)
        by_type = [item for table in tables.values() for item in table.items()]
        print(f"\n[{framework}]")
        print_list("model_types", {model_type for model_type, _ in by_type})
        print_list("classes", {name.removeprefix(prefix) for _, names in by_type for name in names})
        for table, tasks in TASKS.items():
            parts = filter(None, (prefix.upper(), "MODEL", table, "MAPPING_NAMES"))
            if types := tables.get("_".join(parts)):
                print(f"\n[[{framework}.heads]]")
                print(f"tasks = {list(tasks)}".replace("'", '"'))
                print_list("model_types", set(types))


if __name__ == "__main__":
    main()

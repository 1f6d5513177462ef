"""Print hfscan/frameworks/architectures.toml, from the installed transformers.

Use a release 4.x, the last with TensorFlow and Flax classes. Reads the sources of
transformers.models.auto, so that no framework is needed.
"""

import ast
import textwrap
from importlib.metadata import distribution, version
from pathlib import Path

AUTO = {"tensorflow": ("modeling_tf_auto.py", "TF"), "jax": ("modeling_flax_auto.py", "Flax")}


def mappings(file: Path) -> dict[str, set[str]]:
    """Return model type -> names of the classes that the file's tables give for it."""
    names_by_type: dict[str, set[str]] = {}
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
            continue
        (target,) = node.targets
        if isinstance(target, ast.Name) and target.id.endswith("_MAPPING_NAMES"):
            for model_type, classes in ast.literal_eval(node.value.args[0]):
                names = (classes,) if isinstance(classes, str) else classes
                names_by_type.setdefault(model_type, set()).update(filter(None, names))
    return names_by_type


def main() -> None:
    """Print the tables."""
    folder = Path(str(distribution("transformers").locate_file("transformers/models/auto")))
    print("# Transformers architectures with classes for other frameworks than PyTorch; made by")
    print("# tools/architectures.py. classes: the PyTorch names of those that have such a class.")
    print(f'transformers = "{version("transformers")}"')
    for framework, (name, prefix) in AUTO.items():
        table = mappings(folder / name)
        classes = {name.removeprefix(prefix) for names in table.values() for name in names}
        for key, values in (("model_types", set(table)), ("classes", classes)):
            heading = f"\n[{framework}]\n" if key == "model_types" else ""
            print(f"{heading}{key} = [")
            quoted = ", ".join(f'"{value}"' for value in sorted(values))
            wrap = textwrap.TextWrapper(
                98, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
            )
            print(wrap.fill(f"{quoted},"))
            print("]")


if __name__ == "__main__":
    main()

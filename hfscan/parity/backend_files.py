"""Find the files of the backends, and what each gets as its environment."""

from collections.abc import Collection
from pathlib import Path

BACKENDS = Path(__file__).with_name("backends")
ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_USE_LEGACY_KERAS": "1",  # transformers' TensorFlow classes are Keras 2
    "TF_ENABLE_ONEDNN_OPTS": "1",
    # allocate GPU memory on demand, so that several backends fit
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    "HF_HUB_OFFLINE": "1",  # a backend opens local files only
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONIOENCODING": "utf-8",
}
"""Variables of a backend's process."""
_SWITCHES = {"USE_TORCH": "pytorch", "USE_TF": "tensorflow", "USE_FLAX": "flax"}


def enable_frameworks(backends: Collection[str]) -> dict[str, str]:
    """Return the variables that keep transformers from importing frameworks of other backends."""
    # AUTO: setting one framework to 1 would disable the others
    return {key: "AUTO" if name in backends else "0" for key, name in _SWITCHES.items()}


def backend_names() -> list[str]:
    """Return the names of all backends: one file each."""
    files = BACKENDS.glob("*_backend.py")
    return sorted(path.stem.removesuffix("_backend").replace("_", "-") for path in files)


def backend_file(backend: str) -> Path:
    """Return the path of a backend's file."""
    return BACKENDS / f"{backend.replace('-', '_')}_backend.py"

"""hfscan measures which deep-learning frameworks the models on the Hugging Face Hub serve."""

from hfscan.frameworks import Classification, classify

__version__ = "0.1.0"
__all__ = ["Classification", "__version__", "classify"]

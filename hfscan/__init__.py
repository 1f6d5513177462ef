"""hfscan measures which deep-learning frameworks the models on the Hugging Face Hub serve."""

__version__ = "0.1.0"
__all__ = ["__version__"]

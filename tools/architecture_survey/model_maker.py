"""Make random models in a subprocess, which imports the frameworks once."""

import importlib
import multiprocessing
import os
from multiprocessing.pool import Pool
from typing import Any, Self

_ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_USE_LEGACY_KERAS": "1",  # transformers' TensorFlow classes are Keras 2
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}


def _call(function: str, arguments: dict[str, Any]) -> Any:
    os.environ.update(_ENVIRONMENT)  # before the first import of a framework
    return getattr(importlib.import_module("random_models"), function)(**arguments)


class ModelMaker:
    """Calls functions of `random_models`; a context manager that ends its subprocess."""

    def __init__(self, timeout: float = 600) -> None:
        self.timeout = timeout
        self._pool: Pool | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.terminate()
            self._pool = None

    def call(self, function: str, **arguments: Any) -> Any:
        """Return what the function returns. Raises its exception, or TimeoutError."""
        if self._pool is None:
            self._pool = multiprocessing.get_context("spawn").Pool(1)
        try:
            return self._pool.apply_async(_call, (function, arguments)).get(self.timeout)
        except multiprocessing.TimeoutError as error:
            self.__exit__()
            raise TimeoutError(f"{function} did not end within {self.timeout:g} s") from error

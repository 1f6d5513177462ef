"""What a model returned."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Run:
    """The outputs of a model that was opened and run once."""

    outputs: dict[str, np.ndarray]
    dtypes: dict[str, str]  # of the outputs, as the framework names them
    hidden: dict[str, list[np.ndarray]]
    seconds: float  # of the call
    device: str  # "cpu" or "cuda"
    generated: dict[str, Any] | None = None
    generation_error: str | None = None
    tf32: dict[str, np.ndarray] | None = None  # outputs of a second call with TF32 enabled
    variants: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)  # outputs of others
    replaced_activations: Sequence[str] = ()
    notes: Sequence[str] = ()  # the backend's own
    conditions: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)  # outputs
    greedy_mismatch: int | None = None  # first token that a single pass does not rank highest
    uncached_tokens: Sequence[int] | None = None  # generated without a cache, if there is one

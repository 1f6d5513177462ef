"""Compare greedily generated tokens."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hfscan.parity.compare import Difference
from hfscan.parity.outputs import Run
from hfscan.parity.result import Result


def rounding_of_logits(rows: Sequence[Difference], base: Run, limit: float) -> float:
    """Return how far rounding may move a logit: as far as seen, within the tolerance."""
    logits = base.outputs.get("logits")
    if logits is None or not logits.size:
        return 0.0
    seen = max(
        (row.max_abs for row in rows if (row.name, row.region) == ("logits", "real")), default=0
    )
    return min(seen, limit * float(np.abs(logits.astype(np.float64)).max()))


def compare_tokens(run: Run, base: Run, result: Result, rounding: float) -> str | None:
    """Return where generated tokens differ, unless two tokens tie there within rounding."""
    if run.generation_error or base.generation_error:
        if run.generation_error and base.generation_error:
            result.notes.append(f"it does not generate: {run.generation_error}")
            return None
        if run.generation_error:
            return f"it does not generate: {run.generation_error}"
        return f"it generates, but the baseline does not: {base.generation_error}"
    if run.generated is None or base.generated is None:
        return None
    ours, theirs = run.generated["tokens"], base.generated["tokens"]
    result.generated_equal = ours == theirs
    if ours == theirs:
        result.generation = {"tokens": len(ours), "distinct": len(set(ours))}
        return None
    position = next(
        (i for i, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]),
        min(len(ours), len(theirs)),
    )
    top2 = base.generated["top2"]
    first, second = top2[position] if position < len(top2) else (None, None)
    margin = None if first is None or second is None else first - second
    result.generation = {"tokens": len(ours), "first_difference": position, "margin": margin}
    if margin is not None and margin <= 2 * rounding:  # each of the two may move
        result.notes.append(
            f"tokens differ from position {position} on, where two tokens tie within rounding"
        )
        return None
    return f"generated tokens differ from position {position} on (margin {margin})"


def find_greedy_mismatch(
    generated: Mapping[str, Any], logits: np.ndarray, limit: float
) -> int | None:
    """Return the first position where a pass over the text ranks another token highest.

    `generated`: the backend's reply. `logits`: [1, length, vocabulary] of prompt and tokens
    together, computed without a cache.
    """
    tokens = generated["tokens"]
    scores = logits[0, -len(tokens) - 1 : -1].astype(np.float64)
    if len(scores) != len(tokens) or not np.isfinite(scores).all():
        return None
    rounding = 2 * limit * float(np.abs(scores).max())  # each of the two may move
    for end in generated["ends"]:
        if 0 <= end < scores.shape[1]:
            scores[:, end] = -np.inf  # suppressed by the backends
    for position, (row, token) in enumerate(zip(scores, tokens, strict=True)):
        if not 0 <= token < len(row) or row.max() - row[token] > rounding:
            return position
    return None


def compare_with_uncached(run: Run) -> str | None:
    """Return where a cache changes the generated tokens."""
    if run.generated is None or run.uncached_tokens is None:
        return None
    pairs = enumerate(zip(run.generated["tokens"], run.uncached_tokens, strict=False))
    position = next((i for i, (cached, uncached) in pairs if cached != uncached), None)
    return None if position is None else f"its cache changes the tokens from position {position} on"

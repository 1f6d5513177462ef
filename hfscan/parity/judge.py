"""Holds one run to another, and fills in what the result says of it."""

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hfscan.parity import cause, compare, diagnose
from hfscan.parity.inputs import Inputs
from hfscan.parity.plan import Case
from hfscan.parity.runs import Run
from hfscan.parity.tables import Files
from hfscan.parity.tolerance import tolerance
from hfscan.parity.verdict import AGREE, Result, off_side, outputs_fault, unexplained
from hfscan.parity.worker import BackendError

_BASELINE_FLOOR = 1e-7
"""Relative L2 below which a layer never counts as divergent: float32's unit roundoff is 6e-8."""


@dataclass
class Judge:
    """What the runs of one checkpoint are held to: the first good one, and float64.

    `others` runs the baseline's weights with one activation after the other.
    """

    files: Files
    inputs: Inputs
    baseline: tuple[Case, Run]
    reference: Run | None
    others: Callable[[], Iterator[tuple[str, Run]]]
    base_error: float | None = None  # the baseline's own, once it is known

    def judge(self, case: Case, run: Run, result: Result) -> None:
        """Give `result` its verdict, with the numbers it rests on."""
        base_case, base = self.baseline
        held_to = self.reference if base_case is case and self.reference else base
        rows = self._rows(run, held_to)
        limit = tolerance(result.dtype, result.device, str(case.weights.config.get("model_type")))
        result.outputs = [_row(row, run.dtypes[row.name], limit.rel_l2) for row in rows]
        if run.tf32 is not None:
            effect = self._rows(replace(run, outputs=run.tf32), run)
            result.tf32_rel_l2 = max(
                (row.rel_l2 for row in effect if row.region == "real"), default=0.0
            )
        if _are_alike(run, held_to, "logits"):
            result.top1_agreement, result.top5_agreement = compare.top_agreement(
                run.outputs["logits"], held_to.outputs["logits"], self.inputs.mask_of("logits")
            )
        self._own_errors(case, run, result)
        fault = outputs_fault(rows, limit) or _dtype_fault(run, base)
        missing = sorted(set(held_to.outputs) ^ set(run.outputs))
        if missing and fault is None:
            result.notes.append(f"only one side returns {', '.join(missing)}")
        tokens = _tokens(run, base, result, rows)
        weights = self._weights(case)
        if fault or not weights.same:
            result.first_divergent_layer = self._layer(run, base)
        if not weights.same:
            reason = diagnose.weights(self.files, case.weights, base_case.weights, weights)
            result.verdict, result.reason = "weights differ", reason
        elif fault:
            result.verdict, result.reason = fault
            if result.verdict == "outputs differ":
                result.notes += self._cause(case, run, limit.rel_l2)
        elif tokens:
            result.verdict, result.reason = "tokens differ", tokens
            result.notes += [
                f"{backend} does not generate what its own forward pass rates highest"
                for backend, side in ((case.backend, run), (base_case.backend, base))
                if self._strays(side, case.weights.config)
            ]
        else:
            worst = max((row.rel_l2 for row in rows if row.region == "real"), default=0.0)
            against = "the float64 reference" if held_to is self.reference else base_case.backend
            if held_to is base and base.device != result.device:
                against += f" on {base.device}"
            result.verdict = AGREE
            share = f"relative L2 {worst:.1e}, {worst / limit.rel_l2:.2g} of the tolerance,"
            result.reason = (
                f"{share if worst else 'equal'} to {against} on {base_case.weights.name}"
            )

    def _weights(self, case: Case) -> compare.WeightsDifference:
        base = self.baseline[0].weights
        found = self.files.compare(case.weights.name, base.name)
        return replace(
            found,
            only_ours=unexplained(found.only_ours, base.config),
            only_theirs=unexplained(found.only_theirs, base.config),
        )

    def _cause(self, case: Case, run: Run, limit: float) -> list[str]:
        found = None
        rows = self._rows(run, self.reference) if self.reference else []
        if any(row.region == "real" and not row.rel_l2 <= limit for row in rows):
            with contextlib.suppress(BackendError):
                found = cause.activation(run, self.others(), self.inputs, limit)
        told = cause.sentence(case, self.baseline[0], found)
        return [told] if told else []

    def _own_errors(self, case: Case, run: Run, result: Result) -> None:
        if self.reference is None:
            return
        base_case, base = self.baseline
        ours = self._error(run, self.reference)
        if self.base_error is None:
            self.base_error = ours if case is base_case else self._error(base, self.reference)
        off = None
        if case is not base_case:
            off = off_side(ours, self.base_error, case.backend, base_case.backend)
        result.reference = {
            "backend_error": ours,
            "baseline_error": self.base_error,
            "off_side": off,
        }

    def _rows(self, run: Run, other: Run) -> list[compare.Difference]:
        return [
            row
            for name, array in run.outputs.items()
            if name in other.outputs
            for row in compare.by_region(
                name, array, other.outputs[name], self.inputs.mask_of(name)
            )
        ]

    def _error(self, run: Run, reference: Run) -> float:
        """Return the worst relative L2 over real positions."""
        rows = [
            compare.on_real(name, run.outputs[name], array, self.inputs.mask_of(name))
            for name, array in reference.outputs.items()
            if name in run.outputs
        ]
        return max((row.rel_l2 for row in rows), default=math.nan)

    def _strays(self, run: Run, config: Mapping[str, Any]) -> bool:
        """Return whether the first generated token is not the forward pass's own choice."""
        prompt, decoder = self.inputs.prompt, self.inputs.decoder_mask
        if prompt is None or decoder is not None or not run.generated:
            return False
        logits, at = run.outputs.get("logits"), prompt["input_ids"].shape[1] - 1
        if logits is None or logits.ndim != 3 or logits.shape[1] <= at:
            return False
        scores = logits[0, at].astype(np.float64)
        ends = config.get("eos_token_id")
        for end in ends if isinstance(ends, list) else [ends]:
            if isinstance(end, int) and 0 <= end < len(scores):
                scores[end] = -np.inf  # the backends suppress it
        return bool(run.generated["tokens"][:1] != [int(scores.argmax())])

    def _layer(self, run: Run, base: Run) -> int | str | None:
        for name, states in base.hidden.items():
            reference = self.reference.hidden.get(name) if self.reference else None
            if reference is None or len(reference) != len(states):
                reference = states
            mask = self.inputs.mask_of(name)
            own = [
                compare.on_real(name, a, b, mask).rel_l2
                for a, b in zip(states, reference, strict=True)
            ]
            limits = [max(_BASELINE_FLOOR, 10 * error) for error in own]
            at = compare.first_divergent_layer(run.hidden.get(name, []), states, mask, limits)
            if at is not None:
                side = name.split("_")[0] + " " if name != "hidden_states" else ""
                return f"{side}embeddings" if at == 0 else f"{side}{at - 1}" if side else at - 1
        return None


def _are_alike(run: Run, other: Run, name: str) -> bool:
    """Return whether both give this output, by position and in one shape."""
    ours, theirs = run.outputs.get(name), other.outputs.get(name)
    return ours is not None and theirs is not None and ours.ndim > 1 and ours.shape == theirs.shape


def _dtype_fault(run: Run, base: Run) -> tuple[str, str] | None:
    for name, dtype in run.dtypes.items():
        other = base.dtypes.get(name, dtype)
        if dtype != other and {dtype, other} != {"int32", "int64"}:  # TensorFlow's and PyTorch's
            return "outputs differ", f"{name} is {dtype}, not {other}"
    return None


def _tokens(run: Run, base: Run, result: Result, rows: Sequence[compare.Difference]) -> str | None:
    """Say where the generated tokens part, unless two tokens tie there within rounding."""
    if run.mute or base.mute:
        if run.mute and base.mute:
            result.notes.append("neither side generates")
            return None
        return f"only one side generates: {run.mute or base.mute}"
    if run.generated is None or base.generated is None:
        return None
    ours, theirs = run.generated["tokens"], base.generated["tokens"]
    result.generated_equal = ours == theirs
    if ours == theirs:
        result.generation = {"tokens": len(ours), "distinct": len(set(ours))}
        return None
    at = next(
        (i for i, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]),
        min(len(ours), len(theirs)),
    )
    top2 = base.generated["top2"]
    first, second = top2[at] if at < len(top2) else (None, None)
    margin = None if first is None or second is None else first - second
    result.generation = {"tokens": len(ours), "parts_at": at, "margin": margin}
    noise = 2 * max((row.max_abs for row in rows if row.name == "logits"), default=0.0)
    if margin is not None and margin <= noise:
        result.notes.append(f"tokens part at {at}, where two tokens tie within rounding")
        return None
    return f"generated tokens part at position {at} (margin {margin})"


def _row(row: compare.Difference, dtype: str, limit: float) -> dict[str, Any]:
    return {
        "name": row.name,
        "region": row.region,
        "max_abs": row.max_abs,
        "rel_l2": row.rel_l2,
        "cosine": row.cosine,
        "finite": row.finite,
        "dtype": dtype,
        "tolerance": limit if row.region == "real" else None,
        "of_tolerance": row.rel_l2 / limit if row.region == "real" else None,
    }

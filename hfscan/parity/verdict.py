"""Compare a run with the baseline and decide the verdict."""

import contextlib
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from hfscan.parity import compare, weights
from hfscan.parity.cases import Case
from hfscan.parity.compare import Difference
from hfscan.parity.generation import (
    compare_tokens,
    compare_with_uncached,
    rounding_of_logits,
)
from hfscan.parity.inputs import ALONE, PADDED_LEFT, Inputs
from hfscan.parity.loading import remove_ignored
from hfscan.parity.outputs import Run
from hfscan.parity.replies import BackendError
from hfscan.parity.result import Result, Verdict
from hfscan.parity.tables import find_tolerance

SUSPECT_FACTOR = 10.0
"""A backend is suspect if its own error is this many times the other's: both follow the same
rounding, whose size varies by a factor of about two between kernels (6.7e-7 to 1.2e-6)."""
IGNORED_CONFIG_KEYS = {
    "_name_or_path", "architectures", "torch_dtype", "dtype", "transformers_version",
}  # fmt: skip
"""Config entries that do not change outputs: where it came from and how it was saved."""
_MIN_LAYER_ERROR = 1e-7
"""Relative L2 below which a layer never counts as divergent: float32's unit roundoff is 6e-8."""
_ACTIVATION_KEY = re.compile(r"^afn$|(^|_)act(ivation)?(_function)?$")
"""Keys of the activation in configs: hidden_act, activation_function, ff_activation, afn."""

Fault = tuple[Verdict, str]


@dataclass
class Evaluator:
    """Compares the runs of one checkpoint with its baseline and with a float64 reference."""

    tables: weights.WeightTables
    inputs: Inputs
    baseline: tuple[Case, Run]
    reference: Run | None
    variant_runs: Callable[[], Iterator[tuple[str, Run]]]  # see `ModelRunner.run_variants`
    baseline_error: float | None = None  # to the reference, once computed
    baseline_failed: bool = False  # then the reference takes its place

    def evaluate(self, case: Case, run: Run, result: Result) -> None:
        """Set the verdict of `result` and the numbers behind it."""
        base_case, base = self.baseline
        is_baseline = base_case is case
        expected = base
        if self.reference and (is_baseline or self.baseline_failed):
            expected = self.reference
        rows = self._differences(run, expected)
        model_type = str(case.weights.config.get("model_type"))
        limit = find_tolerance(result.dtype, result.device, model_type)
        result.outputs = [_output_row(row, run.dtypes.get(row.name), limit) for row in rows]
        self._measure(case, run, expected, result)
        result.notes += self._describe_variants(run, limit)
        fault = (
            _find_output_fault(rows, limit)
            or _find_dtype_fault(run, base)
            or self._compare_conditions(run, expected, result, limit)
        )
        unpaired = sorted(set(expected.outputs) ^ set(run.outputs))
        if unpaired and fault is None:
            result.notes.append(f"only one side returns {', '.join(unpaired)}")
        self.baseline_failed |= is_baseline and fault is not None
        tokens_fault = None
        if not self.baseline_failed:
            rounding = rounding_of_logits(rows, base, limit)
            tokens_fault = compare_tokens(run, base, result, rounding)
        tokens_fault = compare_with_uncached(run) or tokens_fault
        difference = self._compare_weights(case)
        if fault or not difference.is_empty:
            floor = _MIN_LAYER_ERROR if expected is base else limit
            result.first_divergent_layer = self._first_divergent_layer(run, expected, floor)
        if not difference.is_empty:
            reason = weights.describe_difference(
                self.tables, case.weights, base_case.weights, difference
            )
            result.set_verdict(Verdict.WEIGHTS_DIFFER, reason)
            if result.reference:
                result.reference["suspect_backend"] = None  # the files differ, not the backends
        elif fault:
            result.set_verdict(*fault)
            if result.verdict == Verdict.OUTPUTS_DIFFER:
                result.notes += self._describe_cause(case, run, limit)
        elif tokens_fault:
            result.set_verdict(Verdict.TOKENS_DIFFER, tokens_fault)
            result.notes += [
                f"{side_case.backend} does not generate the token that its own forward pass ranks "
                f"highest"
                for side_case, side in ((case, run), self.baseline)
                if side.greedy_mismatch is not None
            ]
        elif self.reference is None and case.backend == base_case.backend:
            result.set_verdict(
                Verdict.BASELINE,
                f"only compared with {case.backend} itself: a float64 run needs pytorch as well",
            )
        else:
            target = "the float64 reference" if expected is self.reference else base_case.backend
            if expected is base and base.device != result.device:
                target += f" on {base.device}"
            target += f" ({base_case.weights.name})"
            error = _max_error(rows)
            agreement = f"relative L2 {error:.1e} to {target}, {error / limit:.2g} of the tolerance"
            result.set_verdict(Verdict.AGREE, agreement if error else f"identical to {target}")

    def _measure(self, case: Case, run: Run, expected: Run, result: Result) -> None:
        """Record the effect of TF32, the top classes and the errors to the reference."""
        if run.tf32 is not None:
            effect = self._differences(replace(run, outputs=run.tf32), run)
            result.tf32_rel_l2 = _max_error(effect)
        ours, theirs = run.outputs.get("logits"), expected.outputs.get("logits")
        if ours is not None and theirs is not None and ours.ndim > 1 and ours.shape == theirs.shape:
            result.top1_agreement, result.top5_agreement = compare.top_agreement(
                ours, theirs, self.inputs.mask_of("logits")
            )
        if self.reference is None:
            return
        base_case, base = self.baseline
        error = _max_error(self._differences(run, self.reference), math.nan)
        if case is base_case:
            self.baseline_error = error
        elif self.baseline_error is None:
            self.baseline_error = _max_error(self._differences(base, self.reference), math.nan)
        suspect = None
        if error > SUSPECT_FACTOR * self.baseline_error:
            suspect = case.backend
        elif self.baseline_error > SUSPECT_FACTOR * error:
            suspect = base_case.backend
        result.reference = {
            "backend_error": error,
            "baseline_error": self.baseline_error,
            "suspect_backend": suspect,
        }

    def _describe_variants(self, run: Run, limit: float) -> Iterator[str]:
        """Say how far other variants' outputs are from those of the one that is judged."""
        for name, outputs in run.variants.items():
            rows = self._differences(replace(run, outputs=outputs), run)
            label = "its default precision" if name == "default" else f"its variant {name}"
            if any(not (row.finite and row.shape_ok) for row in rows):
                yield f"{label} returns NaN, Inf or other shapes"
            else:
                error = _max_error(rows, math.nan)
                yield (
                    f"{label} would change the outputs by relative L2 {error:.1e}, "
                    f"{error / limit:.3g} times the tolerance"
                )

    def _compare_weights(self, case: Case) -> compare.WeightsDifference:
        base_weights = self.baseline[0].weights
        found = self.tables.compare(case.weights.name, base_weights.name)
        model_type = str(base_weights.config.get("model_type"))
        only_ours = remove_ignored(found.only_ours, model_type)
        only_theirs = remove_ignored(found.only_theirs, model_type)
        return replace(found, only_ours=only_ours, only_theirs=only_theirs)

    def _differences(self, run: Run, other: Run) -> list[Difference]:
        return [
            row
            for name, array in run.outputs.items()
            if name in other.outputs
            for row in compare.by_region(
                name, array, other.outputs[name], self.inputs.mask_of(name)
            )
        ]

    def _real_differences(self, run: Run, other: Run) -> list[Difference]:
        return [row for row in self._differences(run, other) if row.region == "real"]

    def _compare_conditions(
        self, run: Run, expected: Run, result: Result, limit: float
    ) -> Fault | None:
        """Compare outputs with padding at the left and of one row alone; note what a batch changes.

        Return a fault if they differ from those expected under the same conditions.
        """
        fault: Fault | None = None
        for condition, outputs in run.conditions.items():
            others = expected.conditions.get(condition, {})
            mask = np.ones((1, 1))
            if condition == PADDED_LEFT:
                mask = self.inputs.conditions[condition]["attention_mask"]
            if expected is self.reference and any(
                not compare.on_real(name, array, array, mask).finite
                for name, array in others.items()
            ):
                others = outputs  # eager attention may give NaN where padding attends to nothing
            rows = [
                compare.on_real(name, array, others[name], mask)
                for name, array in outputs.items()
                # others may be of the first position, which is padding then
                if name in others and (condition == ALONE or array.shape[:2] == mask.shape)
            ]
            if rows:
                result.conditions[condition] = _max_error(rows)
                found = _find_output_fault(rows, limit)
                fault = fault or (found and (found[0], f"{condition}: {found[1]}"))
        if (error := _error_of_row_alone(run)) > limit:
            result.notes.append(
                f"a row alone gives other outputs than in a batch (relative L2 {error:.1e})"
            )
        elif not run.conditions and _error_of_row_alone(expected) > limit:
            result.notes.append(
                "the outputs depend on the length of the texts: a graph for other lengths, or for "
                "any, was not compared"
            )
        return fault

    def _first_divergent_layer(self, run: Run, base: Run, floor: float) -> int | str | None:
        for name, states in base.hidden.items():
            reference = self.reference.hidden.get(name) if self.reference else None
            if reference is None or len(reference) != len(states):
                reference = states
            mask = self.inputs.mask_of(name)
            layers = zip(run.hidden.get(name, []), states, reference, strict=False)
            for index, (ours, theirs, expected) in enumerate(layers):
                row = compare.on_real(name, ours, theirs, mask)
                error = compare.on_real(name, theirs, expected, mask).rel_l2
                limit = max(floor, SUSPECT_FACTOR * error)
                if row.finite and row.shape_ok and row.rel_l2 <= limit:
                    continue
                part = name.split("_")[0] + " " if name != "hidden_states" else ""
                if index == 0:
                    return f"{part}embeddings"
                return f"{part}{index - 1}" if part else index - 1
        return None

    def _describe_cause(self, case: Case, run: Run, limit: float) -> list[str]:
        """Return what is known about why outputs of equal weights differ: a sentence, or none."""
        base_weights = self.baseline[0].weights
        parts: list[str] = []
        ours, theirs = case.weights.config, base_weights.config
        name, replaced = self._find_variant(run, limit) or ("", ())
        if replaced:
            parts.append(
                f"{case.backend} computes with {name}, PyTorch's class on {base_weights.name} with "
                f"{' and '.join(replaced)}"
            )
            config_values = [
                f"{key} {value!r}"
                for key, value in ours.items()
                if isinstance(value, str) and _ACTIVATION_KEY.search(key)
            ]
            if config_values:
                parts.append(f"the config says {', '.join(config_values)}")
        elif name:
            parts.append(f"{case.backend} computes as PyTorch's class does with {name}")
        config_differences = [
            f"{key} ({ours.get(key)!r}, not {theirs.get(key)!r})"
            for key in sorted((ours.keys() | theirs.keys()) - IGNORED_CONFIG_KEYS)
            if ours.get(key) != theirs.get(key)
        ]
        if config_differences:
            parts.append(f"the configs differ in {', '.join(config_differences)}")
        return ["; ".join(parts)] if parts else []

    def _find_variant(self, run: Run, limit: float) -> tuple[str, Sequence[str]] | None:
        """Return (what a float64 run with these outputs computes, activations it replaced)."""
        rows = self._real_differences(run, self.reference) if self.reference else []
        if all(row.rel_l2 <= limit for row in rows):
            return None
        with contextlib.suppress(BackendError):
            for name, other in self.variant_runs():
                rows = self._real_differences(run, other)
                if rows and all(row.shape_ok and row.rel_l2 <= limit for row in rows):
                    return name, other.replaced_activations
        return None


def _max_error(rows: Sequence[Difference], default: float = 0.0) -> float:
    """Return the largest relative L2 over real positions."""
    return max((row.rel_l2 for row in rows if row.region == "real"), default=default)


def _error_of_row_alone(run: Run) -> float:
    """Return how far the outputs of one row alone are from those in its batch."""
    return _max_error(
        [
            compare.on_real(name, array, _cut(run.outputs[name], array.shape), np.ones((1, 1)))
            for name, array in run.conditions.get(ALONE, {}).items()
            if name in run.outputs
        ]
    )


def _find_output_fault(rows: Sequence[Difference], limit: float) -> Fault | None:
    """Return (verdict, reason) of the worst output, or None if all agree."""
    for row in rows:
        if not row.finite:
            return Verdict.NOT_FINITE, f"NaN or Inf in {row.name} ({row.region})"
    for row in rows:
        if not row.shape_ok:
            return Verdict.OUTPUTS_DIFFER, f"{row.name} has a different shape"
    real = [row for row in rows if row.region == "real"]
    if not real:
        return Verdict.NO_OUTPUTS, "the model returned no tensor that can be compared"
    worst = max(real, key=lambda row: row.rel_l2)
    if worst.rel_l2 <= limit:
        return None
    factor = worst.rel_l2 / limit
    reason = f"{worst.name}: relative L2 {worst.rel_l2:.1e}, {factor:,.3g} times the tolerance"
    return Verdict.OUTPUTS_DIFFER, reason


def _find_dtype_fault(run: Run, base: Run) -> Fault | None:
    for name, dtype in run.dtypes.items():
        other = base.dtypes.get(name, dtype)
        if dtype != other and {dtype, other} != {"int32", "int64"}:  # TensorFlow's and PyTorch's
            return Verdict.OUTPUTS_DIFFER, f"{name} is {dtype}, not {other}"
    return None


def _cut(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the last row of a batch's output, as long as that of the row alone."""
    last = array[-1:] if array.ndim else array
    return last[:, : shape[1]] if last.ndim > 2 and len(shape) == last.ndim else last


def _output_row(row: Difference, dtype: str | None, limit: float) -> dict[str, Any]:
    is_real = row.region == "real"
    return {
        **{key: value for key, value in asdict(row).items() if key != "shape_ok"},
        "dtype": dtype,
        "tolerance": limit if is_real else None,
        "tolerance_ratio": row.rel_l2 / limit if is_real else None,
    }

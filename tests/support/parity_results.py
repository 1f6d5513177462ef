"""Results of cases of `hfscan parity`, as a run has them."""

from datetime import UTC, datetime

from hfscan.parity import sections
from hfscan.parity.result import Result, Verdict, new_result_without_run

_COMPARED = {"agree", "outputs differ", "weights differ", "tokens differ", "baseline, unchecked"}


def make_suspect(backend, error=1e-2):
    """Return the verdict and the numbers of outputs that differ; `backend`: the one that errs."""
    reference = {"backend_error": error, "baseline_error": 3e-7, "suspect_backend": backend}
    return {"verdict": Verdict.OUTPUTS_DIFFER, "reference": reference}


def make_result(
    checkpoint, backend, verdict="agree", load_method="direct", *, file="m.safetensors", error=3e-7
):
    """Return a result; `verdict`: a text, or what `make_suspect` returns. `error`: to float64."""
    fields = verdict if isinstance(verdict, dict) else {"verdict": Verdict(verdict)}
    if backend == "none":
        name = fields["verdict"]
        return new_result_without_run(checkpoint, str(name), "float32", file, name)
    weights = {"file": file, "format": file.rpartition(".")[2], "sha256": ""}
    result = Result(checkpoint, None, None, weights, backend, "cpu", "float32", load_method)
    if fields["verdict"] in _COMPARED:
        result.reference |= {"backend_error": error, "baseline_error": 3e-7}
        row = {"name": "logits", "max_abs": 1.0, "rel_l2": 4e-7, "cosine": 1.0, "finite": True}
        row |= {"dtype": "float32", "tolerance": 1e-5}
        result.outputs = [{**row, "region": region} for region in ("real", "padding")]
    for name, value in fields.items():
        setattr(result, name, value)
    result.reason = str(result.verdict)
    return result


def make_document(results, **options):
    """Return the document of a run with these results."""
    environment = {"notes": [], "threads": 1, "backends": {}}
    return sections.new_document(results, environment, datetime.now(UTC), **options)

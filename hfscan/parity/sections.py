"""Build the document of a parity run, the content of `--format json`."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from hfscan._version import __version__
from hfscan.parity.result import Result, all_agree

Document = dict[str, Any]


def new_document(
    results: Sequence[Result],
    environment: Document,
    started: datetime,
    measurements: Sequence[Document] = (),
) -> Document:
    """Return the results as JSON-ready data.

    `started` is UTC; the run ends now. `measurements`: rows of `benchmark`.
    """
    cases = [_to_json(asdict(result)) for result in results]
    return {
        "report": "parity",
        "hfscan_version": __version__,
        "started_at": f"{started:%Y-%m-%dT%H:%M:%SZ}",
        "finished_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "environment": _to_json(environment),
        "agree": all_agree(results),
        "cases": cases,
        "measurements": _to_json(list(measurements)),
    }


def _to_json(value: Any) -> Any:
    """Replace what JSON cannot represent: NaN and Inf with None, lone surrogates with "?"."""
    if isinstance(value, dict):
        return {_to_json(key): _to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json(item) for item in value]
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return None if isinstance(value, float) and not math.isfinite(value) else value

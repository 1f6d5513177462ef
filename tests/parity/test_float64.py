"""The float64 reference of models whose code asks for float32, or for a kernel of attention."""

import pytest
from exports import make_models, run_cases

from hfscan.parity.environments import choose_interpreter
from hfscan.parity.pool import BackendPool
from hfscan.parity.process import Settings

ARCHITECTURES = (
    "rt_detr_v2",  # its backbone has no SDPA, which its decoder uses
    "slanext",  # its code converts to float32
)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Return architecture -> result of PyTorch for a tiny model."""
    if choose_interpreter("pytorch", frozenset(), {}).environment is None:
        pytest.skip("needs the environment of PyTorch, which has transformers 5")
    folder = tmp_path_factory.mktemp("float64")
    assert not any("fault" in row for row in make_models(ARCHITECTURES, folder, 300))
    pool = BackendPool(Settings(("pytorch",), timeout=300, measure=False))
    try:
        pool.start()
        return {name: run_cases(pool, folder / name)["pytorch"] for name in ARCHITECTURES}
    finally:
        pool.close()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_outputs_are_compared_with_float64(results, architecture):
    result = results[architecture]
    assert (result["verdict"], result["notes"]) == ("agree", [])
    assert "to the float64 reference" in result["reason"]
    assert 0 < result["error"] < 1e-5

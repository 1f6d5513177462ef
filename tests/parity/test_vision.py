"""The vision networks: built in each framework from the same definition and weights."""

import numpy as np
import pytest

from hfscan.parity.cases import Case
from hfscan.parity.checkpoint import open_checkpoint
from hfscan.parity.inputs import make_inputs
from hfscan.parity.model import ModelRunner
from hfscan.parity.weights import read_tables

BACKENDS = ("pytorch", "tensorflow")
SIZES = {"alexnet": 64, "vgg19": 32, "resnet50": 64, "mobilenet": 64}  # else norms see 8 values


@pytest.fixture
def make_network(runner, tmp_path):
    """Return a function that makes a network with an eighth of its channels, without dropout."""

    def make(name, **changes):
        process = runner.pool.process("pytorch", frozenset({"tensorflow"}))
        changes = {"image_size": SIZES[name], "width": 0.125, "classes": 10, "dropout": 0} | changes
        process.call("demo", into=str(tmp_path), name=name, **changes)
        return tmp_path / name

    return make


def read_tensors(runner, weights, folder):
    tables = read_tables([weights], runner.pool)
    names = [name for name, row in tables.tables[weights.name].items() if row["dtype"] == "float32"]
    return tables.values(weights, names, folder)


def train_once(runner, model_runner, backend, folder):
    """Return the loss of one training step and every tensor after it."""
    (weights,) = model_runner.checkpoint.weights
    process = runner.pool.process(backend)
    model_runner.open_in(process, Case(weights, backend, "direct"), "cpu", "float32")
    reply = process.call("time", inputs=model_runner.batch_files, variant="eager", train=True)
    folder.mkdir()
    process.call("save", into=str(folder))
    return reply["loss"], read_tensors(runner, open_checkpoint(folder).weights[0], folder)


@pytest.mark.parametrize("name", SIZES)
def test_vision_networks_agree_and_train_alike(make_network, check, runner, tmp_path, name):
    folder = make_network(name)
    results = check(folder)
    assert {(result.backend, result.load_method) for result in results} == {
        ("pytorch", "direct"), ("tensorflow", "direct"), ("tensorflow", "converted"),
    }  # fmt: skip
    for result in results:
        assert result.verdict == "agree", result.reason
        assert result.reference["backend_error"] < 1e-5  # from the run in float64

    checkpoint = open_checkpoint(folder)
    inputs = make_inputs(checkpoint.config, checkpoint.architecture)
    model_runner = ModelRunner(runner.pool, checkpoint, inputs)
    assert model_runner.inputs.batch["pixel_values"].shape == (8, 3, SIZES[name], SIZES[name])
    before = read_tensors(runner, checkpoint.weights[0], tmp_path)
    losses, updates = zip(
        *(train_once(runner, model_runner, name, tmp_path / name) for name in BACKENDS), strict=True
    )
    assert losses[0] == pytest.approx(losses[1], rel=5e-5)
    assert updates[0].keys() == updates[1].keys() == before.keys()
    for key, start in before.items():
        ours, theirs = (after[key] - start for after in updates)
        if "running" in key:  # statistics of batch norms
            np.testing.assert_allclose(ours, theirs, rtol=1e-2, atol=1e-4)
        elif start.ndim > 1:  # a norm after a norm makes gradients of the first one's scale vanish
            # AdamW moves a weight by 1e-4, to the side that the sign of its gradient decides
            assert np.mean(np.abs(ours - theirs) > 1e-5) < 0.1, key


def test_vision_network_of_any_size_is_refused(make_network, check, set_config):
    folder = make_network("alexnet")
    set_config(folder, width=1e6)
    assert {result.verdict for result in check(folder)} == {"does not load"}
    set_config(folder, width=0.125, image_size=32)
    reasons = {result.reason for result in check(folder)}
    assert reasons == {"ValueError: an image of 32 x 32 is too small"}

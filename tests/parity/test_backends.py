"""The backends other than PyTorch and TensorFlow."""

import importlib.util
import io
import re
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from hfscan.parity import sections
from hfscan.parity.checkpoint import open_checkpoint

SAVE = """
import sys, transformers
folder, name = sys.argv[1:]
model = getattr(transformers, "Flax" + name).from_pretrained(folder)
model.save_pretrained(folder)
"""


@pytest.fixture
def check_flax(check_with):
    pytest.importorskip("flax")
    return lambda folder: check_with(folder, backends=("pytorch", "flax"))


@pytest.fixture
def check_keras(check_with):
    if importlib.util.find_spec("keras_hub") is None:  # importing it imports TensorFlow
        pytest.skip("keras-hub is not installed")
    return lambda folder: check_with(folder, backends=("pytorch", "keras-jax"))


def save_flax(folder, architecture):
    subprocess.run(
        [sys.executable, "-c", SAVE, folder, architecture], check=True, capture_output=True
    )


@pytest.mark.parametrize("name", ["bert", "gpt2"])
def test_flax_agrees_in_every_format(altered, check_flax, runner, name):
    folder = altered(name, "model.safetensors", "pytorch_model.bin")
    save_flax(folder, open_checkpoint(folder).architecture)
    results = check_flax(folder)
    info = runner.pool.describe_environment()["backends"]["flax"]
    assert info["versions"]["jax"]
    formats = [r.weights["format"] for r in results if r.backend == "flax"]
    assert sorted(formats) == ["bin", "msgpack", "safetensors"]
    for result in results:
        assert result.verdict == "agree", result.reason
        assert result.generated_equal is (True if name == "gpt2" else None)


def test_changed_flax_weight_is_named(altered, check_flax):
    folder = altered("bert", "model.safetensors")
    save_flax(folder, "BertForMaskedLM")
    change = (
        "import sys\n"
        "from flax.serialization import msgpack_restore, msgpack_serialize\n"
        "tree = msgpack_restore(open(sys.argv[1], 'rb').read())\n"
        "layer = tree['bert']['encoder']['layer']['1']['intermediate']['dense']\n"
        "layer['kernel'] = layer['kernel'] + 1e-3\n"
        "open(sys.argv[1], 'wb').write(msgpack_serialize(tree))\n"
    )
    subprocess.run([sys.executable, "-c", change, folder / "flax_model.msgpack"], check=True)
    found = {r.weights["format"]: r for r in check_flax(folder)}
    assert found["msgpack"].verdict == "weights differ"
    assert "bert.encoder.layer.1.intermediate.dense.weight" in found["msgpack"].reason
    assert found["msgpack"].first_divergent_layer == 1


@pytest.mark.parametrize("name", ["gpt2", "gpt2-sharded"])
def test_keras_hub_agrees_and_generates(checkpoints, check_keras, name):
    (found,) = [r for r in check_keras(checkpoints[name]) if r.backend == "keras-jax"]
    assert found.verdict == "agree", found.reason
    assert found.generated_equal is True
    assert found.first_divergent_layer is None
    assert found.reference["backend_error"] < 1e-6


def test_keras_hub_activation_of_bert_is_named(tiny, check_keras):
    changes = {"initializer_range": 0.3, "twin": False}
    found = check_keras(tiny("BertModel", hidden_act="gelu_new", **changes))
    assert {r.verdict for r in found} == {"agree"}
    (found,) = [
        r for r in check_keras(tiny("BertModel", hidden_act="gelu", **changes))
        if r.backend == "keras-jax"
    ]  # fmt: skip
    assert found.verdict == "outputs differ"
    assert found.reference["suspect_backend"] == "keras-jax"
    assert found.first_divergent_layer == 0
    assert "keras-jax computes with the activation gelu_new" in found.notes[0]


def test_keras_hub_unsupported_models_are_reported(checkpoints, tiny, check_keras, set_config):
    verdicts = {r.backend: r for r in check_keras(checkpoints["bert"])}
    assert verdicts["keras-jax"].verdict == "no class"
    assert "head of BertForMaskedLM" in verdicts["keras-jax"].reason
    verdicts = {r.backend: r for r in check_keras(tiny("XLNetLMHeadModel", twin=False))}
    assert verdicts["keras-jax"].verdict == "no class"
    assert "xlnet" in verdicts["keras-jax"].reason
    folder = tiny("GPT2LMHeadModel", twin=False)
    set_config(folder, registered_name="keras_hub>GPT2Backbone", module="os", class_name="system")
    verdicts = {r.backend: r for r in check_keras(folder)}
    assert verdicts["keras-jax"].verdict == "does not load"
    assert "in Keras' format" in verdicts["keras-jax"].reason


@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("onnxruntime", "onnxscript")),
    reason="the ONNX backend needs onnxruntime and onnxscript",
)
def test_onnx_agrees_and_generates(altered, check_with, runner):
    folder = altered("gpt2", "model.safetensors")
    found = check_with(folder, backends=("pytorch", "onnx"), measure=True, rounds=3)
    results = {r.backend: r for r in found}
    measured = {row["backend"]: row for row in runner.measurements}
    assert results["onnx"].verdict == "agree", results["onnx"].reason
    assert results["onnx"].generated_equal is True
    assert results["onnx"].outputs[0]["rel_l2"] < 1e-5
    assert measured["onnx"]["variant"] == "session"
    assert measured["onnx"]["latency_ms"]["n"] == 3


def test_html_page_is_standalone_and_escaped(altered, check):
    folder = altered("bert", "model.safetensors")
    results = check(folder)
    results[0].checkpoint = "<script>alert('&')</script>"
    out = io.StringIO()
    sections.write(sections.new_document(results, {}, datetime.now(UTC)), "html", out)
    page = out.getvalue()
    assert "&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;" in page
    assert "<script>alert" not in page
    assert not re.search(r"""(src|href)=["']?http""", page)
    content = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert content.count("<tr>") == 2 * (1 + len(results))  # tables of cases and details

"""The backends other than PyTorch and TensorFlow."""

import io
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from hfscan.parity import sections
from hfscan.parity.cases import Case
from hfscan.parity.checkpoint import open_checkpoint
from hfscan.parity.inputs import make_inputs
from hfscan.parity.model import ModelRunner


@pytest.fixture
def check_flax(check_with_settings, skip_without):
    skip_without("flax", "flax")
    return lambda folder: check_with_settings(folder, backends=("pytorch", "flax"))


@pytest.fixture
def check_keras(check_with_settings, skip_without):
    def check(folder, backend="keras-jax"):
        skip_without(backend, "keras_hub")  # importing it imports TensorFlow
        return check_with_settings(folder, backends=("pytorch", backend))

    return check


def save_flax(runner, folder):
    """Add the file that the Flax class saves to a checkpoint of PyTorch."""
    checkpoint = open_checkpoint(folder)
    inputs = make_inputs(checkpoint.config, checkpoint.architecture)
    process = runner.pool.process("flax", frozenset({"pytorch"}))
    case = Case(checkpoint.weights[0], "flax", "direct")
    ModelRunner(runner.pool, checkpoint, inputs).open_in(process, case, "cpu", "float32")
    process.call("save", into=str(folder))


@pytest.mark.parametrize("name", ["bert", "gpt2"])
def test_flax_agrees_in_every_format(copy_checkpoint, check_flax, runner, name):
    folder = copy_checkpoint(name, "model.safetensors", "pytorch_model.bin")
    save_flax(runner, folder)
    results = check_flax(folder)
    info = runner.pool.describe_environment()["backends"]["flax"]
    assert info["versions"]["jax"]
    formats = [result.weights["format"] for result in results if result.backend == "flax"]
    assert sorted(formats) == ["bin", "msgpack", "safetensors"]
    for result in results:
        assert result.verdict == "agree", result.reason
        assert result.generated_equal is (True if name == "gpt2" else None)


def test_flax_class_with_another_training_switch_agrees(make_tiny_model, check_flax):
    """OPT's calls it `deterministic`, most classes `train`."""
    results = check_flax(make_tiny_model("OPTForCausalLM", twin=False))
    for result in results:
        assert result.verdict == "agree", result.reason
        assert result.generated_equal


def test_changed_flax_weight_is_named(copy_checkpoint, check_flax, runner):
    folder = copy_checkpoint("bert", "model.safetensors")
    save_flax(runner, folder)
    script = (
        "import sys\n"
        "from flax.serialization import msgpack_restore, msgpack_serialize\n"
        "tree = msgpack_restore(open(sys.argv[1], 'rb').read())\n"
        "layer = tree['bert']['encoder']['layer']['1']['intermediate']['dense']\n"
        "layer['kernel'] = layer['kernel'] + 1e-3\n"
        "open(sys.argv[1], 'wb').write(msgpack_serialize(tree))\n"
    )
    subprocess.run([sys.executable, "-c", script, folder / "flax_model.msgpack"], check=True)
    results_by_format = {result.weights["format"]: result for result in check_flax(folder)}
    assert results_by_format["msgpack"].verdict == "weights differ"
    assert "bert.encoder.layer.1.intermediate.dense.weight" in results_by_format["msgpack"].reason
    assert results_by_format["msgpack"].first_divergent_layer == 1


@pytest.mark.parametrize(
    ("backend", "name"),
    [("keras-jax", "gpt2"), ("keras-jax", "gpt2-sharded"), ("keras-torch", "gpt2")],
)
def test_keras_hub_agrees_and_generates(checkpoints, check_keras, backend, name):
    results = check_keras(checkpoints[name], backend)
    (keras_result,) = [result for result in results if result.backend == backend]
    assert keras_result.verdict == "agree", keras_result.reason
    assert keras_result.generated_equal is True
    assert keras_result.first_divergent_layer is None
    assert keras_result.reference["backend_error"] < 1e-6


def test_keras_hub_activation_of_bert_is_named(make_tiny_model, check_keras):
    changes = {"initializer_range": 0.3, "twin": False}
    results = check_keras(make_tiny_model("BertModel", hidden_act="gelu_new", **changes))
    assert {result.verdict for result in results} == {"agree"}
    (results,) = [
        result for result in check_keras(make_tiny_model("BertModel", hidden_act="gelu", **changes))
        if result.backend == "keras-jax"
    ]  # fmt: skip
    assert results.verdict == "outputs differ"
    assert results.reference["suspect_backend"] == "keras-jax"
    assert results.first_divergent_layer == 0
    assert "keras-jax computes with the activation gelu_new" in results.notes[0]


def test_keras_hub_unsupported_models_are_reported(
    checkpoints, make_tiny_model, check_keras, set_config
):
    results = {result.backend: result for result in check_keras(checkpoints["bert"])}
    assert results["keras-jax"].verdict == "no class"
    assert "head of BertForMaskedLM" in results["keras-jax"].reason
    results = {
        result.backend: result
        for result in check_keras(make_tiny_model("XLNetLMHeadModel", twin=False))
    }
    assert results["keras-jax"].verdict == "no class"
    assert "xlnet" in results["keras-jax"].reason
    folder = make_tiny_model("GPT2LMHeadModel", twin=False)
    set_config(folder, registered_name="keras_hub>GPT2Backbone", module="os", class_name="system")
    results = {result.backend: result for result in check_keras(folder)}
    assert results["keras-jax"].verdict == "does not load"
    assert "in Keras' format" in results["keras-jax"].reason


@pytest.mark.parametrize(
    ("backend", "variant", "packages"),
    [
        ("executorch", "xnnpack", ["executorch"]),
        ("litert", "xnnpack", ["litert_torch"]),
        ("onnx", "session", ["onnxruntime", "onnxscript"]),
        ("openvino", "float32", ["openvino"]),
        ("torch-export", "export", ["torch"]),
    ],
)
def test_exported_model_agrees_and_generates(
    copy_checkpoint, check_with_settings, skip_without, runner, backend, variant, packages
):
    skip_without(backend, *packages)
    folder = copy_checkpoint("gpt2", "model.safetensors")
    results = check_with_settings(folder, backends=("pytorch", backend), measure=True, rounds=3)
    results = {result.backend: result for result in results}
    measurements = {row["backend"]: row for row in runner.measurements}
    assert results[backend].verdict == "agree", results[backend].reason
    assert results[backend].generated_equal is True
    assert results[backend].outputs[0]["rel_l2"] < 1e-5
    assert measurements[backend]["variant"] == variant
    assert measurements[backend]["latency_ms"]["n"] == 3


@pytest.mark.parametrize(
    ("backend", "variant", "package"),
    [("executorch", "portable", "executorch"), ("torch-export", "aot-inductor", "torch")],
)
def test_other_variants_are_noted(
    copy_checkpoint, check_with_settings, skip_without, backend, variant, package
):
    skip_without(backend, package)
    if variant == "aot-inductor" and not shutil.which("g++"):
        pytest.skip("AOTInductor needs a C++ compiler")
    folder = copy_checkpoint("bert", "model.safetensors")
    results = check_with_settings(folder, backends=("pytorch", backend), variants=True)
    (result,) = [result for result in results if result.backend == backend]
    (note,) = [note for note in result.notes if note.startswith(f"its variant {variant} would")]
    assert float(re.search(r"relative L2 ([\d.e+-]+),", note)[1]) < 1e-5


def test_onnx_exporter_is_noted(copy_checkpoint, check_with_settings, skip_without, runner):
    skip_without("onnx", "onnxruntime", "onnxscript")
    folder = copy_checkpoint("bert", "model.safetensors")
    results = check_with_settings(folder, backends=("pytorch", "onnx"))
    (result,) = [result for result in results if result.backend == "onnx"]
    (note,) = [note for note in result.notes if note.startswith("exported by")]
    versions = runner.pool.describe_environment()["backends"]["onnx"]["versions"]
    if versions["transformers"].startswith("4."):  # has no exporters
        assert note.startswith("exported by torch.onnx, not by transformers (ModuleNotFoundError: ")
    else:
        assert note == "exported by transformers"


def test_openvino_default_precision_is_noted(copy_checkpoint, check_with_settings, skip_without):
    skip_without("openvino", "openvino")
    folder = copy_checkpoint("bert", "model.safetensors")
    results = check_with_settings(folder, backends=("pytorch", "openvino"))
    (result,) = [result for result in results if result.backend == "openvino"]
    assert result.verdict == "agree", result.reason
    (note,) = [note for note in result.notes if note.startswith("its default precision")]
    error = float(re.search(r"relative L2 ([\d.e+-]+),", note)[1])
    # bfloat16 or float16 where the processor computes faster in them
    assert error < 1e-5 or 1e-4 < error < 2e-2


def test_html_page_is_standalone_and_escaped(copy_checkpoint, check):
    folder = copy_checkpoint("bert", "model.safetensors")
    results = check(folder)
    results[0].checkpoint = "<script>alert('&')</script>"
    out = io.StringIO()
    sections.write(sections.new_document(results, {}, datetime.now(UTC)), "html", out)
    page = out.getvalue()
    assert "&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;" in page
    assert "<script>alert" not in page
    assert not re.search(r"""(src|href)=["']?http""", page)
    content = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    backends = {result.backend for result in results}
    # tables of cases and details, and of the differences in each backend
    assert content.count("<tr>") == 2 * (1 + len(results)) + 1 + len(backends)

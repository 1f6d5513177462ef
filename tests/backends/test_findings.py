"""The sentence that heads a report on parity, for each kind of run; and the rows behind it."""

from dataclasses import replace

import pytest
from parity_results import make_document, make_result, make_suspect

from hfscan.cli._repeat import format_command
from hfscan.cli.parity import command
from hfscan.parity import sections
from hfscan.parity.findings import describe_run
from hfscan.parity.result import Verdict, judge_files
from hfscan.report.writers import render_text


def make_pair(name, pytorch="agree", tensorflow="agree"):
    return [make_result(name, "pytorch", pytorch), make_result(name, "tensorflow", tensorflow)]


def make_sweep(count, *others):
    return [result for n in range(count) for result in make_pair(f"ann/m{n}")] + list(others)


RUNS = {
    "agree": (make_sweep(4), "All 4 checkpoints agree in PyTorch and TensorFlow"),
    "two": (make_sweep(2), "Both checkpoints agree in PyTorch and TensorFlow"),
    "one": (make_pair("bert"), "bert agrees in PyTorch and TensorFlow"),
    "one backend": (
        [make_result("bert", "pytorch")],
        "bert agrees with float64 in PyTorch",
    ),
    "one load method fails": (
        [*make_pair("bert"), make_result("bert", "tensorflow", "does not load", "converted")],
        "bert agrees in PyTorch and TensorFlow by at least one load method",
    ),
    "suspect": (
        [*make_sweep(3), *make_pair("bert", tensorflow=make_suspect("tensorflow"))],
        "1 of 4 checkpoints differs: TensorFlow is wrong on bert",
    ),
    "suspect of one": (
        make_pair("bert", tensorflow=make_suspect("pytorch")),
        "bert differs: PyTorch is wrong",
    ),
    "several suspects": (
        [
            *make_sweep(1),
            *make_pair("a", tensorflow=make_suspect("tensorflow")),
            *make_pair("b", tensorflow=make_suspect("tensorflow")),
            *make_pair("c", tensorflow=make_suspect("pytorch")),
        ],
        "3 of 4 checkpoints differ: TensorFlow is wrong on 2, PyTorch is wrong on 1",
    ),
    "weights": (
        make_pair("bert", tensorflow="weights differ"),
        "bert differs in its weights",
    ),
    "weights of one of several": (
        [*make_sweep(2), *make_pair("bert", tensorflow="weights differ")],
        "1 of 3 checkpoints differs in its weights: bert",
    ),
    "weights of several": (
        [*make_sweep(1), *make_pair("a", "weights differ"), *make_pair("b", "weights differ")],
        "2 of 3 checkpoints differ in their weights",
    ),
    "tokens": (
        [*make_sweep(1), *make_pair("bert", tensorflow="tokens differ")],
        "1 of 2 checkpoints differs: bert in TensorFlow (tokens differ)",
    ),
    "all differ": (
        [*make_pair("a", tensorflow="weights differ"), *make_pair("b", "agree", "tokens differ")],
        "Both checkpoints differ in TensorFlow",
    ),
    "several differ in several backends": (
        [
            *make_sweep(1),
            *make_pair("a", tensorflow="weights differ"),
            *make_pair("b", "tokens differ", "weights differ"),
        ],
        "2 of 3 checkpoints differ: 2 in TensorFlow, 1 in PyTorch",
    ),
    "fails": (
        [*make_sweep(2), *make_pair("bert", tensorflow="does not load")],
        "1 of 3 checkpoints could not be compared: bert in TensorFlow (does not load)",
    ),
    "incomplete": (
        make_pair("bert", tensorflow="loads incompletely"),
        "bert could not be compared in TensorFlow (loads incompletely)",
    ),
    "not judged": (
        make_pair("bert", tensorflow="not judged"),
        "bert could not be compared in TensorFlow (not judged)",
    ),
    "unreadable": (
        [make_result("no/such", "none", "unreadable")],
        "no/such could not be compared (unreadable)",
    ),
    "all unreadable": (
        [make_result(name, "none", "unreadable") for name in "abc"],
        "All 3 checkpoints could not be compared",
    ),
    "everything": (
        [
            *make_sweep(2),
            *make_pair("a", tensorflow=make_suspect("tensorflow")),
            *make_pair("b", tensorflow="crashed"),
            make_result("c", "none", "unsupported"),
        ],
        "1 of 5 checkpoints differs: TensorFlow is wrong on a; 1 could not be compared; "
        "1 was not checked",
    ),
    "one unchecked": (
        [*make_pair("bert"), make_result("c", "none", "unsupported")],
        "1 of 2 checkpoints agrees in PyTorch and TensorFlow; 1 was not checked",
    ),
    "several unchecked": (
        [*make_sweep(3), *(make_result(name, "none", "unsupported") for name in "cd")],
        "3 of 5 checkpoints agree in PyTorch and TensorFlow; 2 were not checked",
    ),
    "part unchecked": (
        [*make_sweep(3), make_result("ann/m0", "onnx"), make_result("ann/m1", "onnx", "no class")],
        "All 3 checkpoints agree in PyTorch and TensorFlow; 2 not checked in ONNX",
    ),
    "other backend unchecked": (
        make_pair("bert", tensorflow="not applicable"),
        "bert agrees with float64 in PyTorch; not checked in TensorFlow",
    ),
    "different backends": (
        [*make_pair("a", "agree", "no class"), *make_pair("b", "not applicable", "agree")],
        "Both checkpoints agree where they were checked; 1 not checked in PyTorch; "
        "1 not checked in TensorFlow",
    ),
    "baseline of another framework": (
        make_pair("bert", tensorflow="baseline, unchecked"),
        "bert agrees in PyTorch with the baseline in TensorFlow",
    ),
    "baseline only": (
        [make_result("bert", "tensorflow", "baseline, unchecked")],
        "bert was not compared: only TensorFlow was run",
    ),
    "baselines only": (
        [make_result(name, "tensorflow", "baseline, unchecked") for name in "abc"],
        "None of the 3 checkpoints was compared: only TensorFlow was run",
    ),
    "no backend": ([make_result("bert", "none", "unsupported")], "No backend opens bert"),
    "no backend for any": (
        [make_result(name, "none", "unsupported") for name in "abc"],
        "No backend opens any of the 3 checkpoints",
    ),
    "not applicable": (
        [make_result("bert", "tensorflow", "not applicable")],
        "bert was not compared (not applicable)",
    ),
    "unopened file": (
        [*make_pair("bert"), make_result("bert", "none", "unsupported", file="m.gguf")],
        "bert agrees in PyTorch and TensorFlow",
    ),
    "precision": (
        [replace(result, dtype="bfloat16")
         for result in [*make_pair("bert"), make_result("bert", "onnx", "not applicable")]],
        "bert agrees in PyTorch and TensorFlow (bfloat16); not checked in ONNX",
    ),
    "several precisions": (
        [*make_pair("bert"), replace(make_result("bert", "pytorch", "weights differ"),
                                     dtype="float16")],
        "bert differs in its weights (float32 and float16)",
    ),
    "devices": (
        [replace(make_result("bert", "pytorch"), device="cuda"), make_result("bert", "onnx")],
        "bert agrees in PyTorch on cuda and ONNX",
    ),
    "nothing": ([], "No checkpoint was checked"),
    "sweep": (make_sweep(2000), "All 2,000 checkpoints agree in PyTorch and TensorFlow"),
}  # fmt: skip


@pytest.mark.parametrize(("results", "finding"), RUNS.values(), ids=RUNS)
def test_finding_says_what_was_found(results, finding):
    assert describe_run(judge_files(results)) == finding


def test_missing_class_of_a_required_backend_is_named():
    results = make_pair("bert", tensorflow="no class")
    assert describe_run(judge_files(results)) == (
        "bert agrees with float64 in PyTorch; not checked in TensorFlow"
    )
    assert describe_run(judge_files(results, {"tensorflow"})) == (
        "bert could not be compared in TensorFlow (no class)"
    )


@pytest.mark.parametrize("format_", ["terminal", "md", "html"])
def test_finding_heads_every_format(format_):
    results, finding = RUNS["suspect"]
    document = make_document(results)
    assert document["finding"] == finding
    text = " ".join(render_text(sections.new_report(document), format_).split())
    assert f"{finding}. 7 of 8 cases agree." in text
    assert (f"<h1>{finding}</h1>" in text) == (format_ == "html")


def test_other_load_methods_are_named_where_files_agree():
    incomplete = make_result("bert", "tensorflow", "loads incompletely", "converted")
    report = sections.new_report(make_document([*make_pair("bert"), incomplete]))
    assert report.text.headline == (
        "bert agrees in PyTorch and TensorFlow by at least one load method. 2 of 3 cases agree: "
        "every weight file that was checked, by at least one load method. Other verdicts: loads "
        "incompletely (1)."
    )
    (agree,) = [light for light in report.text.highlights if light["label"] == "agree"]
    assert agree["small"].endswith(" by at least one load method")
    alone = sections.new_report(make_document(make_pair("bert")))
    assert "load method" not in alone.text.headline + str(alone.text.highlights)


def test_difference_at_the_head_is_in_the_table_of_cases():
    results = [make_result("a", "pytorch"), make_result("a", "tensorflow", error=2.7e-07)]
    report = sections.new_report(make_document(results))
    (cases,) = [section for section in report.sections if section.name == "cases"]
    assert "3.0e-07" in {light["big"] for light in report.text.highlights}
    assert [row["error"] for row in cases.rows] == [3e-7, 2.7e-7]


@pytest.mark.parametrize("demo", ["tiny", "base", "vision"])
def test_demo_is_called_one(demo):
    report = sections.new_report(make_document(make_pair("bert"), demo=demo))
    meaning = "tiny models, trained for seconds" if demo == "tiny" else "models with random weights"
    assert report.title == f"Parity of 1 checkpoint. Demo: {meaning}"
    assert "Demo" not in sections.new_report(make_document(make_pair("bert"))).title


def test_unopened_files_are_counted_beside_the_finding():
    results, finding = RUNS["unopened file"]
    report = sections.new_report(make_document(results))
    assert report.text.headline == (
        f"{finding}. 2 of 3 cases agree: every weight file that was checked. "
        "1 weight file was not opened."
    )


def test_differences_have_a_row_for_each_checkpoint_and_backend():
    results = [
        *make_pair("a", tensorflow=make_suspect("tensorflow", error=2e-3)),
        make_result("a", "pytorch", file="b.bin", error=9e-7),
        make_result("a", "tensorflow", "does not load", "converted"),
        *make_pair("b", tensorflow="does not load"),
        make_result("c", "none", "unsupported"),
    ]
    differences, *_ = sections.new_report(make_document(results)).sections
    columns = ("checkpoint", "backend", "verdict", "agree", "checked", "error", "tolerance")
    assert [tuple(row[name] for name in columns) for row in differences.rows] == [
        ("a", "pytorch", "agree", 2, 2, 9e-7, 1e-5),
        ("a", "tensorflow", "outputs differ", 0, 1, 2e-3, 1e-5),
        ("b", "pytorch", "agree", 1, 1, 3e-7, 1e-5),
        ("b", "tensorflow", "does not load", 0, 1, None, None),
        ("c", "none", "unsupported", 0, 0, None, None),
    ]
    assert differences.finding == (
        "Largest difference to float64: 2.0e-03 (a in TensorFlow); tolerance 1.0e-05"
    )


def test_sections_are_titled_by_their_findings():
    timings = [
        {"checkpoint": "a", "mode": "inference", "backend": backend, "variant": variant,
         "device": "cpu", "first_call_seconds": 0.1, "latency_ms": {"n": 2, "p50": milliseconds[0]},
         "milliseconds": milliseconds, "cpu_ratio": {"median": 1.0},
         "ratio": {"to": "pytorch eager", "median": ratio, "min": ratio, "max": ratio}}
        for backend, variant, milliseconds, ratio in (
            ("pytorch", "eager", [2.0, 2.0], 1.0), ("tensorflow", "eager", [8.0, 8.0], 4.0),
            ("tensorflow", "function", [1.0, 1.0], 0.5),
        )
    ]  # fmt: skip
    results = [*make_pair("a"), make_result("a", "tensorflow", "does not load", "converted")]
    document = make_document(results, measurements=timings)
    document["environment"] |= {
        "processor": {"name": "x", "family": 1, "model": 1, "stepping": 1, "instruction_sets": []},
        "backends": {
            name: {"gemm_gflops": rate, "math": "", "threads": 1}
            for name, rate in (("pytorch", 96.4), ("tensorflow", 251.0))
        },
    }
    titles = {section.name: section.finding for section in sections.new_report(document).sections}
    assert titles == {
        "differences": "Largest difference to float64: 3.0e-07 (a in PyTorch); tolerance 1.0e-05",
        "cases": "2 of 3 cases agree",
        "details": "Other verdicts: does not load (1)",
        "timings": "The others: 0.50 to 4.00 times the time of PyTorch eager (inference)",
        "graphs": "Shortest forward pass: tensorflow function, 0.12 of its framework's eager time "
        "(a)",
        "machine": "Products of matrices in GFLOP/s: TensorFlow 251, PyTorch 96",
    }


def test_differences_without_float64_are_to_the_baseline():
    results = make_pair("bert", "baseline, unchecked")
    for result in results:
        result.reference = dict.fromkeys(result.reference)
    differences, *_ = sections.new_report(make_document(results)).sections
    assert differences.title == "Difference to the baseline"
    assert [row["error"] for row in differences.rows] == [None, 4e-7]


def test_sweep_leads_with_its_verdicts_by_backend():
    failing = make_pair("ann/bad", tensorflow=Verdict.CRASHED)
    lead, differences, *_ = sections.new_report(make_document(make_sweep(99, *failing))).sections
    assert (lead.name, differences.name) == ("verdicts", "differences")
    assert lead.finding == "Fewest agree in TensorFlow: 99 of 100 checkpoints"
    counts = {(row["backend"], row["verdict"]): row["checkpoints"] for row in lead.rows}
    assert counts == {
        ("pytorch", "agree"): 100, ("tensorflow", "agree"): 99, ("tensorflow", "crashed"): 1,
    }  # fmt: skip


def test_report_shows_the_command_that_repeats_it(tmp_path):
    folder = tmp_path / "my model"
    folder.mkdir()
    words = ["openai-community/gpt2", str(folder), "--no-measure", "--backends", "pytorch,flax",
             "--db", str(tmp_path / "h.duckdb"), "--out", str(tmp_path / "x.html"), "--timeout",
             "30", "--backend-python", f"pytorch={folder}/python", "--shard", "1/2"]  # fmt: skip
    with command.make_context("parity", words):
        text = format_command()
    assert text == (
        "hfscan parity openai-community/gpt2 './my model' --shard 1/2 --backends pytorch,flax "
        "--backend-python pytorch=PYTHON --no-measure --timeout 30"
    )
    page = render_text(sections.new_report(make_document(RUNS["one"][0], command=text)), "html")
    assert "hfscan parity openai-community/gpt2 &#39;./my model&#39; --shard 1/2" in page
    assert "Source: hfscan" in page
    assert "run of hfscan parity," in page

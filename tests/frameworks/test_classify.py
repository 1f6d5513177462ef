"""The taxonomy has no duplicates; Python and SQL classify recorded models alike."""

import gzip
import json
from collections import Counter
from datetime import date
from typing import get_args

import pytest
from dumps import ingest_models
from tracing import pause_tracing

import hfscan
from hfscan.frameworks import MASKS, newest_transformers, taxonomy
from hfscan.frameworks.taxonomy import Kind
from hfscan.store import Store

PYTORCH, TENSORFLOW = frozenset({"pytorch"}), frozenset({"tensorflow"})
BERT = {"model_type": "bert", "architectures": ["BertForMaskedLM"]}


def test_taxonomy_has_no_duplicates():
    known = taxonomy()
    for names in (
        [name for framework in known.frameworks for name in framework.libraries]
        + [name for group in known.neutral.values() for name in group],
        [tag for framework in known.frameworks for tag in framework.tags],
        [framework.bit for framework in known.frameworks],
        [framework.key for framework in known.frameworks],
    ):
        assert len(names) == len(set(names))
    assert {framework.kind for framework in known.frameworks} <= set(get_args(Kind))
    assert max(framework.bit for framework in known.frameworks) < 63
    assert len(known.rules) < 63  # rules are bits, too
    keys = {framework.key for framework in known.frameworks}
    assert {framework.parent for framework in known.frameworks if framework.parent} <= keys
    assert {key for rule in known.rules for key in rule.supports} <= keys | {"library"}


@pytest.mark.parametrize(
    ("model", "tag", "weights", "loadable"),
    [
        (
            {"tags": ["pytorch"], "siblings": ["pytorch_model-00001-of-00002.bin"]},
            PYTORCH, PYTORCH, PYTORCH,
        ),
        (
            {"tags": ["tf"], "siblings": ["tf_model.h5"]},
            TENSORFLOW, TENSORFLOW | {"keras"}, TENSORFLOW | {"keras"},
        ),
        # unknown file names: weights are unknown
        ({"tags": ["pytorch"]}, PYTORCH, None, PYTORCH),
        # a log is evidence for TensorBoard only
        (
            {"tags": ["tensorboard"], "siblings": ["runs/events.out.tfevents.1.host"]},
            {"tensorboard"}, {"tensorboard"}, {"tensorboard"},
        ),
        # the state of an optimizer is not weights
        ({"tags": [], "siblings": ["optimizer.pt", "training_args.bin"]}, set(), set(), set()),
        # safetensors belongs to the library that writes it; TensorFlow's classes read it
        (
            {"tags": [], "library_name": "timm", "siblings": ["model.safetensors"]},
            set(), PYTORCH | {"safetensors"}, PYTORCH | {"safetensors"},
        ),
        (
            {"tags": [], "library_name": "transformers", "config": BERT,
             "siblings": [{"rfilename": "model.safetensors"}]},
            set(), PYTORCH | {"safetensors"}, PYTORCH | TENSORFLOW | {"jax", "safetensors"},
        ),
        (
            {"tags": ["safetensors"], "library_name": "transformers",
             "config": {"model_type": "qwen3"}},
            {"safetensors"}, None, PYTORCH | {"safetensors"},
        ),
        # a format of its own counts for the framework it belongs to
        # a runtime runs what other frameworks trained
        ({"tags": [], "siblings": ["a/b.TFLITE"]}, set(), {"tflite"}, {"tflite"}),
        ({"tags": [], "siblings": ["m.ptl"]}, set(), PYTORCH | {"pytorch-mobile"},
         PYTORCH | {"pytorch-mobile"}),
        ({"tags": [], "siblings": ["x.mlpackage/Manifest.json"]}, set(), {"coreml"}, {"coreml"}),
        ({"tags": [], "siblings": ["my.ptl.md", "notpytorch.gguf.txt"]}, set(), set(), set()),
    ],
)  # fmt: skip
def test_classification_of_examples(model, tag, weights, loadable):
    classification = hfscan.classify(model, transformers=4)
    assert (classification.tag, classification.weights, classification.loadable) == (
        tag,
        weights,
        loadable,
    )


@pytest.mark.parametrize(
    ("model", "best"),
    [
        # files decide, whatever the tags say
        ({"tags": ["tf", "pytorch"], "siblings": ["tf_model.h5"]}, TENSORFLOW | {"keras"}),
        ({"tags": ["pytorch"], "siblings": ["README.md"]}, set()),
        # files that name no framework: the library, then the tags
        ({"tags": ["pytorch"], "siblings": ["model.bin"]}, PYTORCH | {"other-weights"}),
        ({"tags": [], "siblings": ["model.bin"]}, {"other-weights"}),
        ({"tags": ["mlx"], "siblings": ["model.safetensors"]}, {"mlx", "safetensors"}),
        ({"tags": [], "siblings": ["model.safetensors"]}, {"safetensors"}),
        # neither library nor tag: the classes in config.json are those of a PyTorch model
        (
            {"tags": [], "siblings": ["model.safetensors"], "config": BERT},
            PYTORCH | {"safetensors"},
        ),
        # without file names: the tags, and whose format safetensors is
        ({"tags": ["tf", "safetensors"], "library_name": "transformers"},
         PYTORCH | TENSORFLOW | {"safetensors"}),
        ({"tags": ["safetensors"]}, {"safetensors"}),
        # a library is no evidence that there are weights, nor that there are none
        ({"tags": ["transformers"], "library_name": "transformers"}, None),
        ({"tags": ["transformers"], "library_name": "transformers", "siblings": []}, set()),
        ({"siblings": ["model.gguf"]}, {"gguf"}),
        ({}, None),
    ],
)  # fmt: skip
def test_best_evidence_of_examples(model, best):
    classification = hfscan.classify(model)
    assert classification.best == best
    assert {item.framework for item in classification.evidence if item.definition == "best"} == (
        best or set()
    )


LISTED = {"tags": ["transformers", "safetensors", "bert"], "library_name": "transformers"}
DETAILED = LISTED | {"siblings": ["model.safetensors"], "config": BERT}
ALL_THREE = PYTORCH | TENSORFLOW | {"jax"}


def listed(*tags, **fields):
    return LISTED | {"tags": [*LISTED["tags"], *tags]} | fields


@pytest.mark.parametrize(
    ("model", "with_4", "with_5"),
    [
        # transformers 5 has no classes that read safetensors into TensorFlow or JAX
        (DETAILED, ALL_THREE, PYTORCH),
        # a list has no architectures: the class follows from the model type and the task
        (listed("fill-mask"), ALL_THREE, PYTORCH),
        (listed("text-to-video"), None, PYTORCH),
        (LISTED, None, PYTORCH),
        ({"tags": ["safetensors", "qwen3"], "library_name": "transformers"}, PYTORCH, PYTORCH),
        # adapters and quantised weights are PyTorch's
        (DETAILED | {"siblings": ["adapter_model.safetensors"]}, PYTORCH, PYTORCH),
        (DETAILED | {"siblings": ["output.safetensors"]}, PYTORCH, PYTORCH),
        (
            DETAILED | {"siblings": ["model.safetensors", "adapter_config.json"]},
            PYTORCH,
            PYTORCH,
        ),
        # those of a training checkpoint say nothing about the model beside it
        (
            DETAILED
            | {
                "siblings": [
                    "model.safetensors",
                    "checkpoint-10/adapter_config.json",
                    "checkpoint-10/adapter_model.safetensors",
                    "gptq/quantize_config.json",
                    "awq/model-awq.safetensors",
                ]
            },
            ALL_THREE,
            PYTORCH,
        ),
        (listed("fill-mask", "gptq", "4-bit"), PYTORCH, PYTORCH),
        (listed("fill-mask", "mlx", "4-bit"), {"mlx"}, {"mlx"}),
        # of which, without file names, the name of the repository raises a doubt
        (listed("fill-mask", id="ann/bert-GPTQ"), None, PYTORCH),
        (listed("fill-mask", id="ann/bert-4bit"), None, PYTORCH),
        (listed("fill-mask", id="ann/bert-16bit"), ALL_THREE, PYTORCH),
        (listed("fill-mask", id="lora/bert"), ALL_THREE, PYTORCH),
        (DETAILED | {"id": "ann/bert-lora-merged"}, ALL_THREE, PYTORCH),
        # Keras 3 reads its files on three backends, a SavedModel on TensorFlow only
        ({"tags": ["keras"], "siblings": ["m.keras"]}, ALL_THREE, ALL_THREE),
        ({"tags": ["keras"], "siblings": ["saved_model.pb"]}, TENSORFLOW, TENSORFLOW),
        ({"tags": ["keras"], "library_name": "keras"}, None, None),
        # without file names there may be weights that the Hub has no tag for
        ({"tags": []}, None, None),
        ({"tags": [], "siblings": []}, set(), set()),
        ({"tags": ["ml-agents", "onnx"], "library_name": "ml-agents"}, None, None),
        ({"tags": ["onnx"]}, None, None),
        ({"tags": ["onnx"], "siblings": ["model.onnx"]}, {"onnx"}, {"onnx"}),
        ({"tags": ["onnx", "transformers"], "library_name": "transformers"}, {"onnx"}, {"onnx"}),
    ],
)
def test_loadable_depends_on_release_of_transformers(model, with_4, with_5):
    for release, expected in ((4, with_4), (5, with_5), (None, with_5)):
        found = hfscan.classify(model, transformers=release).loadable
        formats = {
            framework.key for framework in taxonomy().frameworks if framework.kind == "format"
        }
        assert (found if found is None else found - formats) == expected


def test_newest_release_of_transformers_on_a_day():
    days = [date(2019, 1, 1), date(2024, 7, 11), date(2026, 1, 25), date(2026, 1, 26)]
    assert [newest_transformers(day) for day in days] == [4, 4, 4, 5]


@pause_tracing()
def test_lists_and_details_of_recorded_models_agree(shared_data):
    """A verdict without file names is that of the same model with them, or unknown."""
    compared = PYTORCH | TENSORFLOW | {"jax"}
    differing, known = Counter(), Counter()
    with gzip.open(shared_data / "hub-2024-07-detail.jsonl.gz", "rt") as lines:
        for model in map(json.loads, lines):
            in_list = {key: model.get(key) for key in ("id", "tags", "library_name")}
            for release in (4, 5):
                found, detailed = (
                    hfscan.classify(view, transformers=release).loadable
                    for view in (in_list, model)
                )
                if found is not None and detailed is not None:
                    known[release] += 1
                    differing[release] += found & compared != detailed & compared
    assert known[4] > 4_000
    assert known[5] > 4_000
    # a list shows neither the names of files nor config.json: see docs/numbers.md
    assert differing[4] / known[4] < 0.003
    assert differing[5] / known[5] < 0.0003


@pytest.mark.parametrize(
    ("name", "absent"),
    [
        ("hub-2022-02.jsonl.gz", set()),
        ("hub-2024-07-detail.jsonl.gz", set()),
        ("hub-2024-07-detail.jsonl.gz", {"siblings", "config"}),
    ],
)
@pause_tracing()
def test_python_and_sql_agree_on_recorded_models(shared_data, tmp_path, name, absent):
    models = {}
    with gzip.open(shared_data / name, "rt") as lines:
        for line in lines:
            model = {key: value for key, value in json.loads(line).items() if key not in absent}
            # one of those that differ in nothing but their name, where that does not matter
            names = ("id", "modelId") if "siblings" not in model else ()
            evidence = map(model.get, ("tags", "library_name", "siblings", "config", *names))
            models[json.dumps([*evidence])] = model
    assert len(models) > 4_000
    assert_python_and_sql_agree([*models.values()], tmp_path / "h.duckdb")


@pause_tracing()
def test_python_and_sql_agree_on_paths_of_every_glob(tmp_path):
    """Also on paths that a glob almost matches."""
    known = taxonomy()
    globs = {*known.not_weights, *(glob for has in known.frameworks for glob in has.files)}
    for rule in known.rules:
        globs.update(rule.files, rule.with_files, rule.files_if_known, rule.unless_files)
    paths = set()
    for glob in globs:
        for some, one in (("ab", "1"), ("", "q"), ("a.b", "."), ("a/b", "/")):
            path = glob.removeprefix("/").replace("*", some).replace("?", one)
            paths.update((path, path.upper(), f"d/{path}", f"{path}x", f"x{path}", f"{path}/x"))
            paths.update((f"{path}\nx", f"x\n{path}", path.removeprefix(".")))
    lists = [[path, *others] for path in sorted(paths) for others in ([], ["a.safetensors"])]
    models: list[dict[str, object]] = [
        {"id": f"a/{number}", "tags": [], "siblings": [{"rfilename": name} for name in files]}
        for number, files in enumerate([[], *lists])
    ]
    models.append({"id": "a/unknown", "tags": []})
    assert_python_and_sql_agree(models, tmp_path / "h.duckdb")


def assert_python_and_sql_agree(models, db):
    def keys(mask):
        if mask is None:
            return None
        return frozenset(
            framework.key for framework in taxonomy().frameworks if mask >> framework.bit & 1
        )

    ingest_models(db, models)
    with Store.open(db) as store:
        rows = store.execute(f"SELECT id, {', '.join(MASKS)} FROM models_in(1)").fetchall()
    by_sql = {id_: tuple(map(keys, masks)) for id_, *masks in rows}
    assert len(models) == len(by_sql)
    for model in models:
        classification, with_4 = (
            hfscan.classify(model, transformers=release) for release in (5, 4)
        )
        id_ = model.get("id") or model["modelId"]
        by_python = (
            classification.tag,
            classification.weights,
            with_4.loadable,
            classification.loadable,
            classification.best,
        )
        assert by_sql[id_] == by_python, id_

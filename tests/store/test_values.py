"""Values are read correctly, or counted as unknown."""

import json
from datetime import datetime

import pytest

INSTANT = datetime(2022, 3, 2, 23, 29, 4)


@pytest.mark.parametrize(
    ("value", "instant"),
    [
        ("2023-01-01T04:00:00+05:30", datetime(2022, 12, 31, 22, 30)),
        ("2022-03-02T23:29:04.000Z", INSTANT),
        ("2022-03-02T23:29:04", INSTANT),
        ("2022-03-02 18:29:04 -0500", INSTANT),
        ("2022-03-02", datetime(2022, 3, 2)),
        ("Wed, 02 Mar 2022 23:29:04 GMT", INSTANT),
        ("Thu, 03 Mar 2022 04:59:04 +0530", INSTANT),
        (1646263744, INSTANT),
        (1646263744000, INSTANT),
        (1646263744000000, INSTANT),
        (1646263744000000000, INSTANT),
        ("1646263744", INSTANT),
        ("20220302", datetime(2022, 3, 2)),
        (20220302, datetime(2022, 3, 2)),
        ("2022-03-01T24:00:00Z", datetime(2022, 3, 2)),
        ("2022-03-01 24:00 +0100", datetime(2022, 3, 1, 23)),
        ({"$date": "2022-03-02T23:29:04Z"}, INSTANT),
        ({"$date": 1646263744000}, INSTANT),
        ({"$date": {"$numberLong": "1646263744000"}}, INSTANT),
    ],
    ids=str,
)
def test_date_is_read_as_utc(import_rows, value, instant):
    (model,), unreadable = import_rows({"id": "a/b", "createdAt": value, "lastModified": value})
    assert (model["created_at"], model["last_modified"]) == (instant, instant)
    assert unreadable == {}


@pytest.mark.parametrize(
    "value",
    ["06/01/2022", "", "yesterday", "2022-13-02T00:00:00.000Z", "epoch", "infinity", 7, 20221302,
     True, "02 Mar 2022 23:29:04 IST", "0001-01-01T00:00:00+05:30", [1], 1e300,
     "9999-12-31T23:59:59.000Z", "1677-09-21", "1900-01-01T00:00:00.000Z", "1970-01-01T00:00:00Z",
     "2015-12-31T23:59:59.000Z", "2131-01-01"],
    ids=repr,
)  # fmt: skip
def test_impossible_date_is_unreadable(import_rows, value):
    (model,), unreadable = import_rows({"id": "a/b", "createdAt": value})
    assert (model["created_at"], model["at_cutoff"]) == (None, None)
    assert model["unreadable"] == ["created_at"]
    example = value if isinstance(value, str) else json.dumps(value)
    assert unreadable == {"created_at": (1, example)}


@pytest.mark.parametrize(
    "value",
    [
        ["pytorch", "bert"],
        "['pytorch', 'bert']",
        '["pytorch", "bert"]',
        "pytorch,bert",
        "pytorch, bert",
        "['pytorch' 'bert']",  # as numpy prints it
        "array(['pytorch', 'bert'], dtype=object)",
        "('pytorch', 'bert')",
        ["['pytorch', 'bert']"],
        ["pytorch", None, "bert"],
    ],
    ids=str,
)
def test_tags_are_read_from_text(import_rows, value):
    (model,), unreadable = import_rows({"id": "a/b", "tags": value})
    assert model["tags"] == ["pytorch", "bert"]
    assert model["tag_mask"] == 1
    assert unreadable == {}


@pytest.mark.parametrize(
    "value",
    ["not a list", "pytorch;bert", "[pytorch", [{"name": "pytorch"}], {"a": 1}, 3, "3", "",
     "['a', __import__('os').getcwd()]", [["pytorch"]], [None], ["['a']", "['b']"]],
    ids=repr,
)  # fmt: skip
def test_unreadable_tags_are_unknown(import_rows, value):
    (model,), unreadable = import_rows({"id": "a/b", "tags": value})
    assert (model["tags"], model["tag_mask"], model["loadable_5_mask"]) == (None, None, None)
    assert unreadable["tags"][0] == 1


@pytest.mark.parametrize(
    "value",
    [
        [{"rfilename": "pytorch_model.bin"}, {"rfilename": "a.json"}],
        ["pytorch_model.bin", "a.json"],
        [{"path": "pytorch_model.bin"}, {"path": "a.json"}],
        "['pytorch_model.bin', 'a.json']",
        "pytorch_model.bin,a.json",
        "[RepoSibling(rfilename='pytorch_model.bin', size=None, blob_id=None, lfs=None), "
        "RepoSibling(rfilename='a.json', size=7, lfs=BlobLfsInfo(size=1, sha256='x'))]",
        [
            "RepoSibling(rfilename='pytorch_model.bin', size=None)",
            "RepoSibling(rfilename='a.json')",
        ],
        "[{'rfilename': 'pytorch_model.bin'}, {'rfilename': 'a.json'}]",
        ['{"rfilename": "pytorch_model.bin"}', '{"rfilename": "a.json"}'],
        ["{'rfilename': 'pytorch_model.bin'}", "{'rfilename': 'a.json'}"],
        ["RepoFile: {'rfilename': 'pytorch_model.bin'}", "RepoFile: {'rfilename': 'a.json'}"],
        ["['pytorch_model.bin', 'a.json']"],
    ],
    ids=str,
)
def test_files_are_read_from_text(import_rows, value):
    (model,), unreadable = import_rows({"id": "a/b", "siblings": value})
    assert model["files"] == ["pytorch_model.bin", "a.json"]
    assert model["weights_mask"] == 1
    assert unreadable == {}


@pytest.mark.parametrize(
    "value",
    ["RepoSibling(size=1)", [{"size": 1}], [3], 3, "3", "", {"a.bin": 1}, ["a.bin", {"x": 1}],
     [{"rfilename": {"a": 1}}], "12 files", "none", [None], [{"rfilename": ["a"]}],
     ["<huggingface_hub.hf_api.RepoSibling object at 0x7f3a>"], ["RepoFile: {...}"],
     ["['a.bin']", "['b.bin']"], [{"rfilename": 123}, {"rfilename": "a.bin"}], ["a.bin", 1.5],
     [{"rfilename": True}]],
    ids=repr,
)  # fmt: skip
def test_unreadable_files_leave_weights_unknown(import_rows, value):
    (model,), unreadable = import_rows({"id": "a/b", "tags": [], "siblings": value})
    assert (model["files"], model["weights_mask"], model["tag_mask"]) == (None, None, 0)
    assert unreadable["files"][0] == 1


@pytest.mark.parametrize(
    "text", ["RepoSibling(rfilename='tf_model.h5', size=None)", "['tf_model.h5']",
             '{"rfilename": "tf_model.h5"}', "{'rfilename': 'tf_model.h5'}"],
)  # fmt: skip
def test_one_file_in_text_is_read(import_rows, text):
    (model,), unreadable = import_rows({"id": "a/b", "siblings": [text]})
    assert (model["files"], model["weights_mask"] & 2, unreadable) == (["tf_model.h5"], 2, {})


def test_unusual_file_names_are_unchanged(import_rows):
    names = [
        "123",
        "1e5",
        "true",
        "part 2 of 3.bin",
        "[v1] a.bin",
        "(1).bin",
        "{{cookie}}/a.py",
        "a (v=2).bin",
    ]
    (model,), unreadable = import_rows(
        {"id": "a/b", "siblings": [{"rfilename": name} for name in names]}
    )
    assert (model["files"], unreadable) == (names, {})


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (2**63 - 1, 2**63 - 1),
        (12.0, 12),
        ("1234", 1234),
        ("12.0", 12),
        ({"$numberLong": "12"}, 12),
        (2**63, None),
        (2**64 - 1, None),
        (10**400, None),
        (-1, None),
        (1.5, None),
        ("1,234", None),
        (True, None),
        ("many", None),
    ],
    ids=lambda item: str(item)[:24],
)
def test_count_is_kept_or_unreadable(import_rows, value, count):
    fields = {"downloads": value, "likes": value, "downloadsAllTime": value}
    (model,), unreadable = import_rows({"id": "a/b", **fields, "safetensors": {"total": value}})
    columns = ("downloads", "likes", "downloads_all_time", "parameters")
    assert [model[name] for name in columns] == [count] * 4
    assert set(unreadable) == (set() if count is not None else set(columns))


@pytest.mark.parametrize(
    ("value", "gated", "disabled"),
    [
        *(
            (value, "false", False)
            for value in ("False", " f ", "no", "N", "off", "0", "0.0", 0, 0.0)
        ),
        *((value, "true", True) for value in ("true", "T", "yes", "y", "ON", "1", "1.0", 1, True)),
        *((value, None, None) for value in ("", " ", "nan", "N/A", None)),
    ],
    ids=repr,
)
def test_flag_is_read_in_every_spelling(import_rows, value, gated, disabled):
    row = {"gated": value, "disabled": value, "private": value}
    models, unreadable = import_rows({"id": "a/b", **row}, {"id": "a/c"})
    if disabled:
        assert ([model["id"] for model in models], import_rows.result.private) == (["a/c"], 1)
        import_rows({"id": "a/b", **row, "private": False}, {"id": "a/c"})
        (model, _), unreadable = import_rows({"id": "a/b", **row, "private": None}, {"id": "a/c"})
    else:
        model, _ = models
    assert (model["gated"], model["disabled"], unreadable) == (gated, disabled, {})


def test_model_of_unknown_privacy_is_left_out(import_rows):
    models, unreadable = import_rows(
        {"id": "a/b", "private": "perhaps"}, {"id": "a/c", "private": "False"}
    )
    assert [model["id"] for model in models] == ["a/c"]
    assert (import_rows.result.private, import_rows.result.maybe_private) == (0, 1)
    assert unreadable == {"private": (1, "perhaps")}


def test_unknown_gate_is_unreadable(import_rows):
    (model,), unreadable = import_rows({"id": "a/b", "gated": "somehow"})
    assert (model["gated"], unreadable) == (None, {"gated": (1, "somehow")})


@pytest.mark.parametrize("word", ["None", "nan", "NaN", "null", "NULL", "NaT", "<NA>", "N/A"])
def test_word_for_null_is_null(import_rows, word):
    fields = ("author", "sha", "library_name", "pipeline_tag", "gated")
    (model,), unreadable = import_rows(
        {"id": "a/b", "config": {"model_type": word}, **dict.fromkeys(fields, word)}, {"id": word}
    )
    assert model["author"] == "a"
    assert [model[name] for name in (*fields[1:], "model_type")] == [None] * 5
    assert (import_rows.result.missing_id, unreadable) == (1, {})


def test_repo_id_has_one_object_id(import_rows):
    rows = [{"_id": OBJECT_ID[:-1] + digit, "id": "a/b", "likes": int(digit)} for digit in "396"]
    (model,), _ = import_rows(*rows, {"id": "a/b", "likes": 0})
    result = import_rows.result
    assert (model["likes"], result.duplicates) == (9, 0)
    assert (result.shared_ids, result.shared_id) == (3, "a/b")


OBJECT_ID = "621ffdc036468d709f174338"


@pytest.mark.parametrize(
    ("row", "key", "id_", "author"),
    [
        ({"id": 1, "modelId": "acme/x"}, "acme/x", "acme/x", "acme"),
        ({"id": "", "modelId": "acme/x"}, "acme/x", "acme/x", "acme"),
        ({"_id": {"$oid": OBJECT_ID}, "id": "acme/x"}, OBJECT_ID, "acme/x", "acme"),
        ({"_id": OBJECT_ID.upper(), "id": "acme/x"}, OBJECT_ID, "acme/x", "acme"),
        ({"_id": 5, "id": "acme/x"}, "acme/x", "acme/x", "acme"),
        ({"_id": "", "id": "acme/x"}, "acme/x", "acme/x", "acme"),
        ({"_id": OBJECT_ID, "id": OBJECT_ID, "modelId": "a/x"}, OBJECT_ID, "a/x", "a"),
        ({"id": "https://huggingface.co/acme/x"}, "acme/x", "acme/x", "acme"),
        ({"id": "https://huggingface.co/acme/x/tree/main?x=1"}, "acme/x", "acme/x", "acme"),
        ({"id": "https://huggingface.co/gpt2"}, "gpt2", "gpt2", None),
        ({"id": "hf.co/gpt2"}, "gpt2", "gpt2", None),
        ({"id": " acme/x\n"}, "acme/x", "acme/x", "acme"),
        ({"id": "models/acme/x"}, "acme/x", "acme/x", "acme"),
        ({"id": "acme/x", "author": ""}, "acme/x", "acme/x", "acme"),
        ({"id": "acme/x", "author": 7}, "acme/x", "acme/x", "acme"),
        ({"id": "acme/x", "author": "ACME"}, "acme/x", "acme/x", "ACME"),
    ],
    ids=str,
)
def test_identity_is_read(import_rows, row, key, id_, author):
    (model,), _ = import_rows(row)
    assert (model["key"], model["id"], model["author"]) == (key, id_, author)
    assert import_rows.result.missing_id == 0


@pytest.mark.parametrize(
    "row",
    [
        {"id": None}, {}, {"id": ""}, {"id": " "}, {"id": 1}, {"_id": OBJECT_ID},
        {"_id": OBJECT_ID, "id": None}, {"id": "datasets/acme/x"}, {"id": "datasets/squad"},
        {"id": "https://huggingface.co/datasets/acme/x"}, {"id": "https://example.com/a/b"},
        {"id": "acme/"}, {"id": "a/b/c"}, {"id": "https://huggingface.co/"}, {"id": "https://hf.co/"},
        {"id": "hf.co"}, {"id": "/"}, {"id": "https://huggingface.co/models"},
        {"id": "https://huggingface.co/docs/transformers"}, {"id": "https://hf.co/spaces/a/b"},
        {"id": "https://huggingface.co/blog/x"}, {"id": "https://huggingface.co/tree/main"},
    ],
    ids=str,
)  # fmt: skip
def test_row_without_loadable_id_is_left_out(import_rows, row):
    models, unreadable = import_rows({"tags": [], **row}, {"id": "a/b", "tags": []})
    assert [model["id"] for model in models] == ["a/b"]
    assert import_rows.result.missing_id == 1
    assert unreadable == {}


def test_nested_objects_are_read_from_text(import_rows):
    (model,), unreadable = import_rows(
        {
            "id": "a/b",
            "config": "{'model_type': 'bert', 'architectures': ['BertModel']}",
            "safetensors": "SafeTensorsInfo(parameters={'F32': 7}, total=7)",
            "baseModels": {"relation": "adapter", "models": ["some/base"]},
        }
    )
    assert (model["model_type"], model["architectures"]) == ("bert", ["BertModel"])
    assert (model["parameters"], model["base_models"]) == (7, ["some/base"])
    assert unreadable == {}


def test_number_is_no_base_model(import_rows):
    row = {"id": "a/b", "baseModels": {"relation": "adapter", "models": [{"id": 7}]}}
    (model,), unreadable = import_rows(row)
    assert (model["base_models"], model["base_relation"]) == (None, "adapter")
    assert unreadable == {"base_models": (1, '[{"id": 7}]')}


def test_repaired_row_stays_in_order_of_duplicates(import_rows):
    rows = [{"id": "a/b", "tags": "pytorch"}, {"id": "a/b", "tags": ["tf"]}]
    assert import_rows(*rows)[0][0]["tags"] == ["tf"]
    assert import_rows(*reversed(rows))[0][0]["tags"] == ["pytorch"]

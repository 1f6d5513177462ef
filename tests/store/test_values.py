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
def test_date_is_read_as_utc(import_case, value, instant):
    model = import_case(lambda value, _: {"createdAt": value, "lastModified": value})
    assert (model["created_at"], model["last_modified"]) == (instant, instant)
    assert model["unreadable"] is None


@pytest.mark.parametrize(
    "value",
    ["06/01/2022", "", "yesterday", "2022-13-02T00:00:00.000Z", "epoch", "infinity", 7, 20221302,
     True, "02 Mar 2022 23:29:04 IST", "0001-01-01T00:00:00+05:30", [1], 1e300,
     "9999-12-31T23:59:59.000Z", "1677-09-21", "1900-01-01T00:00:00.000Z", "1970-01-01T00:00:00Z",
     "2015-12-31T23:59:59.000Z", "2131-01-01"],
    ids=repr,
)  # fmt: skip
def test_impossible_date_is_unreadable(import_case, value):
    model = import_case(lambda value: {"createdAt": value})
    assert (model["created_at"], model["at_cutoff"]) == (None, None)
    assert model["unreadable"] == ["created_at"]


@pytest.mark.parametrize("value", ["06/01/2022", "", "2131-01-01", 7, 20221302, True, [1], 1e300],
    ids=repr)  # fmt: skip
def test_unreadable_date_is_shown(import_rows, value):
    _, unreadable = import_rows({"id": "a/b", "createdAt": value})
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
def test_tags_are_read_from_text(import_case, value):
    model = import_case(lambda value: {"tags": value})
    assert model["tags"] == ["pytorch", "bert"]
    assert model["tag_mask"] == 1
    assert model["unreadable"] is None


@pytest.mark.parametrize(
    "value",
    ["not a list", "pytorch;bert", "[pytorch", [{"name": "pytorch"}], {"a": 1}, 3, "3", "",
     "['a', __import__('os').getcwd()]", [["pytorch"]], [None], ["['a']", "['b']"]],
    ids=repr,
)  # fmt: skip
def test_unreadable_tags_are_unknown(import_case, value):
    model = import_case(lambda value: {"tags": value})
    assert (model["tags"], model["tag_mask"], model["loadable_5_mask"]) == (None, None, None)
    assert model["unreadable"] == ["tags"]


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
def test_files_are_read_from_text(import_case, value):
    model = import_case(lambda value: {"siblings": value})
    assert model["files"] == ["pytorch_model.bin", "a.json"]
    assert model["weights_mask"] == 1
    assert model["unreadable"] is None


@pytest.mark.parametrize(
    "value",
    ["RepoSibling(size=1)", [{"size": 1}], [3], 3, "3", "", {"a.bin": 1}, ["a.bin", {"x": 1}],
     [{"rfilename": {"a": 1}}], "12 files", "none", [None], [{"rfilename": ["a"]}],
     ["<huggingface_hub.hf_api.RepoSibling object at 0x7f3a>"], ["RepoFile: {...}"],
     ["['a.bin']", "['b.bin']"], [{"rfilename": 123}, {"rfilename": "a.bin"}], ["a.bin", 1.5],
     [{"rfilename": True}]],
    ids=repr,
)  # fmt: skip
def test_unreadable_files_leave_weights_unknown(import_case, value):
    model = import_case(lambda value: {"tags": [], "siblings": value})
    assert (model["files"], model["weights_mask"], model["tag_mask"]) == (None, None, 0)
    assert model["unreadable"] == ["files"]


@pytest.mark.parametrize(
    "text", ["RepoSibling(rfilename='tf_model.h5', size=None)", "['tf_model.h5']",
             '{"rfilename": "tf_model.h5"}', "{'rfilename': 'tf_model.h5'}"],
)  # fmt: skip
def test_one_file_in_text_is_read(import_case, text):
    model = import_case(lambda text: {"siblings": [text]})
    assert (model["files"], model["weights_mask"] & 2) == (["tf_model.h5"], 2)
    assert model["unreadable"] is None


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
def test_count_is_kept_or_unreadable(import_case, value, count):
    model = import_case(
        lambda value, _: {
            **dict.fromkeys(("downloads", "likes", "downloadsAllTime"), value),
            "safetensors": {"total": value},
        }
    )
    columns = ("downloads", "likes", "downloads_all_time", "parameters")
    assert [model[name] for name in columns] == [count] * 4
    assert {*(model["unreadable"] or ())} == (set() if count is not None else {*columns})


FALSE = ("False", " f ", "no", "N", "off", "0", "0.0", 0, 0.0)
TRUE = ("true", "T", "yes", "y", "ON", "1", "1.0", 1, True)
NULL = ("", " ", "nan", "N/A", None)


@pytest.mark.parametrize(
    ("value", "gated", "disabled"),
    [
        *((value, "false", False) for value in FALSE),
        *((value, "true", True) for value in TRUE),
        *((value, None, None) for value in NULL),
    ],
    ids=repr,
)
def test_flag_is_read_in_every_spelling(import_case, value, gated, disabled):
    model = import_case(lambda value, *_: {"gated": value, "disabled": value})
    assert (model["gated"], model["disabled"], model["unreadable"]) == (gated, disabled, None)


@pytest.mark.parametrize("value", [*FALSE, *TRUE, *NULL], ids=repr)
def test_private_model_is_left_out(import_case, value):
    model = import_case(lambda value: {"private": value})
    assert (model is None) == (value in TRUE)
    if model is not None:
        assert model["unreadable"] is None


def test_private_models_are_counted(import_rows):
    import_rows(*({"id": f"a/{n}", "private": value} for n, value in enumerate((*FALSE, *TRUE))))
    assert (import_rows.result.models, import_rows.result.private) == (len(FALSE), len(TRUE))


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


WORDS_FOR_NULL = ["None", "nan", "NaN", "null", "NULL", "NaT", "<NA>", "N/A"]


@pytest.mark.parametrize("word", WORDS_FOR_NULL)
def test_word_for_null_is_null(import_case, word):
    fields = ("author", "sha", "library_name", "pipeline_tag", "gated")
    model = import_case(
        lambda word: {"config": {"model_type": word}, **dict.fromkeys(fields, word)}
    )
    assert model["author"] == "a"
    assert [model[name] for name in (*fields[1:], "model_type")] == [None] * 5
    assert model["unreadable"] is None


def test_repo_id_has_one_object_id(import_rows):
    rows = [{"_id": OBJECT_ID[:-1] + digit, "id": "a/b", "likes": int(digit)} for digit in "396"]
    (model,), _ = import_rows(*rows, {"id": "a/b", "likes": 0})
    result = import_rows.result
    assert (model["likes"], result.duplicates) == (9, 0)
    assert (result.shared_ids, result.shared_id) == (3, "a/b")


OBJECT_ID = "621ffdc036468d709f174338"


def object_id(last: str) -> str:
    return OBJECT_ID[:-1] + last


@pytest.mark.parametrize(
    ("row", "key", "id_", "author"),
    [
        ({"_id": {"$oid": object_id("1")}, "id": "acme/1"}, object_id("1"), "acme/1", "acme"),
        ({"_id": object_id("a").upper(), "id": "acme/2"}, object_id("a"), "acme/2", "acme"),
        ({"_id": 5, "id": "acme/3"}, "acme/3", "acme/3", "acme"),
        ({"_id": "", "id": "acme/4"}, "acme/4", "acme/4", "acme"),
        ({"_id": OBJECT_ID, "id": OBJECT_ID, "modelId": "a/x"}, OBJECT_ID, "a/x", "a"),
        ({"id": "https://huggingface.co/acme/5"}, "acme/5", "acme/5", "acme"),
        ({"id": "https://huggingface.co/acme/6/tree/main?x=1"}, "acme/6", "acme/6", "acme"),
        ({"id": "https://huggingface.co/gpt2"}, "gpt2", "gpt2", None),
        ({"id": "hf.co/gpt3"}, "gpt3", "gpt3", None),
        ({"id": " acme/7\n"}, "acme/7", "acme/7", "acme"),
        ({"id": "models/acme/8"}, "acme/8", "acme/8", "acme"),
        ({"id": "acme/9", "author": ""}, "acme/9", "acme/9", "acme"),
        ({"id": "acme/10", "author": 7}, "acme/10", "acme/10", "acme"),
        ({"id": "acme/11", "author": "ACME"}, "acme/11", "acme/11", "ACME"),
    ],
    ids=str,
)
def test_identity_is_read(import_case, row, key, id_, author):
    model = import_case(lambda row, *_: row)
    assert (model["key"], model["id"], model["author"]) == (key, id_, author)


@pytest.mark.parametrize("id_", [1, ""])
def test_model_id_replaces_an_unusable_id(import_rows, id_):
    (model,), _ = import_rows({"id": id_, "modelId": "acme/x"})
    assert (model["key"], model["id"], model["author"]) == ("acme/x", "acme/x", "acme")
    assert import_rows.result.missing_id == 0


@pytest.mark.parametrize(
    "row",
    [
        {"id": " "}, {"_id": OBJECT_ID, "id": OBJECT_ID}, {"id": "datasets/acme/x"},
        {"id": "datasets/squad"}, {"id": "https://huggingface.co/datasets/acme/x"},
        {"id": "https://example.com/a/b"}, {"id": "acme/"}, {"id": "a/b/c"},
        {"id": "https://huggingface.co/"}, {"id": "https://hf.co/"}, {"id": "hf.co"}, {"id": "/"},
        {"id": "https://huggingface.co/models"}, {"id": "https://huggingface.co/docs/transformers"},
        {"id": "https://hf.co/spaces/a/b"}, {"id": "https://huggingface.co/blog/x"},
        {"id": "https://huggingface.co/tree/main"}, *({"id": word} for word in WORDS_FOR_NULL),
    ],
    ids=str,
)  # fmt: skip
def test_row_without_loadable_id_is_left_out(import_case, row):
    assert import_case(lambda row: row) is None


@pytest.mark.parametrize(
    "row", [{"id": None}, {}, {"id": ""}, {"id": 1}, {"_id": OBJECT_ID},
            {"_id": OBJECT_ID, "id": None}, {"id": "datasets/squad"}], ids=str,
)  # fmt: skip
def test_row_without_id_is_counted(import_rows, row):
    """Alone in a file: some of these rows change how all others are read."""
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

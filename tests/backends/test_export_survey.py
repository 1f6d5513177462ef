"""The survey of exports continues where it stopped, and lists what it could not check."""

import json

import pytest
from exports import append_row, markdown, read_rows

CASE = {"verdict": "agree", "reason": "", "notes": [], "rel_l2": 2e-7}
VERSIONS = {"versions": {"torch": "2.13.0"}, "architectures": 532}


@pytest.fixture
def rows():
    cases = dict.fromkeys(("pytorch", "torch-export", "openvino", "executorch"), CASE)
    fault = {
        "verdict": "does not load",
        "reason": "an op_name is missing",
        "notes": [],
        "rel_l2": None,
    }
    return [
        {
            "name": "bert",
            "architecture": "BertModel",
            "cases": {**cases, "onnx": fault},
            **VERSIONS,
        },
        {"name": "auto_x", "fault": "two calls give different outputs", **VERSIONS},
    ]


@pytest.mark.parametrize("rest", ["", '{"name": "cut off', "\n"])
def test_survey_continues_after_an_interruption(tmp_path, rows, rest):
    journal = tmp_path / "survey.jsonl"
    assert read_rows(journal) == {}
    append_row(journal, rows[0])
    with journal.open("a") as file:
        file.write(rest)
    append_row(journal, rows[1])
    assert list(read_rows(journal)) == ["bert", "auto_x"]
    assert json.loads(journal.read_text().splitlines()[0]) == rows[0]


def test_table_lists_what_was_not_checked(rows):
    text = markdown(rows)
    assert "2 of the 532 architectures were tried" in text
    assert "| bert | BertModel | 2.0e-07 | 2.0e-07 | does not load | 2.0e-07 | 2.0e-07 |" in text
    assert "| ONNX | 1 | does not load: 1 |" in text
    assert "- bert, ONNX: an op\\_name is missing" in text
    assert "- auto\\_x: two calls give different outputs" in text

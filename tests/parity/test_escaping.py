"""Text from checkpoints and backends is escaped in every format."""

import html.parser
import io
import json
import re
from datetime import UTC, datetime

import duckdb
import pytest

from hfscan.parity import report, sections
from hfscan.parity.result import new_result_without_run
from hfscan.store import Store
from hfscan.store.parity import record_run

HOSTILE = {
    "pipe": "a | b",
    "backtick": "`rm -rf ~`",
    "script": "<script>alert(1)</script>",
    "link": "[x](javascript:alert(1))",
    "image": "![x](https://example.org/x.png)",
    "bidi": "safe\u202efdp.exe",
    "lines": "one\n\n# two\r\n| three |",
    "cursor": "\x1b[2J\x9b2J\x07",
    "surrogate": "half \ud800 of a pair",
    "nul": "a\x00b",
}


def document(text):
    result = new_result_without_run(text, text, "float32", f"{text}.bin")
    result.notes = [text]
    return sections.new_document([result], {"notes": [text], "threads": 1}, datetime.now(UTC))


def write(name, text):
    out = io.StringIO()
    report.FORMATS[name](document(text), out)
    return out.getvalue()


class Tags(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = set()

    def handle_starttag(self, tag, attrs):
        self.found.add(tag)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_markdown_shows_hostile_text_as_text(text):
    page = write("md", text)
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert len(rows) == 3
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {8}
    assert not re.search(r"(?<!\\)[`<\[!#]", page)
    assert all(char.isprintable() or char == "\n" for char in page)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_html_holds_no_markup_of_hostile_text(text):
    page, parser = write("html", text), Tags()
    parser.feed(page)
    plain = Tags()
    plain.feed(write("html", "bert"))
    assert parser.found == plain.found
    assert all(char.isprintable() or char == "\n" for char in page)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_terminal_output_holds_no_control_codes(text):
    page = write("terminal", text)
    assert all(char.isprintable() or char == "\n" for char in page)
    assert len(page.splitlines()) == 5


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_json_and_database_hold_hostile_text(text, tmp_path):
    (case,) = json.loads(write("json", text))["cases"]
    expected = text.replace("\ud800", "?")
    assert case["checkpoint"] == case["reason"] == expected
    db = tmp_path / "h.duckdb"
    with Store.open(db, write=True) as store:
        record_run(store, document(text))
    with duckdb.connect(db, read_only=True) as connection:
        ((stored,),) = connection.execute("SELECT checkpoint FROM parity_cases").fetchall()
    assert stored == expected

"""Text from checkpoints and backends is escaped in every format."""

import html.parser
import io
import json
import re
from collections import Counter
from datetime import UTC, datetime

import duckdb
import pytest
from parity_runs import record_run

from hfscan.parity import sections
from hfscan.parity.result import new_result_without_run
from hfscan.store import Store
from hfscan.text import sanitize

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


def make_document(text):
    result = new_result_without_run(text, text, "float32", f"{text}.bin")
    result.notes = [text]
    return sections.new_document([result], {"notes": [text], "threads": 1}, datetime.now(UTC))


def render(name, text):
    out = io.StringIO()
    sections.write(make_document(text), name, out)
    return out.getvalue()


class TagCounter(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.counts = Counter()

    def handle_starttag(self, tag, attrs):
        self.counts[tag] += 1


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_markdown_shows_hostile_text_as_text(text):
    page = render("md", text)
    rows = [line for line in page.splitlines() if line.startswith("|")]
    pipes = [len(re.findall(r"(?<!\\)\|", row)) for row in rows]
    assert pipes == [8, 8, 8, 7, 7, 7, 3, 3, 3]  # three tables of one row
    headings = [line for line in page.splitlines() if line.startswith("#")]
    verdicts = "## Verdicts by checkpoint and backend"
    assert headings == ["# Parity of 1 checkpoint", verdicts, "## Cases", "## Details"]
    text_lines = [line for line in page.splitlines() if not line.startswith("#")]
    assert not re.search(r"(?<!\\)[`<\[!#]", "\n".join(text_lines))
    assert all(char.isprintable() or char == "\n" for char in page)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_html_holds_no_markup_of_hostile_text(text):
    page, counter = render("html", text), TagCounter()
    counter.feed(page)
    plain_counter = TagCounter()
    plain_counter.feed(render("html", "bert"))
    assert counter.counts == plain_counter.counts
    content = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)
    assert all(char.isprintable() or char == "\n" for char in content)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_terminal_output_holds_no_control_codes(text):
    page = render("terminal", text)
    assert all(char.isprintable() or char == "\n" for char in page)
    # words of the same lengths take as many lines
    plain = re.sub(r"\S", "x", sanitize(text))
    assert len(page.splitlines()) == len(render("terminal", plain).splitlines())


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_json_and_database_hold_hostile_text(text, tmp_path):
    (case,) = json.loads(render("json", text))["cases"]
    expected = text.replace("\ud800", "?")
    assert case["checkpoint"] == case["reason"] == expected
    db = tmp_path / "h.duckdb"
    with Store.open(db, write=True) as store:
        record_run(store, make_document(text))
    with duckdb.connect(db, read_only=True) as connection:
        ((checkpoint,),) = connection.execute("SELECT checkpoint FROM parity_cases").fetchall()
    assert checkpoint == expected

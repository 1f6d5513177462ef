"""What pages hold in a browser: marks, tables, downloads, and no text of the Hub as markup."""

import base64
import json
import re

import pytest
from browser_pages import ODD_NAMES, WIDE, draw_all, wait_until
from page_numbers import collect_numbers, find_numbers

from hfscan.report.writers.csv_ import section_rows, to_csv
from hfscan.text import sanitize

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("format_", "head"), [("png", b"\x89PNG"), ("svg", b"<svg")])
def test_charts_download_as_images(open_report, format_, head):
    page = open_report("year", color_scheme="dark")
    with page.expect_download() as download:
        page.locator(f"#by_task [data-save={format_}]").click()
    assert download.value.suggested_filename == f"by_task.{format_}"
    data = download.value.path().read_bytes()
    assert data.startswith(head)
    assert b"var(" not in data
    if format_ == "svg":
        text = data.decode()
        assert "Source: hfscan" in text
        assert "SYNTHETIC" in text


def test_tables_sort_and_sql_opens(open_report):
    page = open_report("year")
    draw_all(page)  # a chart drawn under the pointer would take the click
    table = page.locator("#by_task table")
    page.locator("#by_task details.table summary").click()
    heading = table.locator("thead th").nth(-2)  # before the coverage
    read_counts = lambda: [  # noqa: E731
        int(text.replace(",", ""))
        for text in table.locator("tbody td:nth-last-child(2)").all_inner_texts()
    ]
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    assert read_counts() == sorted(read_counts(), reverse=True)
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert read_counts() == sorted(read_counts())
    sql = page.locator("#by_task pre")
    assert not sql.is_visible()
    page.locator("#by_task details.sql summary").click()
    assert sql.is_visible()
    assert "hfscan query exclusivity" in sql.inner_text()
    assert "SELECT" in sql.inner_text()


def test_chart_of_parity_draws_what_was_compared(open_report):
    """Verdicts differ in colour and in shape; what was not compared has a label, and no mark."""
    page = open_report("parity-run")
    draw_all(page)
    marks = page.locator("#differences .live [aria-roledescription=point]")
    found = {
        label.split(";")[0]: (fill, len(path))
        for label, fill, path in marks.evaluate_all(
            "all => all.map((e) => [e.ariaLabel, getComputedStyle(e).fill, e.getAttribute('d')])"
        )
    }
    assert len(found) == 2
    assert len(set(found.values())) == 2
    texts = page.locator("#differences .live svg text").all_text_contents()
    assert {"ann/bert, PyTorch", "does not load", "unsupported", "1.0e-02"} <= set(texts)
    assert "outputs differ" in texts  # in the legend
    page.locator("#differences details.sql summary").click()
    assert page.locator("#differences pre").inner_text().strip() == "hfscan parity ann/bert"


def test_marks_describe_their_numbers(open_report):
    page = open_report("year")
    draw_all(page)
    mark = page.locator("#breakdown .live svg [aria-label]").first
    mark.hover()
    assert "PyTorch only" in mark.get_attribute("aria-label")
    assert page.locator("#hint").inner_text() == mark.get_attribute("aria-label")


def test_legend_selects_a_series(open_report):
    page = open_report("year")
    draw_all(page)
    bars = page.locator("#breakdown .live [aria-roledescription=bar]")
    assert "PyTorch only" in bars.first.get_attribute("aria-label")
    bar_count = bars.count()
    page.locator("#breakdown .live .role-legend-label text").nth(1).click()
    wait_until(
        page,
        "![...document.querySelectorAll('#breakdown .live [aria-roledescription=bar]')]"
        ".some((mark) => mark.ariaLabel.includes('PyTorch only'))",
    )
    labels = bars.evaluate_all("all => all.map((mark) => mark.ariaLabel)")
    assert 0 < len(labels) < bar_count
    assert all("TensorFlow only" in label for label in labels)
    hint = "(e) => getComputedStyle(e, '::after').content"
    assert "Click a name" in page.locator("#breakdown .live").evaluate(hint)
    draw_all(page := open_report("parity-one"))
    assert page.locator("#differences .live").evaluate(hint) == "none"  # there is one series


def test_sections_link_to_their_csv(open_report, year_report):
    page = open_report("year")
    for section in year_report.sections:
        link = page.locator(f"#{section.name} a[download]")
        assert link.get_attribute("download") == f"{section.name}.csv"
        kind, _, data = link.get_attribute("href").partition(",")
        assert kind == "data:text/csv;charset=utf-8;base64"
        assert base64.b64decode(data).decode() == to_csv(section_rows(section))


@pytest.mark.parametrize("name", ["year", "overview", "hostile", "claims", "parity", "compare"])
def test_page_numbers_are_in_the_json(open_drawn, files, name):
    """Check the headline and highlights, every table, and every mark of every chart."""
    report = json.loads((files / f"{name}.json").read_text("utf-8"))
    expected = collect_numbers(report)
    page = open_drawn(name, *WIDE)
    cells = page.locator("td, .highlights, .headline, h1, h2").all_text_contents()
    marks = page.locator(".live svg [aria-label]").evaluate_all(
        "all => all.map((e) => e.ariaLabel)"
    )
    texts = page.locator(".live svg text").all_text_contents()
    marks += [text for text in texts if not text.endswith("…")]  # the mark describes it in full
    assert len(cells) > 15
    assert len(marks) > 5
    axis_label = re.compile(r"[\d.]+%|[\d.]+[kM]?|[\d.]+e[-+]\d+|[\d,]+")  # ticks are not results
    for text in cells + [mark for mark in marks if not axis_label.fullmatch(mark)]:
        for number in find_numbers(text):
            assert number in expected | {"30"}, (number, text)  # 30-day downloads


@pytest.mark.parametrize(
    "name", ["hostile", "hostile-all", "hostile-compare", "hostile-claims", "parity", "parity-run"]
)
def test_hostile_text_is_not_markup(open_report, name):
    page = open_report(name)
    assert page.evaluate("typeof hit") == "undefined"
    draw_all(page)
    assert page.locator("script:not([type='application/json'])").count() == 2
    assert page.locator("img, iframe, object, embed, foreignObject").count() == 0
    assert page.evaluate(
        "[...document.querySelectorAll('*')].every("
        "(element) => [...element.attributes].every((a) => !a.name.startsWith('on')))"
    )
    if name != "hostile-claims":  # claims quote no model
        text = page.locator("body").inner_text()
        assert "onerror" in text
        assert "{{7*7}}" in text
    page.locator("summary").evaluate_all("all => all.forEach((summary) => summary.click())")
    page.wait_for_timeout(200)
    assert page.evaluate("typeof hit") == "undefined"


def test_live_charts_show_odd_names(open_report):
    page = open_report("odd")
    draw_all(page)
    live_texts = page.locator(".live svg text").all_text_contents()
    static_texts = page.locator(".still.wide svg text").all_text_contents()
    for name in map(sanitize, ODD_NAMES):
        assert name in {text.strip() for text in live_texts} | set(live_texts), name
        assert name in {text.strip() for text in static_texts} | set(static_texts), name
    marks = page.locator(".live [aria-roledescription=bar]")
    labels = marks.evaluate_all("all => all.map((mark) => mark.ariaLabel)")
    for name in map(sanitize, ODD_NAMES):
        assert any(
            label.startswith(f"{name}: PyTorch only 66.7 % *, 2 of 3") for label in labels
        ), name

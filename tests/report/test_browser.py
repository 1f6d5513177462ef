"""The HTML report in a browser, opened from the disk.

Screenshots at three widths, in light, dark and print are written to build/reports/. The test of
accessibility needs axe-core: `npm install --prefix build axe-core@4.14.1`.
"""

import base64
import json
import os
import re
import shutil

import pytest
from browser_pages import (
    COMMANDS,
    FLAGS,
    ODD_NAMES,
    PARITY_RUNS,
    build_hostile_reports,
    build_odd_report,
    create_database,
    draw_all,
    open_page,
    wait_until,
    write_pages,
)  # fmt: skip
from page_numbers import collect_numbers, find_numbers

from hfscan.figures import SnapshotView
from hfscan.report import ReportRequest, build
from hfscan.report.writers.csv_ import section_rows, to_csv
from hfscan.store import Store
from hfscan.text import sanitize

pytestmark = pytest.mark.browser
WIDTHS = (360, 768, 1280)
AXE = "build/node_modules/axe-core/axe.min.js"


@pytest.fixture(scope="module")
def browser():
    """Chromium; the test is skipped if it is missing, unless HFSCAN_TEST_BROWSER names it."""
    name = os.environ.get("HFSCAN_TEST_BROWSER")
    executable = shutil.which(name or "chromium") or (not name and shutil.which("google-chrome"))
    if not executable:
        assert not name, f"no browser {name}"
        pytest.skip("no Chromium on this machine")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def hostile_reports(tmp_path_factory):
    with build_hostile_reports(tmp_path_factory.mktemp("census") / "h.duckdb") as reports:
        yield reports


@pytest.fixture(scope="module")
def odd_report(tmp_path_factory):
    with build_odd_report(tmp_path_factory.mktemp("census") / "h.duckdb") as report:
        yield report


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    return create_database(tmp_path_factory.mktemp("census") / "h.duckdb")


@pytest.fixture(scope="module")
def year_report(database):
    with Store.open(database) as store:
        yield build(SnapshotView.choose(store, None), ReportRequest(2022))


@pytest.fixture(scope="module")
def files(hostile_reports, odd_report, year_report, database, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    write_pages(folder, database, hostile_reports | {"odd": odd_report, "year": year_report})
    return folder


def test_html_page_is_small(files):
    for page in files.glob("*.html"):
        assert page.stat().st_size < 5_000_000


@pytest.fixture
def open_report(browser, files):
    """Return a function that opens a report; check that pages request nothing and log no error."""
    opened = []

    def open_(name, width=1280, height=900, **options):
        opened.append(open_page(browser, files / f"{name}.html", width, height, **options))
        return opened[-1][0]

    yield open_
    for page, _ in opened:
        page.context.close()
    assert [messages for _, messages in opened if messages] == []


@pytest.fixture(scope="module")
def drawn_pages():
    return {}  # name and look -> what `open_page` returned


@pytest.fixture
def open_drawn(browser, files, drawn_pages):
    """Return a function that opens a report and draws all charts; it checks as `open_report` does.

    Drawing takes longest: the page stays open for other tests, which only look at it.
    """
    used = []

    def open_(name, width, scheme):
        if (name, width, scheme) not in drawn_pages:
            opened = open_page(browser, files / f"{name}.html", width, 900, color_scheme=scheme)
            draw_all(opened[0])
            drawn_pages[name, width, scheme] = opened
        used.append(drawn_pages[name, width, scheme])
        return used[-1][0]

    yield open_
    assert [messages for _, messages in used if messages] == []


NARROW, WIDE = (360, "dark"), (1440, "light")
"""The looks of `open_drawn`."""
LOOKS = [("year", width, scheme) for width in WIDTHS for scheme in ("light", "dark")]
LOOKS += [
    (name, width, scheme)
    for name in ("overview", "compare", "claims", "parity", *PARITY_RUNS)
    for width, scheme in ((360, "dark"), (768, "light"), (1280, "light"))
]


@pytest.mark.parametrize(("name", "width", "scheme"), LOOKS)
def test_page_draws_charts_at_every_width(open_report, open_drawn, request, name, width, scheme):
    if (width, scheme) == NARROW:
        page = open_drawn(name, width, scheme)
    else:
        draw_all(page := open_report(name, width, color_scheme=scheme))
    screenshot_folder = request.config.rootpath / "build" / "reports"
    screenshot_folder.mkdir(parents=True, exist_ok=True)
    # smaller and faster than PNG: some pages are very long
    screenshot = screenshot_folder / f"{name}-{width}-{scheme}.jpeg"
    page.screenshot(path=screenshot, quality=80, full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    figures = page.locator("figure").all()
    assert len(figures) >= {"year": 8, "overview": 8}.get(name, 1)
    for figure in figures:
        (drawing,) = [svg for svg in figure.locator("svg").all() if svg.is_visible()]
        assert drawing.locator("xpath=ancestor::div[@class='live']").count() == 1
        box = drawing.bounding_box()
        assert box["width"] <= width
        assert box["height"] > 30
        assert figure.get_attribute("aria-label").startswith("Chart: ")
        assert drawing.locator("[aria-label]").count() > 0
    if (width, scheme) == (1280, "light"):
        pdf = page.pdf(path=screenshot_folder / f"{name}.pdf", format="A4")
        assert pdf.startswith(b"%PDF")
        # lines and text, no pictures
        assert len(pdf) < 3_000_000


@pytest.mark.parametrize("name", ["year", "overview", "compare", "claims", "parity", *PARITY_RUNS])
@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_lead_chart_is_above_the_fold(open_report, name, width, height):
    page = open_report(name, width, height)
    wait_until(page, "document.querySelector('figure').matches('.drawn')")
    box = page.locator("figure").first.locator(".live svg").bounding_box()
    assert box["height"] > 100
    assert box["y"] + min(box["height"], 250) <= height
    assert page.locator("h1").bounding_box()["y"] < box["y"]


@pytest.mark.parametrize(
    "name",
    ["year", "overview", "compare", "claims", "parity", "ecosystem", "hostile", *PARITY_RUNS],
)
def test_tables_are_not_cut(open_report, name):
    page = open_report(name)
    page.locator("details.table").evaluate_all("all => all.forEach((e) => (e.open = true))")
    for width in (1440, 1280, 1130, 390):
        page.set_viewport_size({"width": width, "height": 800})
        cut = page.locator(".box").evaluate_all(
            "all => all.filter((box) => box.scrollWidth > box.clientWidth + 1)"
            ".map((box) => box.ariaLabel)"
        )
        assert cut == [], width


@pytest.mark.parametrize(
    "name",
    ["year", "overview", "compare", "claims", "parity", "ecosystem", *PARITY_RUNS, *COMMANDS],
)
def test_pages_are_accessible(open_drawn, request, name):
    script = request.config.rootpath / AXE
    if not script.exists():
        pytest.skip(f"no {AXE}")
    for look in (WIDE, NARROW):
        page = open_drawn(name, *look)
        page.evaluate(script.read_text("utf-8"))
        # the other results are megabytes, which take longer to send than to find
        violations = page.evaluate(
            "axe.run({resultTypes: ['violations']}).then((result) => result.violations)"
        )
        found = {
            violation["id"]: [node["html"][:200] for node in violation["nodes"][:3]]
            for violation in violations
        }
        assert found == {}


def test_year_report_prints_on_8_pages(open_report):
    pdf = open_report("year").pdf(format="A4")
    assert 0 < len(re.findall(rb"/Type /Page\b", pdf)) <= 8


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


def test_charts_adapt_to_a_narrower_window(open_report):
    page = open_report("year")
    draw_all(page)
    page.set_viewport_size({"width": 400, "height": 900})
    wait_until(
        page, "document.querySelector('#breakdown .live svg').getBoundingClientRect().width < 400"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_static_charts_without_scripts_and_in_print(browser, files, open_report):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((files / "year.html").as_uri())
    assert page.locator("#breakdown .wide svg").is_visible()
    assert not page.locator("#breakdown .narrow svg").is_visible()
    assert page.locator("#created table").first.is_visible()
    assert not page.locator("[data-save]").first.is_visible()  # they need the script
    context.close()
    page = open_report("year")
    draw_all(page)
    page.emulate_media(media="print")
    assert page.locator("#breakdown .wide svg").is_visible()
    assert not page.locator("#breakdown .live").is_visible()


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

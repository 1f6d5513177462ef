"""The HTML report in a browser, opened from the disk.

Screenshots at three widths, in light, dark and print are written to build/reports/.
"""

import base64
import json
import os
import re
import shutil
from itertools import product

import parity_runs
import pytest
from page_numbers import collect_numbers, find_numbers
from testhub import FakeHub, Population

from hfscan.figures import SnapshotView
from hfscan.pipeline import crawl
from hfscan.report import FORMATS, ReportRequest, build, build_database_report, compare
from hfscan.report.writers.csv_ import section_rows, to_csv
from hfscan.scope import Scope
from hfscan.store import Store
from hfscan.text import sanitize

pytestmark = pytest.mark.browser
WIDTHS = (360, 768, 1280)
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
EVIL = "<img src=x onerror=hit=1></script><script>hit=1</script>\"'>{{7*7}}"


@pytest.fixture(scope="module")
def browser():
    """Chromium. HFSCAN_TEST_BROWSER names one that must be there."""
    named = os.environ.get("HFSCAN_TEST_BROWSER")
    program = shutil.which(named or "chromium") or (not named and shutil.which("google-chrome"))
    if not program:
        assert not named, f"no browser {named}"
        pytest.skip("no Chromium on this machine")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """Reports of hostile models, crawled from the fake Hub."""
    path = tmp_path_factory.mktemp("census") / "h.duckdb"
    models = [
        {
            "_id": f"63ffff{number:018x}",
            "id": f"{EVIL.replace('/', '')}/{number}",
            "tags": [tag, "safetensors"],
            "createdAt": f"{2022 + number % 3 // 2}-08-19T20:19:12.000Z",
            "downloads": 5,
            "pipeline_tag": EVIL,
            "library_name": f"=HYPERLINK({EVIL})",
        }
        for number, tag in enumerate(["pytorch", "tf"] * 400)
    ]
    with FakeHub(Population.from_rows(models), quota=None) as hub:
        crawl(Scope(), endpoint=hub.url, token=None, db=path, resume=False)
    with Store.open(path) as store:
        view = SnapshotView.choose(store, None)
        first, second = (build(view, ReportRequest(year), name="compare") for year in (2022, 2023))
        yield {
            "hostile": build(view, ReportRequest(2022)),
            "hostile-all": build(view, ReportRequest(None)),
            "hostile-compare": compare(first, second, view),
            "hostile-claims": build_database_report(store, "claims"),
        }


ODD = [
    'x"$width', "$width", "$inner_width", '{"$size":"width"}', "${x}", "</script>", "%s", "a\\b",
    "\\u003c", "'q'", "\u200b\u202eodd\n\x1b[1m", "{{7*7}}", "<!--", "datum.x", "__proto__",
    "constructor", "nil", "https://vega.github.io/schema/vega/v6.json",
]  # fmt: skip
"""Names of libraries that templates, expressions or objects of JavaScript could take for theirs."""


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """A report by library of models whose libraries have odd names."""
    path = tmp_path_factory.mktemp("census") / "h.duckdb"
    models = [
        {
            "_id": f"63ffff{number:018x}",
            "id": f"ann/{number}",
            "tags": [tag],
            "createdAt": "2022-08-19T20:19:12.000Z",
            "library_name": name,
        }
        for number, (name, tag) in enumerate(product(ODD, ["pytorch", "tf", "pytorch"]))
    ]
    with FakeHub(Population.from_rows(models), quota=None) as hub:
        crawl(Scope(), endpoint=hub.url, token=None, db=path, resume=False)
    with Store.open(path) as store:
        yield build(
            SnapshotView.choose(store, None), ReportRequest(2022, by="library", top=len(ODD))
        )


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """A made-up census, and results of parity whose words are hostile."""
    return parity_runs.census(
        tmp_path_factory.mktemp("census") / "h.duckdb",
        Population.synthetic(4000, seed=2022),
        parity_runs.case(EVIL, "tensorflow", "outputs differ", error=0.25),
    )


@pytest.fixture(scope="module")
def year(database):
    with Store.open(database) as store:
        yield build(SnapshotView.choose(store, None), ReportRequest(2022))


@pytest.fixture(scope="module")
def files(hostile, odd, year, database, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    pages = hostile | {"odd": odd, "year": year}
    with Store.open(database) as store:
        pages |= {name: build_database_report(store, name) for name in ("claims", "parity")}
        view = SnapshotView.choose(store, None)
        pages["overview"] = build(view, ReportRequest(None))
        first, second = (build(view, ReportRequest(year), name="compare") for year in (2022, 2023))
        pages["compare"] = compare(first, second, view)
    for name, report in pages.items():
        for format_ in ("html", "json"):
            with (folder / f"{name}.{format_}").open("w", encoding="utf-8") as file:
                FORMATS[format_](report, file)
    return folder


def test_html_page_is_small(files):
    for page in files.glob("*.html"):
        assert page.stat().st_size < 5_000_000


@pytest.fixture
def opened(browser, files):
    """Return a function that opens a report; afterwards, nothing was fetched or complained of."""
    contexts, messages = [], []

    def fetch(request):
        if not request.url.startswith("file:"):
            messages.append(request.url)

    def open_(name, width=1280, **look):
        context = browser.new_context(viewport={"width": width, "height": 900}, **look)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("request", fetch)
        page.goto((files / f"{name}.html").as_uri())
        return page

    yield open_
    for context in contexts:
        context.close()
    assert messages == []


def until(page, expression):
    """Wait for it to be true. Playwright's own way is an eval, which the page forbids."""
    for _ in range(300):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(100)
    raise AssertionError(expression)


def draw_all(page):
    """Come near every chart, so that each is drawn live."""
    for place, figure in enumerate(page.locator("figure").all()):
        figure.scroll_into_view_if_needed()
        until(page, f"document.querySelectorAll('figure')[{place}].matches('.drawn')")
    page.evaluate("scrollTo(0, 0)")


LOOKS = [("year", width, scheme) for width in WIDTHS for scheme in ("light", "dark")]
LOOKS += [
    (name, width, scheme)
    for name in ("overview", "compare", "claims", "parity")
    for width, scheme in ((360, "dark"), (768, "light"), (1280, "light"))
]


@pytest.mark.parametrize(("name", "width", "scheme"), LOOKS)
def test_page_draws_charts_at_every_width(opened, request, name, width, scheme):
    page = opened(name, width, color_scheme=scheme)
    shots = request.config.rootpath / "build" / "reports"
    shots.mkdir(parents=True, exist_ok=True)
    draw_all(page)
    page.screenshot(path=shots / f"{name}-{width}-{scheme}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    figures = page.locator("figure").all()
    assert len(figures) >= {"year": 10, "overview": 10}.get(name, 1)
    for figure in figures:
        (drawing,) = [svg for svg in figure.locator("svg").all() if svg.is_visible()]
        assert drawing.locator("xpath=ancestor::div[@class='live']").count() == 1
        box = drawing.bounding_box()
        assert box["width"] <= width
        assert box["height"] > 30
        assert figure.get_attribute("aria-label").startswith("Chart: ")
        assert drawing.locator("[aria-label]").count() > 0
    if (width, scheme) == (1280, "light"):
        paper = page.pdf(path=shots / f"{name}.pdf", format="A4")
        assert paper.startswith(b"%PDF")
        # lines and text; a picture for each hatched mark would be 20 MB
        assert len(paper) < 1_000_000


def test_tables_sort_and_sql_opens(opened):
    page = opened("year")
    draw_all(page)  # a chart that comes in under the pointer would take the click
    table = page.locator("#by_task table")
    page.locator("#by_task details.table summary").click()
    heading = table.locator("thead th").last
    counts = lambda: [  # noqa: E731
        int(text.replace(",", ""))
        for text in table.locator("tbody td:last-child").all_inner_texts()
    ]
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    assert counts() == sorted(counts(), reverse=True)
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert counts() == sorted(counts())
    sql = page.locator("#by_task pre")
    assert not sql.is_visible()
    page.locator("#by_task details.sql summary").click()
    assert sql.is_visible()
    assert "hfscan query exclusivity" in sql.inner_text()
    assert "SELECT" in sql.inner_text()


def test_marks_describe_their_numbers(opened):
    page = opened("year")
    draw_all(page)
    mark = page.locator("#created .live svg [aria-label]").first
    mark.hover()
    assert "PyTorch only" in mark.get_attribute("aria-label")
    assert page.locator("#hint").inner_text() == mark.get_attribute("aria-label")


def test_legend_selects_a_series(opened):
    page = opened("year")
    draw_all(page)
    bars = page.locator("#created .live [aria-roledescription=bar]")
    assert "PyTorch only" in bars.first.get_attribute("aria-label")
    everything = bars.count()
    page.locator("#created .live .role-legend-label text").nth(1).click()
    until(
        page,
        "![...document.querySelectorAll('#created .live [aria-roledescription=bar]')]"
        ".some((mark) => mark.ariaLabel.includes('PyTorch only'))",
    )
    picked = bars.evaluate_all("all => all.map((mark) => mark.ariaLabel)")
    assert 0 < len(picked) < everything
    assert all("TensorFlow only" in label for label in picked)


def test_charts_adapt_to_a_narrower_window(opened):
    page = opened("year")
    draw_all(page)
    page.set_viewport_size({"width": 400, "height": 900})
    until(page, "document.querySelector('#created .live svg').getBoundingClientRect().width < 400")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_static_charts_without_scripts_and_in_print(browser, files, opened):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((files / "year.html").as_uri())
    assert page.locator("#created .wide svg").is_visible()
    assert not page.locator("#created .narrow svg").is_visible()
    context.close()
    page = opened("year")
    draw_all(page)
    page.emulate_media(media="print")
    assert page.locator("#created .wide svg").is_visible()
    assert not page.locator("#created .live").is_visible()


def test_sections_link_to_their_csv(opened, year):
    page = opened("year")
    for section in year.sections:
        link = page.locator(f"#{section.name} a[download]")
        assert link.get_attribute("download") == f"{section.name}.csv"
        kind, _, data = link.get_attribute("href").partition(",")
        assert kind == "data:text/csv;charset=utf-8;base64"
        assert base64.b64decode(data).decode() == to_csv(section_rows(section))


@pytest.mark.parametrize("name", ["year", "overview", "hostile", "claims", "parity", "compare"])
def test_page_numbers_are_in_the_json(opened, files, name):
    """In the headline and the large numbers, in every table, on every mark of every chart."""
    report = json.loads((files / f"{name}.json").read_text("utf-8"))
    expected = collect_numbers(report)
    page = opened(name)
    draw_all(page)
    cells = page.locator("td, .highlights, .headline").all_text_contents()
    marks = page.locator(".live svg [aria-label]").evaluate_all(
        "all => all.map((e) => e.ariaLabel)"
    )
    marks += page.locator(".live svg text").all_text_contents()
    assert len(cells) > 15
    assert len(marks) > 5
    axes = re.compile(r"[\d.]+%|[\d.]+k?|[\d.]+e[-+]\d+|[\d,]+")  # ticks are no answers
    for text in cells + [mark for mark in marks if not axes.fullmatch(mark)]:
        for number in find_numbers(text):
            assert number in expected | {"30"}, (number, text)  # 30-day downloads


@pytest.mark.parametrize(
    "name", ["hostile", "hostile-all", "hostile-compare", "hostile-claims", "parity"]
)
def test_hostile_text_is_not_markup(opened, name):
    page = opened(name)
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


def test_live_charts_show_odd_names(opened):
    page = opened("odd")
    draw_all(page)
    live = page.locator(".live svg text").all_text_contents()
    still = page.locator(".still.wide svg text").all_text_contents()
    for name in map(sanitize, ODD):
        assert name in {text.strip() for text in live} | set(live), name
        assert name in {text.strip() for text in still} | set(still), name
    marks = page.locator(".live [aria-roledescription=bar]")
    described = marks.evaluate_all("all => all.map((mark) => mark.ariaLabel)")
    for name in map(sanitize, ODD):
        assert any(
            label.startswith(f"{name}: PyTorch only 66.7 %, 2 of 3") for label in described
        ), name

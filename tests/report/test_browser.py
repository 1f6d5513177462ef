"""The HTML report in a real browser, opened from the disk.

Looks are for eyes: screenshots at three widths, in the dark and on paper lie in build/reports/.
"""

import base64
import io
import json
import os
import re
import shutil

import pytest

from hfscan.census import crawl
from hfscan.figures import Census
from hfscan.minihub import MiniHub, Population
from hfscan.report import FORMATS, Question, build, words
from hfscan.report.csv import rows as csv_rows
from hfscan.report.csv import text as csv_text
from hfscan.scope import Scope
from hfscan.store import Store

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
def report(tmp_path_factory):
    """A year's report over made-up models and hostile ones, crawled from the stand-in."""
    path = tmp_path_factory.mktemp("census") / "h.duckdb"
    hostile = [
        {
            "_id": f"63ffff{number:018x}",
            "id": f"{EVIL.replace('/', '')}/{number}",
            "tags": [tag, "safetensors"],
            "createdAt": "2022-08-19T20:19:12.000Z",
            "downloads": 5,
            "pipeline_tag": EVIL,
            "library_name": f"=HYPERLINK({EVIL})",
        }
        for number, tag in enumerate(["pytorch", "tf"] * 400)
    ]
    with MiniHub(Population.from_rows(hostile), quota=None) as hub:
        crawl(Scope(), endpoint=hub.url, token=None, db=path, fresh=True)
    with Store.open(path) as store:
        yield build(Census.choose(store, None), Question(2022))


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    path = tmp_path_factory.mktemp("census") / "h.duckdb"
    with MiniHub(Population.synthetic(4000, seed=2022), quota=None) as hub:
        crawl(Scope(), endpoint=hub.url, token=None, db=path, fresh=True)
    with Store.open(path) as store:
        yield build(Census.choose(store, None), Question(2022))


@pytest.fixture(scope="module")
def files(report, demo, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    for name, one in (("hostile", report), ("demo", demo)):
        with (folder / f"{name}.html").open("w", encoding="utf-8") as file:
            FORMATS["html"](one, file)
    return folder


@pytest.fixture
def opened(browser, files):
    """Return a function that opens a report; afterwards, nothing was fetched or complained of."""
    contexts, told = [], []

    def open_(name, width=1280, **look):
        context = browser.new_context(viewport={"width": width, "height": 900}, **look)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("request", lambda one: one.url.startswith("file:") or told.append(one.url))
        page.goto((files / f"{name}.html").as_uri())
        return page

    yield open_
    for context in contexts:
        context.close()
    assert told == []


def draw_all(page):
    """Come near every chart, so that each is drawn live."""
    for figure in page.locator("figure").all():
        figure.scroll_into_view_if_needed()
    page.wait_for_function(
        "document.querySelectorAll('figure.drawn').length"
        " === document.querySelectorAll('figure').length"
    )
    page.evaluate("scrollTo(0, 0)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_it_opens_and_draws_at_every_width(opened, request, width, scheme):
    page = opened("demo", width, color_scheme=scheme)
    shots = request.config.rootpath / "build" / "reports"
    shots.mkdir(parents=True, exist_ok=True)
    draw_all(page)
    page.screenshot(path=shots / f"year-{width}-{scheme}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    figures = page.locator("figure").all()
    assert len(figures) >= 10
    for figure in figures:
        (drawing,) = [one for one in figure.locator("svg").all() if one.is_visible()]
        assert drawing.locator("xpath=ancestor::div[@class='live']").count() == 1
        box = drawing.bounding_box()
        assert box["width"] <= width
        assert box["height"] > 30
        assert figure.get_attribute("aria-label").startswith("Chart: ")
        assert drawing.locator("[aria-label]").count() > 0
    if (width, scheme) == (1280, "light"):
        assert page.pdf(path=shots / "year.pdf", format="A4").startswith(b"%PDF")


def test_tables_sort_and_sql_opens(opened):
    page = opened("demo")
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


def test_a_mark_says_its_numbers(opened):
    page = opened("demo")
    draw_all(page)
    mark = page.locator("#created .live svg [aria-label]").first
    mark.hover()
    assert "PyTorch only" in mark.get_attribute("aria-label")
    assert page.locator("#hint").inner_text() == mark.get_attribute("aria-label")


def test_a_series_can_be_picked_in_the_legend(opened):
    page = opened("demo")
    draw_all(page)
    bars = page.locator("#created .live [aria-roledescription=bar]")
    assert "PyTorch only" in bars.first.get_attribute("aria-label")
    everything = bars.count()
    page.locator("#created .live .role-legend-label text").nth(1).click()
    page.wait_for_function(
        "![...document.querySelectorAll('#created .live [aria-roledescription=bar]')]"
        ".some((one) => one.ariaLabel.includes('PyTorch only'))"
    )
    picked = bars.evaluate_all("all => all.map((one) => one.ariaLabel)")
    assert 0 < len(picked) < everything
    assert all("TensorFlow only" in one for one in picked)


def test_a_chart_fits_a_window_that_was_made_narrow(opened):
    page = opened("demo")
    draw_all(page)
    page.set_viewport_size({"width": 400, "height": 900})
    page.wait_for_function(
        "document.querySelector('#created .live svg').getBoundingClientRect().width < 400"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_without_scripts_and_on_paper_the_drawings_are_there(browser, files, opened):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((files / "demo.html").as_uri())
    assert page.locator("#created .wide svg").is_visible()
    assert not page.locator("#created .narrow svg").is_visible()
    context.close()
    page = opened("demo")
    draw_all(page)
    page.emulate_media(media="print")
    assert page.locator("#created .wide svg").is_visible()
    assert not page.locator("#created .live").is_visible()


def test_each_section_can_be_taken_along(opened, demo):
    page = opened("demo")
    for section in demo.sections:
        link = page.locator(f"#{section.name} a[download]")
        assert link.get_attribute("download") == f"{section.name}.csv"
        kind, _, data = link.get_attribute("href").partition(",")
        assert kind == "data:text/csv;charset=utf-8;base64"
        assert base64.b64decode(data).decode() == csv_text(csv_rows(section))


@pytest.mark.parametrize("name", ["demo", "hostile"])
def test_every_number_is_one_of_the_json(opened, request, name):
    report = request.getfixturevalue("demo" if name == "demo" else "report")
    out = io.StringIO()
    FORMATS["json"](report, out)
    told = json.loads(out.getvalue())
    said = {""}
    for figure in told["figures"] + told["sensitivity"]:
        numbers = (figure["numerator"], figure["denominator"])
        said |= {words.number(n) for n in numbers} | {words.number(int(n)) for n in numbers}
        said.add(words.percent(figure["share"]))
    across = {}
    for figure in told["sensitivity"]:  # "another only" is one column for many frameworks
        if figure["name"] == "exclusive" and figure["framework"] not in report.names:
            key = (figure["definition"], *figure["universe"])
            across[key] = across.get(key, 0) + figure["numerator"] / (figure["denominator"] or 1)
    said |= set(map(words.percent, across.values()))
    for table in told["tables"]:
        for row in table["rows"]:
            said |= {words.cell(key, value) for key, value in row.items()}
    cells = opened(name).locator("td").evaluate_all("all => all.map((one) => one.textContent)")
    assert len(cells) > 100
    for cell in cells:
        plain = cell.replace("\N{NO-BREAK SPACE}", " ")
        for part in re.split(r" \(|\)$", plain):
            assert part in said, cell


def test_hostile_models_are_text(opened):
    page = opened("hostile")
    assert page.evaluate("typeof hit") == "undefined"
    draw_all(page)
    assert page.locator("script:not([type='application/json'])").count() == 2
    assert page.locator("img, iframe, object, embed, foreignObject").count() == 0
    assert page.evaluate(
        "[...document.querySelectorAll('*')].every("
        "(one) => [...one.attributes].every((a) => !a.name.startsWith('on')))"
    )
    seen = page.locator("body").inner_text()
    assert "onerror" in seen
    assert "{{7*7}}" in seen
    page.locator("summary").evaluate_all("all => all.forEach((one) => one.click())")
    page.wait_for_timeout(200)
    assert page.evaluate("typeof hit") == "undefined"

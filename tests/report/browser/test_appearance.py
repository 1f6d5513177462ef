"""What pages look like in a browser: at each width, in light, dark and print, and accessible.

Screenshots are written to build/reports/. The test of accessibility needs axe-core:
`npm install --prefix build axe-core@4.14.1`.
"""

import re

import pytest
from browser_pages import COMMANDS, NARROW, PARITY_RUNS, WIDE, draw_all, wait_until

pytestmark = pytest.mark.browser
WIDTHS = (360, 768, 1280)
AXE = "build/node_modules/axe-core/axe.min.js"
LOOKS = [("year", width, scheme) for width in WIDTHS for scheme in ("light", "dark")]
LOOKS += [
    (name, width, scheme)
    for name in ("overview", "compare", "claims", "parity", *PARITY_RUNS)
    for width, scheme in ((360, "dark"), (768, "light"), (1280, "light"))
]


def test_html_page_is_small(files):
    for page in files.glob("*.html"):
        assert page.stat().st_size < 5_000_000


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

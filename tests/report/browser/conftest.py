"""Pages of reports in a browser, opened from the disk."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from hfscan.store import Store

sys.path.insert(0, str(Path(__file__).parent))
from browser_pages import (
    FLAGS,
    build_year_report,
    draw_all,
    open_page,
    write_pages,
)


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


@pytest.fixture(scope="session")
def files(make_folder):
    """The folder of all pages, and of `h.duckdb`, the database of most."""
    return make_folder("pages", write_pages)


@pytest.fixture
def year_report(files):
    with Store.open(files / "h.duckdb") as store:
        return build_year_report(store)


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

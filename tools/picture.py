"""Write docs/report.png, the screenshot in the README: `make demo && python tools/picture.py`.

It shows the top of the demo's report, which is marked as synthetic.
"""

import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
REPORT = ROOT / "demo" / "report-2022.html"
WIDTH = 1200  # CSS pixels


def main() -> None:
    """Open the demo's report in Chromium and save a screenshot of its top."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": WIDTH, "height": 900})
        page.goto(REPORT.as_uri())
        page.locator("#breakdown figure.drawn").wait_for()
        end = page.locator("#breakdown figure").bounding_box()
        assert end is not None
        height = int(end["y"] + end["height"]) + 8
        page.screenshot(
            path=ROOT / "docs" / "report.png",
            full_page=True,
            clip={"x": 0, "y": 0, "width": WIDTH, "height": height},
        )
        browser.close()


if __name__ == "__main__":
    main()

"""The documentation as a site: every link leads somewhere, and no page loads from another host."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site; MkDocs fails on a broken link (`strict` in mkdocs.yml)."""
    pytest.importorskip("mkdocs")
    folder = tmp_path_factory.mktemp("site")
    process = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--site-dir", folder],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    return folder


@pytest.mark.slow
def test_every_page_is_on_the_site(site):
    for page in (ROOT / "docs").rglob("*.md"):
        relative = page.relative_to(ROOT / "docs").with_suffix("")
        place = relative.parent if relative.name == "README" else relative
        text = (site / place / "index.html").read_text("utf-8")
        assert "```" not in text, page.name


@pytest.mark.slow
def test_pages_load_nothing_from_other_hosts(site):
    pages = list(site.rglob("*.html"))
    assert pages
    for page in pages:
        for tag in re.findall(r"<(?:script|img|link)\b[^>]*>", page.read_text("utf-8")):
            is_loaded = not tag.startswith("<link") or 'rel="stylesheet"' in tag
            assert not is_loaded or not re.search(r"""(src|href)=["']?(https?:)?//""", tag), tag


@pytest.mark.slow
def test_links_outside_docs_lead_to_the_repository(site):
    page = (site / "queries" / "index.html").read_text("utf-8")
    paths = re.findall(r'href="https://github\.com/OWNER/hfscan/blob/main/([^"#]+)', page)
    assert paths
    assert all((ROOT / path).is_file() for path in paths)

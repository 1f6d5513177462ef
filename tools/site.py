"""Hooks of MkDocs: the README is the home page, and links to other files lead to the repository."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
_REQUIREMENTS = re.compile(r"^(```\w+) .*$", re.MULTILINE)
"""What the tests need to run a block: see tests/docs/test_pages.py."""
_LINK = re.compile(r"(?<=\]\()(?!https?:|#)([^)#\s]+)")


def on_files(files: Files, *, config: Any) -> Files:
    """Add the README as the home page."""
    readme = (ROOT / "README.md").read_text("utf-8")
    files.append(File.generated(config, "index.md", content=readme))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Files) -> str:
    """Return the page with links as they are on the site."""
    is_home = page.file.src_uri == "index.md"
    folder = ROOT if is_home else (ROOT / "docs" / page.file.src_uri).parent

    def replace(match: re.Match[str]) -> str:
        target = (folder / match[1]).resolve()
        docs = ROOT / "docs"
        if target.is_relative_to(docs):
            return target.relative_to(docs).as_posix() if is_home else match[1]
        if not target.exists():
            return match[1]  # MkDocs reports it
        kind = "tree" if target.is_dir() else "blob"
        return f"{config.repo_url.rstrip('/')}/{kind}/main/{target.relative_to(ROOT).as_posix()}"

    return _LINK.sub(replace, _REQUIREMENTS.sub(r"\1", markdown))

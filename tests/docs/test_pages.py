"""Every command and code block of the README and docs/ does what its page says, in its order.

A block's first line names its language and, where it wants more than that, what.
"""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hfscan.fakehub import FakeHub, Population

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TOKEN = "hf_" + "s" * 34
FRAMEWORKS = all(map(importlib.util.find_spec, ("torch", "tensorflow", "flax", "keras_hub")))
WANTS = {
    "install": (sys.platform != "win32", """(
        unset PYTHONPATH; pip() { command pip --quiet "$@"; }; python3() { command python3 "$@"; }
        cp -R "$ROOT"/{hfscan,queries,reports,pyproject.toml,README.md,LICENSE} .
        %s
        hfscan --version; rm -r hfscan
    )"""),
    "checkout": (True, '(cd "$ROOT"; %s)'),
    "token": (True, f"(export HF_TOKEN={TOKEN} HF_HUB_DISABLE_XET=1; %s)"),
    "frameworks": (FRAMEWORKS, "%s"),
}  # fmt: skip
"""What a block wants -> whether that is here, and what is done to give it."""
RUN = {
    "sh": "{}",
    "python": "python - <<'THE_END'\n{}\nTHE_END",
    "sql": "hfscan query <<'THE_END'\n{}\nTHE_END",
}
BEFORE = {"schema.md": "hfscan crawl\nhfscan crawl --incremental"}
"""What a page takes for granted."""
SHELL = """
set -euo pipefail
make() { command make --dry-run --directory "$ROOT" "$@" > make.log; }  # .ci/run makes them
pip() { :; }  # what is wanted is here; the block that is all about it installs
"""
GPT2 = """
import sys, transformers
small = {"n_embd": 48, "n_layer": 3, "n_head": 4, "n_positions": 128, "vocab_size": 96}
config = transformers.GPT2Config(**small, bos_token_id=1, eos_token_id=2)
transformers.GPT2LMHeadModel(config).save_pretrained(sys.argv[1])
"""
"""Makes the checkpoint of parity.md."""


def surroundings(home: Path) -> dict[str, str]:
    """Return an environment without settings of the Hub's tools, and with this hfscan."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HFSCAN_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ours = {"ROOT": str(ROOT), "PYTHONPATH": str(ROOT), "HF_HOME": str(home / "hf")}
    return kept | ours | {"PATH": path, "PYTHONUTF8": "1"}


def blocks(page: Path) -> list[tuple[int, list[str], str]]:
    """Return line, the words of the first line, and text of each block."""
    text = page.read_text("utf-8")
    return [
        (text[: found.start()].count("\n") + 1, found[1].split(), found[2])
        for found in re.finditer(r"^```(.*)\n((?:.*\n)*?)```$", text, re.MULTILINE)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_says_what_it_is(page):
    for line, (language, *why), text in blocks(page):
        assert language in (*RUN, "json", "toml", "yaml", "text"), f"{page.name}:{line}"
        assert set(why) <= WANTS.keys(), f"{page.name}:{line}"
        if language == "json":
            json.loads(text)
    if page.name not in ("cli.md", "CONTRIBUTING.md"):  # made from the commands; a drawing
        assert not re.findall(
            r"^    (?:\$ )?(?:hfscan|make|python3?|pip|SELECT) .*", page.read_text(), re.M
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if any(language in RUN for _, (language, *_), _ in blocks(page))],
    ids=lambda page: page.name,
)
def test_what_a_page_says_to_run_runs(page, tmp_path):
    script = [SHELL, BEFORE.get(page.name, "")]
    for line, (language, *wanted), text in blocks(page):
        if language in RUN and all(WANTS[one][0] for one in wanted):
            parts = text.split(";\n") if language == "sql" else [text]
            run = "\n".join(RUN[language].format(part.strip()) for part in parts)
            for one in wanted:
                run = WANTS[one][1].replace("%s", f"\n{run}\n")
            script += [f"echo '{page.name}:{line}' >&2", run]
    models, folders = [*Population.synthetic(3_000, seed=5)], {}
    if page.name == "parity.md" and FRAMEWORKS:
        folders["openai-community/gpt2"] = tmp_path / "my-gpt2"
        subprocess.run([sys.executable, "-c", GPT2, tmp_path / "my-gpt2"], check=True)
        models[0] = {**models[0], "id": "openai-community/gpt2"}
    there = Population.from_rows(models, folders=folders)
    with FakeHub(there, quota=None, tokens={TOKEN: "OWNER"}) as hub:
        done = subprocess.run(
            ["bash", "-c", "\n".join(script)],
            cwd=tmp_path,
            env=surroundings(tmp_path) | {"HF_ENDPOINT": hub.url},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
    assert done.returncode == 0, done.stderr[-2_000:]


@pytest.mark.parametrize("name", ["cli", "queries"])
def test_a_page_that_is_made_is_what_would_be_made_now(name, tmp_path):
    tool = ROOT / "tools" / f"{name}.py"
    page = subprocess.check_output(
        [sys.executable, tool], env=surroundings(tmp_path), text=True, encoding="utf-8"
    )
    found = (ROOT / "docs" / f"{name}.md").read_text("utf-8")
    assert found == page, f"run python tools/{name}.py > docs/{name}.md"


def test_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(
            r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8")
        ):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_environment_variable_is_told():
    code = "".join(path.read_text("utf-8") for path in (ROOT / "hfscan" / "cli").glob("*.py"))
    told = (ROOT / "docs" / "cli.md").read_text("utf-8")
    for name in set(re.findall(r"\b(?:HF|HFSCAN)_[A-Z_]+\b", code)):
        assert f"`{name}`" in told, name

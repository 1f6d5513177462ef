"""Run every code block of the README, CONTRIBUTING.md and docs/, page by page, in order.

The first line of a block names its language, then what it requires (REQUIREMENTS).
"""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import fork_client
import pytest
import yaml
from dump_history import DumpHistory
from processes import TOKEN, can_fork, make_environment, start_fork_server
from testhub import FakeHub, Population

from hfscan.cli import COMMANDS

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
DECISIONS = sorted((ROOT / "docs" / "adr").glob("*.md"))
HAS_FRAMEWORKS = all(map(importlib.util.find_spec, ("torch", "tensorflow", "flax")))
REQUIREMENTS = {
    "install": (sys.platform != "win32", """(
        unset PYTHONPATH; unset -f hfscan
        export PIP_NO_COMPILE=false  # to pip this means --no-compile
        pip() { command pip --quiet "$@"; }; python3() { command python3 "$@"; }
        cp -R "$ROOT"/{hfscan,queries,reports,pyproject.toml,README.md,LICENSE} .
        %s
        hfscan --version; rm -r hfscan
    )"""),
    "checkout": (True, '(cd "$ROOT"; %s)'),
    "token": (True, f"(export HF_TOKEN={TOKEN}; %s)"),
    "frameworks": (HAS_FRAMEWORKS, "%s"),
}  # fmt: skip
"""Requirement -> whether it is met, and a shell template around the block."""
RUNNERS = {
    "sh": "{}",
    "python": "python - <<'THE_END'\n{}\nTHE_END",
    "sql": "hfscan query <<'THE_END'\n{}\nTHE_END",
}
SETUP = {
    "schema.md": "hfscan crawl\nhfscan crawl --incremental",
    "claims.md": "hfscan crawl",
    "over-time.md": "hfscan crawl\nhfscan crawl",
    "lineage.md": "hfscan crawl",
}
"""Page -> commands that run before its blocks."""
SHELL = """
set -euo pipefail
if [ "${FORK_SERVER:-}" ]; then hfscan() { python -IS "$FORK_CLIENT" "$FORK_SERVER" "$@"; }; fi
make() { command make --dry-run --directory "$ROOT" "$@" > make.log; }  # .ci/run runs the targets
pip() { :; }  # already installed; only `install` blocks run pip
"""
GPT2 = """
import sys, transformers
small = {"n_embd": 48, "n_layer": 3, "n_head": 4, "n_positions": 128, "vocab_size": 96}
config = transformers.GPT2Config(**small, bos_token_id=1, eos_token_id=2)
transformers.GPT2LMHeadModel(config).save_pretrained(sys.argv[1])
"""
"""Write the checkpoint of the pages about parity."""


def make_shell_environment(home: Path) -> dict[str, str]:
    """Return the environment of the blocks, with `hfscan` on PATH, or forked where that can be."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    variables = {"ROOT": str(ROOT), "PATH": path}
    if can_fork(variables):
        variables |= {"FORK_CLIENT": fork_client.__file__, "FORK_SERVER": str(start_fork_server())}
    return make_environment(home, variables)


def read_blocks(page: Path) -> list[tuple[int, list[str], str]]:
    """Return the line, the words of the first line and the text of each block."""
    text = page.read_text("utf-8")
    return [
        (text[: match.start()].count("\n") + 1, match[1].split(), match[2])
        for match in re.finditer(r"^```(.*)\n((?:.*\n)*?)```$", text, re.MULTILINE)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_blocks_name_language_and_requirements(page):
    for line, (language, *requirements), text in read_blocks(page):
        assert language in (*RUNNERS, "json", "toml", "yaml", "text"), f"{page.name}:{line}"
        assert set(requirements) <= REQUIREMENTS.keys(), f"{page.name}:{line}"
        if language == "json":
            json.loads(text)
    if page.name not in ("cli.md", "CONTRIBUTING.md"):  # generated; a diagram
        assert not re.findall(
            r"^    (?:\$ )?(?:hfscan|make|python3?|pip|SELECT) .*", page.read_text(), re.M
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [
        page
        for page in PAGES
        if any(language in RUNNERS for _, (language, *_), _ in read_blocks(page))
    ],
    ids=lambda page: page.name,
)
def test_blocks_run(page, tmp_path):
    script = [SHELL, SETUP.get(page.name, "")]
    for line, (language, *requirements), text in read_blocks(page):
        if language in RUNNERS and all(REQUIREMENTS[name][0] for name in requirements):
            parts = text.split(";\n") if language == "sql" else [text]
            block = "\n".join(RUNNERS[language].format(part.strip()) for part in parts)
            for name in requirements:
                block = REQUIREMENTS[name][1].replace("%s", f"\n{block}\n")
            script += [f"echo '{page.name}:{line}' >&2", block]
    models, folders = [*Population.synthetic(3_000, seed=5)], {}
    if page.name in ("parity.md", "parity-sweep.md") and HAS_FRAMEWORKS:
        folders["openai-community/gpt2"] = tmp_path / "my-gpt2"
        subprocess.run([sys.executable, "-c", GPT2, tmp_path / "my-gpt2"], check=True)
    if page.name in ("parity.md", "parity-sweep.md", "over-time.md", "lineage.md"):
        models[0] |= {"id": "openai-community/gpt2", "author": "openai-community"}
    if page.name == "lineage.md":
        models[1:3] = [{**model, "tags": ["base_model:gpt2"]} for model in models[1:3]]
    population = Population.from_rows(models, folders=folders)
    with FakeHub(population, quota=None, tokens={TOKEN: "OWNER"}) as hub:
        if page.name == "history.md":
            DumpHistory(hub, tmp_path, "cfahlgren1/hub-stats").commit_days(0, 1, 2)
        process = subprocess.run(
            ["bash", "-c", "\n".join(script)],
            cwd=tmp_path,
            env=make_shell_environment(tmp_path) | {"HF_ENDPOINT": hub.url},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
    assert process.returncode == 0, process.stderr[-2_000:]


@pytest.mark.parametrize(
    "path",
    ["docs/cli.md", "docs/queries.md", "reports/page/vega.js", "skills/hfscan/SKILL.md"],
)
def test_generated_file_is_current(path, tmp_path):
    tool = ROOT / "tools" / f"{Path(path).stem.lower()}.py"
    generated = subprocess.check_output(
        [sys.executable, tool], env=make_environment(tmp_path, {}), text=True, encoding="utf-8"
    )
    text = (ROOT / path).read_text("utf-8")
    if (
        path.endswith(".js")
        and text.partition("Generated")[0] != generated.partition("Generated")[0]
    ):
        pytest.skip(f"another release of vl-convert made {path}")
    assert text == generated, f"run python tools/{tool.name} > {path}"


def test_nothing_installs_hfscan_by_name():
    """Whoever registers the name in a package index would run code where a reader installs it."""
    pages = [*PAGES, ROOT / "docs" / "notebook.ipynb"]
    for folder in ("hfscan", "skills", "tools"):
        pages += [
            path
            for path in (ROOT / folder).rglob("*")
            if path.suffix in (".py", ".md", ".sh", ".toml")
        ]
    by_name = re.compile(r"(?:install|uvx|pipx run)(?: -\S+)* [\\\"']*hfscan\b.*")
    assert by_name.search("uvx hfscan report")
    assert by_name.search("pip install --quiet 'hfscan[ray]'")
    commands = {page: by_name.findall(page.read_text("utf-8")) for page in pages}
    assert {page: found for page, found in commands.items() if found} == {}


def test_skill_names_every_command():
    text = (ROOT / "skills" / "hfscan" / "SKILL.md").read_text("utf-8")
    metadata = yaml.safe_load(text.split("---\n")[1])
    assert metadata["name"] == "hfscan"
    assert len(metadata["description"]) <= 1024  # the limit of the format
    for name in COMMANDS:
        assert re.search(rf"^`hfscan {name}[` ]", text, re.MULTILINE), name


def test_links_lead_to_files():
    for page in (*PAGES, *DECISIONS):
        for target in re.findall(
            r"(?<!\\)\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8")
        ):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_paths_in_contributing_exist():
    """After moving a file, update CONTRIBUTING.md and docs/adr."""
    folders = "hfscan|queries|reports|tests|tools|docs|benchmarks|constraints"
    for page in (ROOT / "CONTRIBUTING.md", *DECISIONS):
        for path in re.findall(rf"`((?:{folders})/[^` ]*)`", page.read_text("utf-8")):
            assert "NAME" in path or (ROOT / path).exists(), f"{page.name} names {path}"


def test_environment_variables_are_documented():
    code = "".join(path.read_text("utf-8") for path in (ROOT / "hfscan" / "cli").glob("*.py"))
    reference = (ROOT / "docs" / "cli.md").read_text("utf-8")
    for name in set(re.findall(r"\b(?:HF|HFSCAN)_[A-Z_]+\b", code)):
        assert f"`{name}`" in reference, name

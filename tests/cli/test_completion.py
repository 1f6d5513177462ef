"""Completion of commands, options and values in the shells themselves."""

import os
import shutil
import subprocess
import sys

import pytest
from dumps import ingest_models

_BASH = """
source <(_HFSCAN_COMPLETE=bash_source hfscan)
compopt() { echo "$2"; }
COMP_WORDS=("$@") COMP_CWORD=$(( $# - 1 )) COMPREPLY=()
_hfscan_completion hfscan
printf '%s\\n' "${COMPREPLY[@]}"
"""
_ZSH = """
compdef() { :; }
source <(_HFSCAN_COMPLETE=zsh_source hfscan)
compadd() { print -l -- $completions; }
_describe() { print -l -- ${completions_with_descriptions%%:*}; }
_path_files() { [[ $1 == -/ ]] && print dirnames || print default; }
words=("$@") CURRENT=$#
_hfscan_completion
"""
_FISH = """
_HFSCAN_COMPLETE=fish_source hfscan | source
complete -C "$argv" | string replace -r '\\t.*' ''
true
"""
SHELLS = {
    "bash": ["bash", "--norc", "-c", _BASH, "bash"],
    "zsh": ["zsh", "-f", "-c", _ZSH, "zsh"],
    "fish": ["fish", "--no-config", "-c", _FISH],
}
CASES = [
    (["rep"], {"report"}, {"trend"}),
    (["parity", "s"], {"setup"}, set()),
    (["parity", "setup", "--de"], {"--device"}, {"--db"}),
    (["report", "--weight", "dow"], {"downloads"}, {"models"}),
    (["report", "--name", "e"], {"ecosystem"}, {"year"}),
    (["report", "--snapshot", ""], {"1"}, {"2"}),
    (["report", "--as-of", "2024"], {"2024-07-11"}, set()),
    (["query", "top"], {"top_shares"}, {"lorenz"}),
    (["claims", "pickle-8"], {"pickle-80"}, {"pickle-40"}),
    (["trend", "--frameworks", "tensorf"], {"tensorflow"}, {"pytorch"}),
    (["unknown", "--he"], {"--help"}, set()),
]


@pytest.fixture
def complete(tmp_path):
    """Return a function: shell and words -> what the shell offers for the last word."""
    ingest_models(tmp_path / "hfscan.duckdb", [{"id": "ann/a", "tags": ["pytorch"]}])
    program = tmp_path / "bin" / "hfscan"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m hfscan "$@"\n')
    program.chmod(0o755)

    def run(shell: str, words: list[str]) -> set[str]:
        if shutil.which(shell) is None:
            pytest.skip(f"{shell} is not installed")
        line = ["hfscan", *words]
        process = subprocess.run(
            [*SHELLS[shell], *([" ".join(line)] if shell == "fish" else line)],
            cwd=tmp_path,
            env=os.environ | {"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert process.stderr == ""
        return set(process.stdout.split())

    return run


@pytest.mark.parametrize("shell", SHELLS)
def test_shell_completes_commands_options_and_values(complete, shell):
    for words, offered, others in CASES:
        found = complete(shell, words)
        assert offered <= found, words
        assert not others & found, words

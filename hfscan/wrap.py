"""Break text into lines between words, by the width of its characters on a terminal."""

import re

from rich.cells import cell_len, chop_cells

WORD = re.compile(r"\S+(?: [%*][^\s\w]*(?!\S))*")
"""A word, with the signs that belong to it: "95.2 % *"."""


def wrap(text: str, width: int) -> list[str]:
    """Return the lines of a text, with its indent; only a word that is wider itself is broken."""
    if cell_len(text) <= width:
        return [text]
    indent = text[: len(text) - len(text.lstrip(" "))][: width // 2]
    lines: list[str] = []
    for word in WORD.findall(text):
        if lines and cell_len(lines[-1]) + 1 + cell_len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines += [indent + part for part in chop_cells(word, width - len(indent))]
    return lines

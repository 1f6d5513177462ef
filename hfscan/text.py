"""Make text from outside (the Hub, files, checkpoints) safe to show."""

import re


def sanitize(text: str, limit: int | None = None) -> str:
    """Return the text on one line, without control and format characters.

    C0, C1 and bidirectional controls could command a terminal or reorder what is read: they become
    U+FFFD, line breaks and tabs a space. Beyond `limit` characters it is cut and ends with "...".
    """
    cut = text if limit is None else text[: limit + 1]
    clean = "".join(map(_replace, cut))
    return clean if limit is None or len(clean) <= limit else clean[:limit] + "..."


def escape_markdown(text: str) -> str:
    """Return the text on one line, with all that Markdown or HTML would read as markup escaped."""
    return re.sub(r"([\\`*_{}\[\]<>#|~!&@])", r"\\\1", sanitize(" ".join(text.split())))


def _replace(char: str) -> str:
    if char.isprintable():
        return char
    return " " if char.isspace() else "\N{REPLACEMENT CHARACTER}"

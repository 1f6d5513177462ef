"""SQL that turns words and the paths of files into masks: bits, each with its words or globs.

Most globs name an ending (`*.safetensors`, `*pytorch*.bin`). An ending alone is looked up in a
table; other globs are only tried on paths that end so, and a regular expression only where a path
contains a glob's longest literal part.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from hfscan.frameworks.taxonomy import literals, pattern
from hfscan.sql import literal

_ENDING = r"\.[^./]*$"

Globs = Mapping[int, tuple[str, ...]]
"""Bit -> globs."""


def path_masks(table: str, masks: Mapping[str, Globs], excluded: tuple[str, ...]) -> str:
    """Return a query for `row` (the rowid) and `masks`: those of all paths in a table's `files`.

    Each different path is classified once. Paths that match a glob of `excluded` do not count, and
    rows without any other path are left out.
    """
    # as `classify` reads them, where a name holds a line break
    files = "unnest(string_split(array_to_string(files, chr(10)), chr(10))) AS file"
    every = {"_excluded": {0: excluded}, **masks}
    endings = bit_table(
        **{
            name: {
                bit: tuple(map(_find_ending, filter(_is_ending, some)))
                for bit, some in globs.items()
            }
            for name, globs in every.items()
        }
    )
    classified = ", ".join(f"{_path_mask(name, globs)} AS {name}" for name, globs in every.items())
    united = ", ".join(f"bit_or({name}) AS {name}" for name in masks)
    return f"""
        SELECT row, {united}
        FROM (SELECT rowid AS row, {files} FROM {table}) JOIN (
            SELECT file, {classified}
            FROM (
                SELECT file, lower(file) AS path,
                    regexp_extract(path, {literal(_ENDING)}) AS ending
                FROM (SELECT DISTINCT {files} FROM {table})
            ) LEFT JOIN ({endings}) AS endings ON word = ending
        ) USING (file)
        WHERE _excluded = 0
        GROUP BY row"""


def _path_mask(name: str, globs: Globs) -> str:
    """Return SQL for the mask of a `path` with an `ending`, beside its row of `endings`."""
    by_ending: dict[str, dict[int, tuple[str, ...]]] = defaultdict(dict)
    for bit, some in globs.items():
        for glob in some:
            if not _is_ending(glob):
                group = by_ending[_find_ending(glob)]
                group[bit] = (*group.get(bit, ()), glob)
    masks = [f"coalesce(endings.{name}, 0::UBIGINT)", glob_mask(by_ending.pop("", {}), "path")]
    if by_ending:
        cases = (
            f"WHEN {literal(ending)} THEN {glob_mask(group, 'path')}"
            for ending, group in by_ending.items()
        )
        masks.append(f"CASE ending {' '.join(cases)} ELSE 0 END")
    return unite(masks)


def _is_ending(glob: str) -> bool:
    return glob.startswith("*") and glob[1:].lower() == _find_ending(glob)


def _find_ending(glob: str) -> str:
    """Return the ending of every path that a glob matches, "" if they differ."""
    match = re.search(_ENDING, re.split(r"[*?]", glob.lower())[-1])
    return match[0] if match else ""


def bit_table(**columns: dict[int, tuple[str, ...]]) -> str:
    """Return a query for rows (word, a mask for each of `columns`, which map a bit to its words).

    The rows are one text, which DuckDB reads much faster than as many expressions.
    """
    rows: dict[str, dict[str, str | int]] = {}
    for name, words_by_bit in columns.items():
        for bit, words in words_by_bit.items():
            for word in words:
                row = rows.setdefault(word, {"word": word, **dict.fromkeys(columns, 0)})
                row[name] = int(row[name]) | 1 << bit
    types = {"word": "VARCHAR", **dict.fromkeys(columns, "UBIGINT")}
    return (
        f"SELECT unnest(from_json({literal(json.dumps([*rows.values()]))}, "
        f"{literal(json.dumps([types]))}), recursive := true)"
    )


def glob_mask(globs: dict[int, tuple[str, ...]], paths: str) -> str:
    """Return SQL for a mask with the bits whose globs match one of the `paths`."""
    bits = (
        f"CASE WHEN {_glob_predicate(some, paths)} THEN {1 << bit}::UBIGINT ELSE 0 END"
        for bit, some in globs.items()
        if some
    )
    return unite(["0::UBIGINT", *bits])


def unite(masks: Iterable[str]) -> str:
    """Return SQL for the bits of all masks, of which there is at least one.

    The operators form a balanced tree: the time to plan a chain grows faster than its length.
    """
    united = [f"({mask})" for mask in masks]
    while len(united) > 1:
        pairs = (united[first : first + 2] for first in range(0, len(united), 2))
        united = [f"({' | '.join(pair)})" for pair in pairs]
    return united[0]


def _glob_predicate(globs: tuple[str, ...], paths: str) -> str:
    contained = " OR ".join(f"contains({paths}, {literal(text)})" for text in literals(globs))
    # a CASE, as an AND in a select list evaluates both sides on every row
    return f"CASE WHEN {contained} THEN regexp_matches({paths}, {literal(pattern(globs))}) END"

"""The taxonomy as SQL: the masks of many models at once.

Words (tags, libraries, classes) are looked up in small tables, each list unnested once. A regular
expression is only tried on the file names that hold a glob's longest plain part.
"""

import re
from collections import defaultdict

from hfscan.frameworks.taxonomy import Rule, Taxonomy, pattern, taxonomy
from hfscan.sql import literal


def masks_sql(table: str) -> str:
    """Return SQL for `row` (the rowid), `tag_mask`, `weights_mask`, `loadable_mask` of a table.

    UBIGINT, the bits of taxonomy.toml. Reads the table's `tags`, `library_name`, `files`,
    `model_type` and `architectures`; `weights_mask` is NULL where the file names are not known,
    the other two where the tags are not.
    """
    known = taxonomy()
    files = " | ".join(
        f"(({_matches(one.files)})::UBIGINT << {one.bit})" for one in known.frameworks if one.files
    )
    weights = " | ".join(["_file_mask", *_rules(known, "weights", "_file_mask")])
    loadable = " | ".join(["_seen", *_rules(known, "loadable", "_seen")])
    steps = (
        f"*, CASE WHEN _files IS NOT NULL THEN {weights} END AS _weights",
        f"*, {_with_owners(known, '_weights')} AS weights_mask",
        "*, coalesce(tag_mask, 0) | coalesce(weights_mask, 0) AS _seen",
        # without tags the library may be hidden, and with it what can be loaded
        f"*, CASE WHEN tag_mask IS NOT NULL THEN {loadable} END AS _loadable",
        f"row, tag_mask, weights_mask, {_with_owners(known, '_loadable')} AS loadable_mask",
    )
    found = "filed"
    for step in steps:
        found = f"(SELECT {step} FROM {found})"
    # materialised, or DuckDB copies the expressions into every place that uses them
    return (
        f"WITH {_evidence(known, table)}, "
        # most models have the same files as many others
        "named AS (SELECT DISTINCT _files FROM evidence), "
        f"known AS (SELECT _files, {files} AS _file_mask FROM named), "
        "filed AS MATERIALIZED (FROM evidence LEFT JOIN known USING (_files)) "
        f"SELECT * FROM {found}"
    )


def _evidence(known: Taxonomy, table: str) -> str:
    """Return CTEs; the last, `evidence`, has a row for each of the table's, its words as bits."""
    by_type = {name: have.model_types for name, have in known.architectures.items()}
    by_class = {name: have.classes for name, have in known.architectures.items()}
    return f"""
    words(word, tag_bits, library_bits, rule_bits, type_bits) AS (VALUES {
        _lookup(
            {one.bit: one.tags for one in known.frameworks},
            {one.bit: one.libraries for one in known.frameworks},
            {number: one.libraries for number, one in enumerate(known.rules)},
            dict(enumerate(by_type.values())),
        )
    }),
    classes(word, class_bits) AS (VALUES {_lookup(dict(enumerate(by_class.values())))}),
    tagged AS (
        SELECT row, bit_or(tag_bits) AS tag_bits, bit_or(library_bits) AS library_bits,
            bit_or(rule_bits) AS rule_bits, bit_or(type_bits) AS type_bits
        FROM (SELECT rowid AS row, unnest(tags) AS word FROM {table}) JOIN words USING (word)
        GROUP BY row
    ),
    classed AS (
        SELECT row, bit_or(class_bits) AS class_bits
        FROM (SELECT rowid AS row, unnest(architectures) AS word FROM {table})
        JOIN classes USING (word)
        GROUP BY row
    ),
    evidence AS MATERIALIZED (
        SELECT
            models.rowid AS row,
            lower(array_to_string(list_filter(files, lambda file:
                NOT regexp_matches(lower(file), {literal(pattern(known.not_weights))})), chr(10)))
                AS _files,
            CASE WHEN tags IS NOT NULL THEN coalesce(tagged.tag_bits, 0::UBIGINT) END AS tag_mask,
            -- without a library_name, the tags may still name the library
            coalesce(CASE WHEN library_name IS NULL THEN tagged.library_bits
                ELSE library.library_bits END, 0::UBIGINT) AS _library_mask,
            coalesce(CASE WHEN library_name IS NULL THEN tagged.rule_bits
                ELSE library.rule_bits END, 0::UBIGINT) AS _library_rules,
            -- the Hub tags a transformers model with its config's model_type
            coalesce(CASE WHEN len(architectures) > 0 THEN class_bits
                WHEN model_type IS NOT NULL THEN type.type_bits
                ELSE tagged.type_bits END, 0::UBIGINT) AS _architectures
        FROM {table} AS models
        LEFT JOIN tagged ON tagged.row = models.rowid
        LEFT JOIN classed ON classed.row = models.rowid
        LEFT JOIN words AS library ON library.word = library_name
        LEFT JOIN words AS type ON type.word = model_type
    )"""


def _rules(known: Taxonomy, definition: str, formats: str) -> list[str]:
    return [
        _rule(known, number, one, formats)
        for number, one in enumerate(known.rules)
        if one.definition == definition
    ]


def _rule(known: Taxonomy, number: int, rule: Rule, formats: str) -> str:
    conditions = []
    if rule.formats:
        conditions.append(f"{formats} & {known.bits(rule.formats)} <> 0")
    if rule.libraries:
        conditions.append(f"_library_rules >> {number} & 1 = 1")
    if rule.architecture:
        place = list(known.architectures).index(rule.architecture)
        conditions.append(f"_architectures >> {place} & 1 = 1")
    if rule.files:
        conditions.append(_matches(rule.files))
    served = "_library_mask" if rule.serves == ("library",) else str(known.bits(rule.serves))
    return f"CASE WHEN {' AND '.join(conditions)} THEN {served}::UBIGINT ELSE 0 END"


def _with_owners(known: Taxonomy, mask: str) -> str:
    """Add to a format the framework whose own it is."""
    children = defaultdict(list)
    for framework in known.frameworks:
        if framework.parent:
            children[framework.parent].append(framework.key)
    parts = [
        f"CASE WHEN {mask} & {known.bits(formats)} <> 0 "
        f"THEN {known.bits([parent])}::UBIGINT ELSE 0 END"
        for parent, formats in sorted(children.items())
    ]
    return " | ".join([mask, *parts])


def _lookup(*columns: dict[int, tuple[str, ...]]) -> str:
    """Return rows (word, a mask for each of `columns`); each of those maps a bit to its words."""
    masks: dict[str, list[int]] = defaultdict(lambda: [0] * len(columns))
    for place, column in enumerate(columns):
        for bit, words in column.items():
            for word in words:
                masks[word][place] |= 1 << bit
    return ", ".join(
        f"({literal(word)}, {', '.join(f'{mask}::UBIGINT' for mask in row)})"
        for word, row in masks.items()
    )


def _matches(globs: tuple[str, ...]) -> str:
    plain = sorted({max(re.split(r"[*?]", glob), key=len).lower() for glob in globs})
    held = " OR ".join(f"contains(_files, {literal(one)})" for one in plain)
    # a CASE, as an AND in a select list tries both sides on every row
    found = f"CASE WHEN {held} THEN regexp_matches(_files, {literal(pattern(globs))}) END"
    return f"coalesce({found}, false)"

"""The masks of many models at once, as SQL, and the taxonomy that a database stores them with.

Words (tags, libraries, classes) are looked up in small tables, each list unnested once. Names of
files are classified once each: see bits.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING

from hfscan.frameworks.bits import bit_table, glob_mask, path_masks, unite
from hfscan.frameworks.taxonomy import Definition, Rule, Taxonomy, fingerprint, taxonomy

if TYPE_CHECKING:  # the command line has no need of DuckDB for the taxonomy
    import duckdb

MASKS = ("tag_mask", "weights_mask", "loadable_4_mask", "loadable_5_mask", "best_mask")
"""The columns of a model's masks: one for each definition, for `loadable` one for each release of
transformers."""


def is_current(connection: duckdb.DuckDBPyConnection) -> bool:
    """Return whether the masks of a database were computed with this release's taxonomy."""
    return connection.execute("SELECT taxonomy FROM metadata").fetchone() == (fingerprint(),)


def write_taxonomy(connection: duckdb.DuckDBPyConnection) -> None:
    """Write this release's taxonomy to the tables `frameworks` and `taxonomy_names`."""
    connection.execute("DELETE FROM frameworks")
    connection.execute("DELETE FROM taxonomy_names")
    for kind, names in taxonomy().names.items():
        connection.execute("INSERT INTO taxonomy_names SELECT ?, unnest(?)", [kind, sorted(names)])
    frameworks = [
        [framework.key, framework.title, framework.kind, framework.parent, framework.bit]
        for framework in taxonomy().frameworks
    ]
    connection.execute(
        "INSERT INTO frameworks SELECT unnest(?), unnest(?), unnest(?), unnest(?), unnest(?)",
        list(zip(*frameworks, strict=True)),
    )
    connection.execute("UPDATE metadata SET taxonomy = ?", [fingerprint()])


def reclassify(connection: duckdb.DuckDBPyConnection) -> None:
    """Recompute the masks of every model. Call it in a transaction."""
    write_taxonomy(connection)
    connection.execute(
        f"UPDATE versions SET {', '.join(f'{mask} = new.{mask}' for mask in MASKS)} "
        f"FROM ({masks_sql('versions')}) AS new WHERE versions.rowid = new.row"
    )


@cache
def masks_sql(table: str, *, has_files: bool = True) -> str:
    """Return SQL for `row` (the rowid) and MASKS of a table.

    Not `has_files`: `files` is NULL in every row, so that no glob has to be planned. The masks are
    UBIGINT, the bits of taxonomy.toml. Reads the table's `id`, `tags`, `library_name`, `files`,
    `model_type` and `architectures`; `weights_mask` is NULL where the file names are unknown,
    `tag_mask` where the tags are, `best_mask` where the file names are and no tag names weights,
    and `loadable_*_mask` where the tags are, or without file names could not decide.
    """
    known = taxonomy()
    numbered = list(enumerate(known.rules))
    masks = {
        "_file_mask": {framework.bit: framework.files for framework in known.frameworks},
        "_file_rules": {number: rule.files for number, rule in numbered},
        "_with_rules": {number: rule.with_files for number, rule in numbered},
        "_known_rules": {number: rule.files_if_known for number, rule in numbered},
        "_no_rules": {number: rule.unless_files for number, rule in numbered},
    }
    without_files = ", ".join(f"NULL::UBIGINT AS {name}" for name in masks)
    classified = (
        path_masks(table, masks, known.not_weights)
        if has_files
        else f"SELECT 0::BIGINT AS row, {without_files} WHERE false"
    )
    with_files = ", ".join(
        f"CASE WHEN _has_files THEN coalesce({name}, 0::UBIGINT) END AS {name}" for name in masks
    )
    decisive, any_weights = known.bits(known.decisive), known.bits(known.weights)
    is_decided = f"weights_mask & {decisive} <> 0 OR weights_mask & {any_weights} = 0"
    best = (
        f"CASE WHEN {is_decided} THEN weights_mask "
        f"WHEN coalesce(weights_mask, tag_mask) IS NOT NULL THEN {_add_rules(known, 'best')} END"
    )
    bounds = [f"_{bound}_{release}" for release in known.releases for bound in ("least", "most")]
    steps = (
        f"*, CASE WHEN _has_files THEN {_add_rules(known, 'weights')} END AS _weights",
        f"*, {_add_parents(known, '_weights')} AS _weights_with_parents",
        f"*, {_add_fallback(known, 'weights', '_weights_with_parents')} AS weights_mask",
        "*, coalesce(tag_mask, 0) | coalesce(weights_mask, 0) AS _file_or_tag_mask",
        f"*, {', '.join(_loadable_bounds(known))}, {best} AS _best",
        f"*, {', '.join(_release_bounds(known))}",
        f"* REPLACE ({', '.join(f'{_add_parents(known, name)} AS {name}' for name in bounds)})",
        f"*, {', '.join(_loadable_masks(known))}, "
        f"{_add_parents(known, '_best')} AS _best_with_parents",
        f"*, {_add_fallback(known, 'best', '_best_with_parents')} AS _best_with_fallback",
        # without file names, a model without evidence may have weights of any framework
        f"*, CASE WHEN _has_files OR _best_with_fallback & {any_weights} <> 0 "
        "THEN _best_with_fallback END AS best_mask",
        f"row, {', '.join(MASKS)}",
    )
    query = "file_masks"
    for step in steps:
        query = f"(SELECT {step} FROM {query})"
    # materialised, or DuckDB copies the expressions into every place that uses them
    return (
        f"WITH {_evidence(known, table)}, "
        f"classified AS ({classified}), "
        f"file_masks AS MATERIALIZED (SELECT evidence.*, {with_files} "
        "FROM evidence LEFT JOIN classified USING (row)) "
        f"SELECT * FROM {query}"
    )


def _evidence(known: Taxonomy, table: str) -> str:
    """Return CTEs; the last, `evidence`, has a row for each of the table's, its words as bits."""
    architectures = list(known.architectures.values())
    heads = list(enumerate(head for _, head in _heads(known)))
    words = bit_table(
        tag_bits={framework.bit: framework.tags for framework in known.frameworks},
        library_bits={framework.bit: framework.libraries for framework in known.writers},
        rule_bits={number: rule.libraries for number, rule in enumerate(known.rules)},
        tag_rule_bits={number: rule.tags for number, rule in enumerate(known.rules)},
        no_rule_bits={number: rule.unless_tags for number, rule in enumerate(known.rules)},
        type_bits={number: has.model_types for number, has in enumerate(architectures)},
        type_head_bits={number: tuple(head["model_types"]) for number, head in heads},
        task_head_bits={number: tuple(head["tasks"]) for number, head in heads},
    )
    classes = bit_table(
        class_bits={number: has.classes for number, has in enumerate(architectures)}
    )
    uncertain_names = {number: rule.uncertain_names for number, rule in enumerate(known.rules)}
    return f"""
    words AS MATERIALIZED ({words}),
    classes AS ({classes}),
    tagged AS (
        SELECT row, bit_or(tag_bits) AS tag_bits, bit_or(library_bits) AS library_bits,
            bit_or(rule_bits) AS rule_bits, bit_or(tag_rule_bits) AS tag_rule_bits,
            bit_or(no_rule_bits) AS no_rule_bits, bit_or(type_bits) AS type_bits,
            bit_or(type_head_bits) AS type_head_bits, bit_or(task_head_bits) AS task_head_bits
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
            files IS NOT NULL AS _has_files,
            CASE WHEN tags IS NOT NULL THEN coalesce(tagged.tag_bits, 0::UBIGINT) END AS tag_mask,
            -- without a library_name, the tags may still name the library
            coalesce(CASE WHEN library_name IS NULL THEN tagged.library_bits
                ELSE library.library_bits END, 0::UBIGINT) AS _library_mask,
            coalesce(CASE WHEN library_name IS NULL THEN tagged.rule_bits
                ELSE library.rule_bits END, 0::UBIGINT) AS _library_rules,
            coalesce(tagged.tag_rule_bits, 0::UBIGINT) | coalesce(library.tag_rule_bits, 0::UBIGINT)
                AS _tag_rules,
            coalesce(tagged.no_rule_bits, 0::UBIGINT) | coalesce(library.no_rule_bits, 0::UBIGINT)
                AS _no_tag_rules,
            -- without file names, the repository's name may raise a doubt
            {glob_mask(uncertain_names, "_repo")} AS _name_rules,
            coalesce(len(architectures) > 0, false) AS _has_classes,
            coalesce(class_bits, 0::UBIGINT) AS _classes,
            -- the Hub tags a transformers model with its config's model_type, and with its task
            coalesce(CASE WHEN model_type IS NOT NULL THEN type.type_bits
                ELSE tagged.type_bits END, 0::UBIGINT) AS _types,
            coalesce(CASE WHEN model_type IS NOT NULL THEN type.type_head_bits
                ELSE tagged.type_head_bits END, 0::UBIGINT) AS _type_heads,
            coalesce(tagged.task_head_bits, 0::UBIGINT) AS _task_heads
        FROM (
            SELECT *, rowid, lower(CASE WHEN files IS NULL THEN id END) AS _repo FROM {table}
        ) AS models
        LEFT JOIN tagged ON tagged.row = models.rowid
        LEFT JOIN classed ON classed.row = models.rowid
        LEFT JOIN words AS library ON library.word = library_name
        LEFT JOIN words AS type ON type.word = model_type
    )"""


def _add_rules(known: Taxonomy, definition: Definition) -> str:
    """Return SQL for the mask of a model's files, or of files and tags, with what rules add."""
    mask = "_file_mask" if definition == "weights" else "_file_or_tag_mask"
    return unite([mask, *_rules(known, definition, mask)])


def _add_fallback(known: Taxonomy, definition: Definition, mask: str) -> str:
    """Return SQL that adds to a mask the fallback rules, where it names no framework.

    Of weight files: where it names no format either.
    """
    named = known.bits(known.weights if definition == "weights" else known.decisive)
    rules = unite(_rules(known, definition, mask, fallback=True))
    return f"{mask} | CASE WHEN {mask} & {named} = 0 THEN {rules} ELSE 0 END"


def _loadable_bounds(known: Taxonomy, release: int | None = None) -> Iterator[str]:
    """Yield SQL for what is certainly loadable with every release, and what may be.

    With one `release`: for what it adds to these.
    """
    for name, certain in (("_least", True), ("_most", False)):
        rules = (
            _rule(known, number, rule, "_file_or_tag_mask", certain=certain)
            for number, rule in enumerate(known.rules)
            if "loadable" in rule.definitions and rule.transformers == release
        )
        if release is None:
            yield f"{unite(['_file_or_tag_mask', *rules])} AS {name}"
        else:
            yield f"{unite([name, *rules])} AS {name}_{release}"


def _release_bounds(known: Taxonomy) -> Iterator[str]:
    for release in known.releases:
        yield from _loadable_bounds(known, release)


def _loadable_masks(known: Taxonomy) -> Iterator[str]:
    """Yield SQL for the masks of `loadable`: NULL where the bounds differ.

    Without tags the library may be unknown, and without file names a model with no other evidence
    may have weights of any framework.
    """
    decisive = known.bits(known.decisive)
    for release in known.releases:
        least, most = f"_least_{release}", f"_most_{release}"
        yield (
            f"CASE WHEN tag_mask IS NOT NULL AND {least} = {most} "
            f"AND (_has_files OR {least} & {decisive} <> 0) THEN {least} END "
            f"AS loadable_{release}_mask"
        )


def _rules(
    known: Taxonomy, definition: Definition, mask: str, *, fallback: bool = False
) -> Iterator[str]:
    for number, rule in enumerate(known.rules):
        if definition in rule.definitions and rule.fallback == fallback:
            yield _rule(known, number, rule, mask)


def _rule(known: Taxonomy, number: int, rule: Rule, formats: str, *, certain: bool = True) -> str:
    """Return SQL for what a rule adds; not `certain`: what it might, if more were known."""
    bit, or_unknown = 1 << number, "" if certain else "NOT _has_files OR "
    conditions = {
        f"{formats} & {known.bits(rule.formats)} <> 0": rule.formats,
        f"_library_rules & {bit} <> 0": rule.libraries,
        f"_tag_rules & {bit} <> 0": rule.tags,
        f"_no_tag_rules & {bit} = 0": rule.unless_tags,
        f"({or_unknown}_file_rules & {bit} <> 0)": rule.files,
        f"({or_unknown}_with_rules & {bit} <> 0)": rule.with_files,
        f"(NOT _has_files OR _known_rules & {bit} <> 0)": rule.files_if_known,
        f"coalesce(_no_rules & {bit}, 0) = 0": rule.unless_files,
        f"_name_rules & {bit} = 0": rule.uncertain_names if certain else (),
        "_has_classes": rule.has_architectures,
        _has_class(known, rule.architecture, certain=certain): rule.architecture,
    }
    supported = "_library_mask" if rule.supports_library else str(known.bits(rule.supports))
    held = " AND ".join(condition for condition, named in conditions.items() if named)
    return f"CASE WHEN {held} THEN {supported}::UBIGINT ELSE 0 END"


def _has_class(known: Taxonomy, framework: str | None, *, certain: bool) -> str:
    """Return SQL for whether transformers has the model's class for a framework.

    Without architectures: a class of its model type for its task. Not `certain`: without a task,
    for any task.
    """
    if framework is None:
        return "false"
    index = list(known.architectures).index(framework)
    heads = [number for number, (name, _) in enumerate(_heads(known)) if name == framework]
    mask = sum(1 << number for number in heads)
    has_head = f"_type_heads & _task_heads & {mask} <> 0"
    if not certain:
        has_head = f"({has_head} OR _task_heads = 0 AND _types & {1 << index} <> 0)"
    return f"CASE WHEN _has_classes THEN _classes & {1 << index} <> 0 ELSE {has_head} END"


def _heads(known: Taxonomy) -> list[tuple[str, Mapping[str, list[str]]]]:
    return [(name, head) for name, has in known.architectures.items() for head in has.heads]


def _add_parents(known: Taxonomy, mask: str) -> str:
    """Return SQL that adds to a mask with a format the framework that the format belongs to."""
    formats = defaultdict(list)
    for framework in known.frameworks:
        if framework.parent:
            formats[framework.parent].append(framework.key)
    parents = [
        f"CASE WHEN {mask} & {known.bits(children)} <> 0 "
        f"THEN {known.bits([parent])}::UBIGINT ELSE 0 END"
        for parent, children in sorted(formats.items())
    ]
    return unite([mask, *parents])

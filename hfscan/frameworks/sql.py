"""The taxonomy as SQL: the masks of many models at once."""

from collections.abc import Iterable

from hfscan.frameworks.taxonomy import Rule, pattern, taxonomy


def masks_sql(relation: str) -> str:
    """Return SQL for `relation` with the columns `tag_mask`, `weights_mask`, `usable_mask` added.

    UBIGINT, the bits of taxonomy.toml. Reads `tags`, `library_name`, `files`, `model_type` and
    `architectures`; `weights_mask` is NULL where the file names are not known.
    """
    known = taxonomy()
    evidence = f"""
        SELECT *,
            array_to_string(list_filter(files, lambda file:
                NOT regexp_matches(file, {_text(pattern(known.not_weights))})), chr(10)) AS _files
        FROM {relation}"""
    found = f"""
        SELECT *,
            {_mask((one.bit, _any("tags", one.tags)) for one in known.frameworks if one.tags)}
                AS tag_mask,
            {
        _mask((one.bit, _library(one.libraries)) for one in known.frameworks if one.libraries)
    } AS _library_mask,
            {_mask((one.bit, _matches(one.files)) for one in known.frameworks if one.files)}
                AS _file_mask
        FROM ({evidence})"""
    weights = " | ".join(["_file_mask", *_rules("weights", "_file_mask")])
    usable = " | ".join(["_seen", *_rules("usable", "_seen")])
    steps = (  # each a select of its own, so that no mask is computed twice
        f"*, CASE WHEN files IS NOT NULL THEN {weights} END AS _weights",
        f"*, {_with_owners('_weights')} AS weights_mask",
        "*, tag_mask | coalesce(weights_mask, 0) AS _seen",
        f"*, {usable} AS _usable",
        f"* EXCLUDE (_files, _library_mask, _file_mask, _weights, _seen, _usable), "
        f"{_with_owners('_usable')} AS usable_mask",
    )
    for step in steps:
        found = f"SELECT {step} FROM ({found})"
    return found


def _rules(definition: str, formats: str) -> list[str]:
    return [_rule(one, formats) for one in taxonomy().rules if one.definition == definition]


def _rule(rule: Rule, formats: str) -> str:
    known = taxonomy()
    conditions = []
    if rule.formats:
        conditions.append(f"{formats} & {known.bits(rule.formats)} <> 0")
    if rule.files:
        conditions.append(_matches(rule.files))
    if rule.libraries:
        conditions.append(_library(rule.libraries))
    if rule.architecture:
        have = known.architectures[rule.architecture]
        conditions.append(
            "CASE WHEN len(architectures) > 0 "
            f"THEN {_any('architectures', have.classes)} "
            f"WHEN model_type IS NOT NULL THEN model_type IN ({_texts(have.model_types)}) "
            # the Hub tags a transformers model with its config's model_type
            f"ELSE {_any('tags', have.model_types)} END"
        )
    served = "_library_mask" if rule.serves == ("library",) else str(known.bits(rule.serves))
    return f"CASE WHEN {' AND '.join(conditions)} THEN {served}::UBIGINT ELSE 0 END"


def _with_owners(mask: str) -> str:
    """Add to a format the framework whose own it is."""
    known = taxonomy()
    owners = {one.of for one in known.frameworks if one.of}
    parts = [
        f"CASE WHEN {mask} & {known.bits(one.key for one in known.frameworks if one.of == owner)} "
        f"<> 0 THEN {known.bits([owner])}::UBIGINT ELSE 0 END"
        for owner in sorted(owners)
    ]
    return " | ".join([mask, *parts])


def _mask(bits: Iterable[tuple[int, str]]) -> str:
    return "(" + " | ".join(f"(({condition})::UBIGINT << {bit})" for bit, condition in bits) + ")"


def _any(column: str, values: Iterable[str]) -> str:
    return f"coalesce(list_has_any({column}, [{_texts(values)}]), false)"


def _library(names: Iterable[str]) -> str:
    # without a library_name, the tags may still name the library
    return (
        f"CASE WHEN library_name IS NULL THEN {_any('tags', names)} "
        f"ELSE library_name IN ({_texts(names)}) END"
    )


def _matches(globs: tuple[str, ...]) -> str:
    return f"coalesce(regexp_matches(_files, {_text(pattern(globs))}), false)"


def _texts(values: Iterable[str]) -> str:
    return ", ".join(map(_text, values))


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"

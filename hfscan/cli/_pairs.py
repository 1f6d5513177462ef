"""Parse repeatable options of the form KEY=VALUE."""

from collections.abc import Iterable

import click

from hfscan.suggest import unknown


def parse_pairs(values: Iterable[str], form: str, option: str) -> dict[str, str]:
    """Return key -> value. `form`: how a pair looks, e.g. NAME=VALUE.

    Raises BadParameter if a value has another form, or if a key is given two values.
    """
    pairs: dict[str, str] = {}
    for text in values:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise click.BadParameter(f"{text!r} is not of the form {form}", param_hint=option)
        if pairs.setdefault(key, value) != value:
            raise click.BadParameter(f"{key} was given two values", param_hint=option)
    return pairs


def parse_pythons(values: Iterable[str], backends: list[str]) -> dict[str, str]:
    """Return backend -> Python interpreter, from --backend-python. Raises BadParameter."""
    option = "--backend-python"
    pythons = parse_pairs(values, "BACKEND=INTERPRETER", option)
    for backend in pythons:
        if backend not in backends:
            raise click.BadParameter(unknown("backend", backend, backends), param_hint=option)
    return pythons

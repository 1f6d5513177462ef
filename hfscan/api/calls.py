"""Check the calls of the Python API, and word their errors for it."""

import functools
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from hfscan.errors import HfscanError, InvalidRequestError

Arguments = ParamSpec("Arguments")
Owner = TypeVar("Owner")
Result = TypeVar("Result")

_NUMBER = (
    lambda value: isinstance(value, int) and not isinstance(value, bool), "a whole number",
)  # fmt: skip
_TEXT = (lambda value: isinstance(value, str), "a text")
_KINDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(
        ("year", "compare_year", "snapshot", "compare_snapshot", "top", "exclude_top_authors",
         "transformers", "up", "down"), _NUMBER
    ),
    **dict.fromkeys(
        ("name", "model", "framework", "definition", "weight", "by", "per", "population", "cutoff"),
        _TEXT,
    ),
    "as_of": (lambda value: isinstance(value, datetime), "a datetime"),
    "folder": (lambda value: isinstance(value, str | Path), "a path"),
    "frameworks": (
        lambda value: isinstance(value, str)
        or (isinstance(value, Sequence) and all(isinstance(name, str) for name in value)),
        "a name, or a list of names",
    ),
}  # fmt: skip
"""Argument -> whether a value has its type, and that type in words."""

_ARGUMENTS = {"db": "path", "from": "path"}
"""Option of the command line -> argument, where the names differ."""


def checked(
    method: Callable[Concatenate[Owner, Arguments], Result],
) -> Callable[Concatenate[Owner, Arguments], Result]:
    """Return a method that raises InvalidRequestError where an argument has another type.

    Its errors name arguments instead of options of the command line.
    """
    signature, named = inspect.signature(method), name_arguments(method)

    @functools.wraps(method)
    def call(self: Owner, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        for name, value in _flatten(signature.bind(self, *args, **kwargs).arguments):
            has_type, description = _KINDS.get(name, (None, ""))
            if has_type and value is not None and not has_type(value):
                raise InvalidRequestError(f"{name} takes {description}, not {value!r}.")
        return named(self, *args, **kwargs)

    return call


def name_arguments(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Return a function whose errors name arguments instead of options of the command line."""

    @functools.wraps(function)
    def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            return function(*args, **kwargs)
        except HfscanError as error:
            error.args = tuple(map(word_for_api, map(str, error.args)))
            raise

    return call


def _flatten(arguments: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in arguments.items():
        if name == "options":
            yield from value.items()
        elif name != "parameters":  # of queries, which check their own
            yield name, value


def word_for_api(message: str) -> str:
    """Return the message with `compare_year` for --compare-year, but commands as they are."""
    return _COMMAND_OR_OPTION.sub(_name_argument, _LIMIT_ADVICE.sub("", message))


_LIMIT_ADVICE = re.compile(r", or raise --max-\w+")  # which only commands can

_COMMAND_OR_OPTION = re.compile(r"`[^`]*`|hfscan [^,;:]*?(?=[,;:]|\. |\.?$)|--([a-z]+(?:-[a-z]+)*)")


def _name_argument(match: re.Match[str]) -> str:
    if match[1] is None:
        return match[0]
    name = match[1].replace("-", "_")
    return _ARGUMENTS.get(name, name)

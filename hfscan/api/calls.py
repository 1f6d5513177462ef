"""Check the calls of the Python API, and word their errors for it."""

import functools
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from numbers import Integral
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, get_args, get_type_hints

from hfscan.errors import HfscanError, InvalidRequestError
from hfscan.suggest import did_you_mean
from hfscan.text import join_words
from hfscan.timestamps import to_utc_naive

Arguments = ParamSpec("Arguments")
Owner = TypeVar("Owner")
Result = TypeVar("Result")

_NUMBER = (
    lambda value: isinstance(value, Integral) and not isinstance(value, bool), "a whole number",
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


def checked(
    method: Callable[Concatenate[Owner, Arguments], Result],
) -> Callable[Concatenate[Owner, Arguments], Result]:
    """Return a method that raises InvalidRequestError where an argument has another type.

    It raises TypeError on unknown arguments, also of those that it passes on as `options`. Its
    errors name arguments instead of options of the command line.
    """
    signature, named = inspect.signature(method), name_arguments(method)
    required = {
        name for name, parameter in signature.parameters.items()
        if parameter.default is inspect.Parameter.empty
    }  # fmt: skip

    @functools.wraps(method)
    def call(self: Owner, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        if known := _list_arguments(method, signature):
            _check_arguments(method.__name__, kwargs, known)
        bound = signature.bind(self, *args, **kwargs)
        # `parameters` of queries check their own
        for given in (bound.arguments, bound.arguments.get("options", {})):
            for name, value in given.items():
                has_type, description = _KINDS.get(name, (None, ""))
                if has_type and (value is not None or name in required) and not has_type(value):
                    raise InvalidRequestError(f"{name} takes {description}, not {value!r}.")
                if isinstance(value, Integral) and not isinstance(value, bool):
                    given[name] = int(value)  # also of numpy
        return named(*bound.args, **bound.kwargs)

    return call


def _check_arguments(function: str, given: Iterable[str], known: Collection[str]) -> None:
    """Raise TypeError on an argument that a function does not have."""
    for name in given:
        if name not in known:
            hint = did_you_mean(name, known) or f" It takes {join_words(sorted(known))}."
            raise TypeError(f"{function}() has no argument {name!r}.{hint}")


@functools.cache
def _list_arguments(method: Callable[..., Any], signature: inspect.Signature) -> frozenset[str]:
    """Return the names of a method's keyword arguments, none where it takes any."""
    keywords = [
        name for name, parameter in signature.parameters.items()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    ]  # fmt: skip
    if (options := get_type_hints(method).get("options")) is not None:
        (typed_dict,) = get_args(options)  # of Unpack
        keywords += get_type_hints(typed_dict)
    elif "parameters" in signature.parameters:
        return frozenset()
    return frozenset(keywords)


def name_arguments(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Return a function whose errors name arguments instead of options of the command line.

    It raises TypeError on unknown arguments, unless it takes any.
    """
    parameters = inspect.signature(function).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())

    @functools.wraps(function)
    def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        if not takes_any:
            _check_arguments(function.__name__, kwargs, parameters)
        try:
            return function(*args, **kwargs)
        except HfscanError as error:
            error.args = (error.python_message,)
            raise

    return call


def list_names(frameworks: str | Sequence[str]) -> tuple[str, ...]:
    """Return names, also given with commas, without duplicates."""
    names = frameworks.split(",") if isinstance(frameworks, str) else frameworks
    return tuple(dict.fromkeys(names))


def check_instant(as_of: datetime | None, snapshot: int | None) -> datetime | None:
    """Return the time in UTC, without zone. Raises InvalidRequestError."""
    if snapshot is not None and as_of is not None:
        raise InvalidRequestError("snapshot and as_of exclude each other. Give one.")
    instant = to_utc_naive(as_of)
    if instant is not None and instant.date() > datetime.now(UTC).date():
        raise InvalidRequestError(f"as_of ({instant:%Y-%m-%d}) lies in the future.")
    return instant

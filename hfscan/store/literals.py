"""Parse lists and objects that a file has as text: JSON, or as Python prints them."""

import ast
import math
import re
import warnings
from typing import Any

import msgspec

_STRING = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_ADJACENT_STRINGS = re.compile(rf"{_STRING}\s+{_STRING}", re.DOTALL)
_NUMPY_STRINGS = re.compile(rf"\[\s*{_STRING}(?:\s+{_STRING})*\s*\]", re.DOTALL)
_SEQUENCES = frozenset({"array", "list", "tuple", "set", "frozenset", "ndarray"})
_NAMES = {"nan": math.nan, "null": None, "true": True, "false": False}

MISSING = frozenset({"None", "null", "NULL", "nan", "NaN", "NaT", "<NA>", "N/A"})
"""How Python, JSON, SQL, pandas and spreadsheets write that there is no value."""


def parse_literal(text: str) -> Any:
    """Return the list, object, text or number that `text` spells.

    JSON, a Python literal, what numpy prints for a list of text, or the repr of a class, of which
    the named arguments are returned as a dict: `RepoSibling(rfilename='a.bin', size=None)`.
    Nothing is executed. Raises ValueError for everything else.
    """
    text = text.strip()
    if text in MISSING:
        return None
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        pass
    if _NUMPY_STRINGS.fullmatch(text):
        return [ast.literal_eval(string) for string in re.findall(_STRING, text, re.DOTALL)]
    if _ADJACENT_STRINGS.search(text):  # Python would join two texts to one
        raise ValueError("texts stand side by side without a comma")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # of backslashes in texts
            tree = ast.parse(text, mode="eval")
        return _value(tree.body)
    except (SyntaxError, MemoryError, RecursionError, UnicodeError) as error:
        raise ValueError("neither JSON nor a Python literal") from error


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=None | bool() | int() | float() | str() as value):
            return value
        case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
            return [_value(item) for item in items]
        case ast.Dict(keys=keys, values=values):
            return {
                str(_value(key)): _value(value)
                for key, value in zip(keys, values, strict=True)
                if key is not None
            }
        case ast.UnaryOp(op=ast.USub(), operand=operand) if isinstance(
            number := _value(operand), int | float
        ):
            return -number
        case ast.Name(id=name) if name in _NAMES:
            return _NAMES[name]
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=[argument, *_]) if (
            name in _SEQUENCES
        ):
            return _value(argument)
        case ast.Call(args=[], keywords=arguments):
            return {
                argument.arg: _optional(argument.value) for argument in arguments if argument.arg
            }
    raise ValueError(f"{type(node).__name__} is not a literal")


def _optional(node: ast.expr) -> Any:
    """Return an argument's value, None where it is not a literal: a class has many arguments."""
    try:
        return _value(node)
    except ValueError:
        return None

"""Checks that parsed JSON has the types that its readers rely on."""

import math
from typing import Any

NUMBER = (int, float)
WORDS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", type(None): "null"}


def mismatch(value: Any, expected: Any, name: str = "") -> str | None:
    """Return what in `value` is not as `expected`, in words; `None` if all is. Numbers must be finite.

    Args:
        value: parsed JSON.
        expected: a type or a tuple of types, `None` in it for null; or, of a list, `[expected of each element]`;
            or, of an object, `{key: expected}` of the keys that it must have, and of all others under `"*"`.
        name: of the value in the words.
    """
    if isinstance(expected, dict):
        return _object_mismatch(value, expected, name)
    if isinstance(expected, list):
        if not isinstance(value, list):
            return f"{name!r} is no JSON list"
        found = (mismatch(item, expected[0], f"{name}[{number}]") for number, item in enumerate(value))
        return next(filter(None, found), None)
    types = tuple(each or type(None) for each in (expected if isinstance(expected, tuple) else (expected,)))
    is_one = isinstance(value, types) and (bool in types or not isinstance(value, bool))
    if is_one and not (isinstance(value, float) and not math.isfinite(value)):
        return None
    words = dict.fromkeys(WORDS[each] for each in types if not (each is int and float in types))
    return f"{name!r} is {value!r:.40}, expected {' or '.join(words)}"


def _object_mismatch(value: Any, expected: dict[str, Any], name: str) -> str | None:
    if not isinstance(value, dict):
        return f"{name!r} is no JSON object"
    prefix = f"{name}." if name else ""
    for key in expected:
        if key != "*" and key not in value:
            return f"{prefix + key!r} is missing"
    checked = (key for key in value if key in expected or "*" in expected)
    found = (mismatch(value[key], expected.get(key, expected.get("*")), prefix + key) for key in checked)
    return next(filter(None, found), None)

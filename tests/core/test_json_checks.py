"""Types of parsed JSON, against words worked out by hand."""

import pytest

from fer_keras.core.json_checks import NUMBER, mismatch

EXPECTED = {"name": str, "sizes": [int], "parts": {"a": NUMBER, "*": (*NUMBER, None)}, "on": bool}
GOOD = {"name": "x", "sizes": [1, 2], "parts": {"a": 0.5, "b": None, "c": 3}, "on": True, "more": object()}


def test_what_is_as_expected():
    assert mismatch(GOOD, EXPECTED) is None
    assert mismatch([], [int]) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": None}, "'name' is None, expected a text"),
        ({"sizes": 7}, "'sizes' is no JSON list"),
        ({"sizes": [1, 2.5]}, "'sizes[1]' is 2.5, expected a whole number"),
        ({"sizes": [True]}, "'sizes[0]' is True, expected a whole number"),
        ({"parts": []}, "'parts' is no JSON object"),
        ({"parts": {}}, "'parts.a' is missing"),
        ({"parts": {"a": float("nan")}}, "'parts.a' is nan, expected a number"),
        ({"parts": {"a": 1, "b": "x" * 99}}, f"'parts.b' is '{'x' * 39}, expected a number or null"),
        ({"on": 1}, "'on' is 1, expected true or false"),
    ],
)
def test_what_is_not(change, words):
    assert mismatch(GOOD | change, EXPECTED) == words


def test_the_whole_value():
    assert mismatch(None, {"a": int}, "run") == "'run' is no JSON object"

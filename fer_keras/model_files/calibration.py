"""The thresholds of a network's prediction sets, as they stand in its file."""

from typing import Any

from fer_keras.core.choices import TTA
from fer_keras.core.errors import InputError

KEY = "conformal"  # in metadata.json of a .keras file, and in the metadata of an ONNX file
PERCENTS = range(50, 100)  # coverages that can be asked for


def check(value: Any, where: object) -> dict[str, dict[str, Any]]:
    """Return `value`, {view: what `fer_keras.inference.conformal.calibrate` returns}, if it is that.

    Args:
        value: what a file gave.
        where: the file, for the message.

    Raises:
        InputError: if it is anything else.
    """
    if not (isinstance(value, dict) and set(value) <= set(TTA) and all(map(_fits, value.values()))):
        raise InputError(f"{where}: expected thresholds of prediction sets for the views {', '.join(TTA)}.")
    return value


def _fits(view: Any) -> bool:
    if not (isinstance(view, dict) and set(view) == {"images", "thresholds"} and type(view["images"]) is int):
        return False
    thresholds = view["thresholds"]
    percents = [str(percent) for percent in PERCENTS]
    return (
        isinstance(thresholds, dict)
        and sorted(thresholds) == percents
        and all(map(_is_score, thresholds.values()))
    )


def _is_score(value: Any) -> bool:
    return value is None or type(value) in (int, float) and 0 <= value <= 1

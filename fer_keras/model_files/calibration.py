"""The thresholds of a network's prediction sets in its file."""

from typing import Any

from fer_keras.core.choices import TTA
from fer_keras.core.errors import InputError

KEY = "conformal"  # in metadata.json of a .keras file, and in the metadata of an ONNX file
PERCENTS = range(50, 100)  # possible coverages


def check(value: Any, where: object) -> dict[str, dict[str, Any]]:
    """Check and return `value`, {test-time augmentation: result of `fer_keras.inference.conformal.calibrate`}.

    Args:
        value: content of a file.
        where: the file, for the message.

    Raises:
        InputError: if it has another form.
    """
    if not (isinstance(value, dict) and set(value) <= set(TTA) and all(map(_fits, value.values()))):
        raise InputError(f"{where}: expected thresholds of prediction sets for {', '.join(TTA)}.")
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

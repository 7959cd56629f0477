"""Outputs of networks: probabilities, logits or neither."""

from typing import Any

import numpy as np

from fer_keras.core.choices import Tta
from fer_keras.core.errors import InputError

SMALLEST = np.float32(1e-12)  # probability that calibration distinguishes from 0
ROUNDING = 1e-2  # tolerance of the sum of an image's probabilities: bfloat16 has 8 bits


def are_probabilities(outputs: np.ndarray) -> bool:
    """Return whether the array (n, classes) contains probabilities."""
    return bool(outputs.min(initial=0) >= 0 and np.allclose(outputs.sum(axis=1), 1, atol=ROUNDING))


def check_probabilities(outputs: Any, shape: tuple[int, int], source: str) -> np.ndarray:
    """Return `outputs` as float32.

    Args:
        outputs: of a classifier.
        shape: expected, (images, classes).
        source: name of the classifier, for messages.

    Raises:
        InputError: if they have another shape or are not probabilities.
    """
    try:
        outputs = np.asarray(outputs, "float32")
    except (TypeError, ValueError) as error:
        raise InputError(f"{source} must give an array of numbers. Received {outputs!r:.200}.") from error
    if outputs.shape != shape:
        raise InputError(f"{source} must give probabilities of shape {shape}. Received shape {outputs.shape}.")
    check_finite(outputs, source)
    if not are_probabilities(outputs):
        row = outputs[np.argmax(np.abs(outputs.sum(axis=1) - 1))]
        raise InputError(
            f"{source} must give probabilities: from 0 to 1, with sum 1 for each image. Received {_shown(row)}."
        )
    return outputs


def give_logits(outputs: np.ndarray, source: str) -> bool:
    """Return whether `outputs`, (n, classes) of a Keras model, are logits; otherwise they are probabilities.

    Raises:
        InputError: if they are neither: NaN, infinite, or independent scores from 0 to 1 as of a sigmoid.
    """
    check_finite(outputs, source)
    if are_probabilities(outputs):
        return False
    if outputs.min() >= 0:
        raise InputError(
            f"{source} gives values that are not negative but do not sum to 1, such as {_shown(outputs[0])}. "
            "Expected probabilities or logits: end the network in a softmax or a linear layer."
        )
    return True


def calibrated(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return the probabilities whose logits are divided by `temperature`.

    Guo et al. 2017, arXiv:1706.04599, section 4.2. The logarithm of the probabilities serves as the logits.
    """
    if temperature == 1:
        return probabilities
    powers = np.maximum(probabilities, SMALLEST) ** (1 / temperature)
    return powers / powers.sum(axis=-1, keepdims=True)


def temperature_of(classifier: Any, tta: Tta) -> float:
    """Return a network's or engine's temperature for a test-time augmentation; 1 if its card has none."""
    return getattr(classifier, "temperatures", {}).get(tta, 1.0)


def check_finite(outputs: np.ndarray, source: str) -> None:
    """Raise `InputError` if a value is NaN or infinite."""
    if not np.isfinite(outputs).all():
        raise InputError(f"{source} gives NaN or infinite values: its weights or its input scale are wrong.")


def _shown(row: np.ndarray) -> str:
    return "[" + ", ".join(f"{value:.3g}" for value in row[:7]) + (", …]" if len(row) > 7 else "]")

"""From integer images of more than 8 bits to 8 bits."""

import numpy as np
from PIL import Image

from fer_keras.core.errors import InputError

DEPTHS = (8, 10, 12, 14, 16)


def integers(image: Image.Image) -> np.ndarray:
    """Return the uint16 values of a grey image in one of Pillow's I modes; values beyond 16 bits are refused."""
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 65535:
        raise InputError(f"The image has values {values.min()} to {values.max()}. Expected 8 to 16 bits.")
    return values.astype(np.uint16)


def smallest_depth(maximum: int) -> int:
    """Return the smallest of 8, 10, 12, 14 and 16 bits that hold `maximum`."""
    return next(bits for bits in DEPTHS if maximum < 1 << bits)


def to_eight_bits(values: np.ndarray, bits: int) -> np.ndarray:
    """Return uint8 values [0, 255] of integers with `bits` bits; larger values become white."""
    shift = max(bits - 8, 0)
    return np.minimum(values >> shift, 255).astype(np.uint8)

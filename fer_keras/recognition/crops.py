"""The part of a photograph that the classifier sees, cut as FER-2013 was."""

import math

import numpy as np
from PIL import Image

from fer_keras.data.faces import SIDE


def crop(rgb, box, margin=0.0):
    """Return the face in `box` as FER-2013 has it: square, grey, reduced to 48 × 48 pixels.

    Args:
        rgb: uint8 (height, width, 3).
        box: x, y, width, height in pixels; the shorter side is widened to the longer one about the middle.
        margin: share of the side that is added, half of it on either side; below 0 cuts closer. What lies beyond
            the photograph repeats its edge.

    Returns:
        uint8 (48, 48, 1).
    """
    x, y, width, height = box[:4]
    side = max(width, height) * (1 + margin)
    left, top = x + (width - side) / 2, y + (height - side) / 2
    first_column, first_row = math.floor(left), math.floor(top)
    region = rgb[
        within(first_row, math.ceil(top + side), rgb.shape[0])[:, None],
        within(first_column, math.ceil(left + side), rgb.shape[1]),
    ]
    left, top = left - first_column, top - first_row
    grey = Image.fromarray(region).convert("L")
    small = grey.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side))
    return np.asarray(small)[..., None]


def within(start, stop, length):
    """Return the indices from `start` to `stop`, the first and the last repeated beyond the image."""
    return np.clip(np.arange(start, stop), 0, length - 1)

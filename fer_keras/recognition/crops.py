"""Crops of faces, aligned and framed as those of FER-2013."""

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from fer_keras.data.faces import SIDE
from fer_keras.recognition.boxes import Landmarks


def crop(rgb: np.ndarray, box: Sequence, margin: float = 0.0, angle: float = 0.0) -> np.ndarray:
    """Return the face in `box` as FER-2013 has it: square, gray, resized to 48 × 48 pixels.

    Args:
        rgb: uint8 (height, width, 3).
        box: x, y, width, height in pixels; the shorter side is widened to the longer one about the middle.
        margin: share of the side that is added, half of it on either side; below 0 crops more tightly. Beyond the
            photograph its edge is repeated.
        angle: degrees by which the face is turned clockwise; the crop is turned back about its middle.

    Returns:
        uint8 (48, 48, 1).
    """
    x, y, width, height = box[:4]
    side, middle = max(width, height) * (1 + margin), (x + width / 2, y + height / 2)
    if not angle:
        return np.asarray(_square(rgb, middle, side, SIDE))[..., None]
    turn = math.radians(angle)
    reach = abs(math.cos(turn)) + abs(math.sin(turn))  # sides of the upright square around the turned one
    upright = _square(rgb, middle, side * reach, round(2 * SIDE * reach)).rotate(angle, Image.Resampling.BICUBIC)
    border = (upright.width - 2 * SIDE) / 2
    inner = (border, border, upright.width - border, upright.width - border)
    return np.asarray(upright.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=inner))[..., None]


def _square(rgb: np.ndarray, middle: Sequence[float], side: float, size: int) -> Image.Image:
    """Return the square of `side` about the `middle` (x, y) as a gray PIL image of `size` pixels a side."""
    left, top = middle[0] - side / 2, middle[1] - side / 2
    first_column, first_row = math.floor(left), math.floor(top)
    region = rgb[
        _within(first_row, math.ceil(top + side), rgb.shape[0])[:, None],
        _within(first_column, math.ceil(left + side), rgb.shape[1]),
    ]
    left, top = left - first_column, top - first_row
    gray = Image.fromarray(region).convert("L")
    return gray.resize((size, size), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side))


def _within(start: int, stop: int, length: int) -> np.ndarray:
    """Return the indices from `start` to `stop`, the first and the last repeated beyond the image."""
    return np.clip(np.arange(start, stop), 0, length - 1)


def roll(landmarks: Landmarks | None) -> float:
    """Return the degrees by which the line through the eyes is turned clockwise; 0 without landmarks."""
    if landmarks is None:
        return 0.0
    left, right = landmarks.left_eye, landmarks.right_eye
    return math.degrees(math.atan2(right.y - left.y, right.x - left.x))

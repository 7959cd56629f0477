"""Boxes and landmarks of faces, the check of a detector's output, and non-maximum suppression."""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from fer_keras.core.errors import InputError

EXPECTED = (
    "A detector must return one row for each face: x, y, width, height in pixels and, if it has them, a score "
    "and five landmarks."
)


class Point(NamedTuple):
    """A position in an image: pixels from its left and its upper edge."""

    x: float
    y: float


class Landmarks(NamedTuple):
    """Five landmarks of a face; left and right as the viewer sees them."""

    left_eye: Point
    right_eye: Point
    nose: Point
    mouth_left: Point
    mouth_right: Point


class Box(NamedTuple):
    """A face in an image: left upper corner and size in pixels, the detector's score, the face's landmarks.

    The score is the probability of a face in [0, 1] for `Mtcnn`, a fraction in [0, 1] for `YuNet`, OpenCV's stage
    weight for `Haar` (from 2, rarely above 12), and None for the detector "none". Only `Mtcnn`
    and `YuNet` have landmarks.
    """

    x: int
    y: int
    width: int
    height: int
    score: float | None = None
    landmarks: Landmarks | None = None


def checked(found: Iterable | None, shape: tuple[int, ...]) -> list[Box]:
    """Return a detector's output as a list of `Box`, the largest first, clipped to the image.

    Args:
        found: None for no face, or an iterable of rows of four to six values: x, y, width, height, and optionally
            score and landmarks. Fractions of a pixel are rounded.
        shape: (height, width, …) of the image.

    Raises:
        InputError: if a row has other values, or a box has no pixel of the image.
    """
    if found is None:
        return []
    try:
        rows = [tuple(row) for row in found]
    except TypeError as error:
        raise InputError(f"{EXPECTED} Received {found!r:.200}.") from error
    return sorted((_checked_row(row, shape) for row in rows), key=lambda box: -box.width * box.height)


def _checked_row(row: tuple[Any, ...], shape: tuple[int, ...]) -> Box:
    if not 4 <= len(row) <= 6:
        raise InputError(f"{EXPECTED} Received a row of {len(row)} values: {row!r:.200}.")
    box, (score, landmarks, *_) = row[:4], (*row[4:], None, None)
    try:
        score = None if score is None else float(score)
        landmarks = None if landmarks is None else Landmarks(*(Point(float(x), float(y)) for x, y in landmarks))
        left, top, width, height = (round(float(value)) for value in box)
    except (TypeError, ValueError, OverflowError) as error:  # no numbers, not five points, NaN, infinite
        raise InputError(f"{EXPECTED} Received {row!r:.200}.") from error
    if not all(map(math.isfinite, [*([] if score is None else [score]), *np.ravel(landmarks or [])])):
        raise InputError(f"A detector's score and landmarks must be finite numbers. Received {row!r:.200}.")
    right, bottom = min(left + width, shape[1]), min(top + height, shape[0])
    left, top = max(left, 0), max(top, 0)
    if right <= left or bottom <= top:
        raise InputError(
            f"A detector returned a box without a pixel of the image, which has {shape[1]} x {shape[0]} pixels: "
            f"x, y, width, height = {', '.join(str(value) for value in box)}. Leave such boxes out."
        )
    return Box(left, top, right - left, bottom - top, score, landmarks)


def visible(corners: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Return whether the box with these corners, (4,), overlaps an image of `shape` (height, width, …)."""
    left, top, right, bottom = np.round(corners)
    return bool(max(left, 0) < min(right, shape[1]) and max(top, 0) < min(bottom, shape[0]))


def best(corners: np.ndarray, scores: np.ndarray, limit: float, *, of_smaller: bool = False) -> np.ndarray:
    """Return the indices of the boxes that stay after non-maximum suppression, by falling score.

    Args:
        corners: (n, 4) float, left, top, right, bottom.
        scores: (n,) float.
        limit: intersection over union with a better box, above which a box is dropped.
        of_smaller: use the intersection over the area of the smaller box instead.
    """
    left, top, right, bottom = np.asarray(corners, float).T
    areas = (right - left) * (bottom - top)
    order, kept = np.argsort(-scores, kind="stable"), []
    while len(order):
        i, rest = order[0], order[1:]
        width = np.minimum(right[i], right[rest]) - np.maximum(left[i], left[rest])
        height = np.minimum(bottom[i], bottom[rest]) - np.maximum(top[i], top[rest])
        common = np.maximum(width, 0) * np.maximum(height, 0)
        whole = np.minimum(areas[i], areas[rest]) if of_smaller else areas[i] + areas[rest] - common
        kept.append(i)
        order = rest[common <= limit * whole]
    return np.array(kept, int)

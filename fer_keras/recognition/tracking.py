"""An IoU tracker: the same face from frame to frame, with smoothed probabilities."""

import dataclasses
import itertools
import math
from collections.abc import Sequence

from fer_keras.core.errors import InputError
from fer_keras.recognition.faces import Face
from fer_keras.recognition.layout import reading_order

MIN_OVERLAP = 0.3  # intersection over union of two boxes of one face, at least
MEMORY = 0.5  # seconds after which a probability's weight has fallen to 1/e
PATIENCE = 1.0  # seconds that a face may be out of sight before it counts as another
MISSES = 2  # frames that it may always be out of sight, however far apart they are


class Tracks:
    """Numbers the faces of consecutive frames, from 1, and smooths their probabilities over time.

    New faces of a frame are numbered in reading order.

    A track ends when it was out of sight in more than `MISSES` frames and for longer than `PATIENCE`. The
    smoothing forgets exponentially with time. Neither depends on the number of frames a second.
    """

    def __init__(self) -> None:
        self._seen: dict[int, tuple[float, Face, int]] = {}  # by track: seconds, face, misses since
        self._numbers = itertools.count(1)
        self._time: float | None = None

    def update(self, time: float, faces: Sequence[Face]) -> list[Face]:
        """Return the `faces` of the frame at `time` with their `track` and smoothed probabilities.

        Args:
            time: seconds, later than that of the frame before.
            faces: list of `Face`.

        Raises:
            InputError: if `time` does not rise.
        """
        if self._time is not None and not time > self._time:
            raise InputError(f"The times of frames must rise. Received {time} s after {self._time} s.")
        self._time = time
        self._seen = {
            number: (last, face, misses)
            for number, (last, face, misses) in self._seen.items()
            if misses <= MISSES or time - last <= PATIENCE
        }
        matched = self._match(faces)
        tracked = {}
        order = reading_order([face.box for face in faces])
        new = sorted(set(range(len(faces))) - matched.keys(), key=order.__getitem__)
        matched |= dict(zip(new, self._numbers, strict=False))
        for i, face in enumerate(faces):
            number = matched[i]
            face = dataclasses.replace(face, track=number)
            if number in self._seen:
                last, before, _ = self._seen[number]
                face = smoothed(face, before, time - last)
            tracked[number] = (time, face, 0)
        missed = {n: (last, face, misses + 1) for n, (last, face, misses) in self._seen.items()}
        self._seen = missed | tracked
        return [face for _, face, _ in tracked.values()]

    def _match(self, faces: Sequence[Face]) -> dict[int, int]:
        """Return `{index of the face: number of its track}`, the best overlaps first."""
        pairs = [
            (overlap(face.box, before.box), i, number)
            for i, face in enumerate(faces)
            for number, (_, before, _) in self._seen.items()
        ]
        matched: dict[int, int] = {}
        for share, i, number in sorted(pairs, key=lambda pair: (-pair[0], *pair[1:])):
            if share >= MIN_OVERLAP and i not in matched and number not in matched.values():
                matched[i] = number
        return matched


def smoothed(face: Face, before: Face, elapsed: float) -> Face:
    """Return `face` with its probabilities averaged with those `before`, `elapsed` seconds ago."""
    weight = 1 - math.exp(-elapsed / MEMORY)
    mixed = {
        name: weight * value + (1 - weight) * before.probabilities[name]
        for name, value in face.probabilities.items()
    }
    return dataclasses.replace(face, probabilities=mixed)


def overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Return intersection over union of two boxes (x, y, width, height)."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    common = max(width, 0) * max(height, 0)
    return common / (one[2] * one[3] + other[2] * other[3] - common)

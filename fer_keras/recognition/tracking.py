"""The same face from frame to frame, by overlap, with steadied probabilities."""

import dataclasses
import itertools
import math

from fer_keras.data import EMOTIONS

OVERLAP = 0.3  # least share of the union that two boxes of one face have in common
MEMORY = 0.5  # seconds after which a probability's weight has fallen to 1/e
PATIENCE = 1.0  # seconds that a face may be out of sight before it counts as another


class Tracks:
    """Numbers the faces of consecutive frames, from 1, and averages their probabilities over time.

    The average forgets exponentially, by time and not by frames, so that it is alike at any frame rate.
    """

    def __init__(self):
        self.seen = {}  # number: (seconds, face)
        self.numbers = itertools.count(1)

    def update(self, time, faces):
        """Return the `faces` of the frame at `time` (seconds, rising) with `track` and steadied probabilities."""
        self.seen = {n: (last, face) for n, (last, face) in self.seen.items() if time - last <= PATIENCE}
        matched = self.match(faces)
        result = []
        for i, face in enumerate(faces):
            number = matched[i] if i in matched else next(self.numbers)
            face = dataclasses.replace(face, track=number)
            if number in self.seen:
                face = steadied(face, *self.seen[number], time)
            self.seen[number] = (time, face)
            result.append(face)
        return result

    def match(self, faces):
        """Return `{index of the face: number of its track}`, the best overlaps first."""
        pairs = [
            (overlap(face.box, before.box), i, number)
            for i, face in enumerate(faces)
            for number, (_, before) in self.seen.items()
        ]
        matched = {}
        for share, i, number in sorted(pairs, key=lambda pair: (-pair[0], *pair[1:])):
            if share >= OVERLAP and i not in matched and number not in matched.values():
                matched[i] = number
        return matched


def steadied(face, last, before, time):
    weight = 1 - math.exp(-(time - last) / MEMORY)
    mixed = {
        name: weight * face.probabilities[name] + (1 - weight) * before.probabilities[name] for name in EMOTIONS
    }
    return dataclasses.replace(face, probabilities=mixed)


def overlap(one, other):
    """Return intersection over union of two boxes (x, y, width, height)."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    common = max(width, 0) * max(height, 0)
    return common / (one[2] * one[3] + other[2] * other[3] - common)

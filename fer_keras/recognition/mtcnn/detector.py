"""Multi-task cascaded convolutional networks: `Mtcnn` finds faces and their landmarks."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from fer_keras.core.choices import Engine
from fer_keras.recognition.boxes import Box, best, checked, visible
from fer_keras.recognition.mtcnn import networks
from fer_keras.recognition.steps import Steps, finish

WINDOW = 12  # pixels of the side of what P-Net sees
STRIDE = 2  # pixels from one of its windows to the next
STEP = 0.709  # from one level of the pyramid to the next; half the area
LEAST_SCORES = {"pnet": 0.6, "rnet": 0.7, "onet": 0.9}
OVERLAP = 0.7  # of two boxes, above which one is dropped
STRIP = 1 << 16  # pixels of a level that go through P-Net at a time, which bounds the memory
BATCH = 32  # windows that go through R-Net and O-Net at a time
# Most windows that go through R-Net and O-Net, the best ones, which bounds the time. A group of 350 faces in
# 24 megapixels has 12,500 and 2,300.
MOST = {"rnet": 1 << 15, "onet": 1 << 13}


class Mtcnn:
    """The detector of Zhang et al. (2016, arXiv:1604.02878). May be shared by threads.

    P-Net proposes windows at each level of an image pyramid, R-Net and O-Net reject and refine them, O-Net places
    five landmarks. A box's score is O-Net's probability of a face, from 0.9.

    Args:
        min_face: pixels of the side of the smallest face that is searched for, from 12. Half of it takes four
            times as long.
        engine: "keras", "onnx", or "auto" for ONNX Runtime where it is installed and Keras elsewhere.

    Raises:
        InputError: as `networks.load`.
    """

    def __init__(self, min_face: int = 40, engine: Engine = "auto") -> None:
        self.min_face = min_face
        self.engine = engine
        self.pnet, self.rnet, self.onet = networks.load(engine)

    def __reduce__(self) -> tuple[Any, ...]:
        return Mtcnn, (self.min_face, self.engine)

    def __call__(self, rgb: np.ndarray) -> list[Box]:
        return finish(self.steps(rgb))

    def steps(self, rgb: np.ndarray) -> Steps[list[Box]]:
        """Find faces as a call does, in steps: each sends a strip or a batch through a network."""
        image = Image.fromarray(rgb)
        windows = squares((yield from self.propose(image)))
        if len(windows):
            windows = squares((yield from self.refine(image, windows)))
        if not len(windows):
            return []
        changes, landmarks, faces = yield from _in_batches(self.onet, image, windows, networks.SIDES["onet"])
        sure = faces[:, 1] > LEAST_SCORES["onet"]
        windows, changes, landmarks, scores = windows[sure], changes[sure], landmarks[sure], faces[sure, 1]
        corners, points = moved(windows, changes).round(), placed(windows, landmarks).round(2)
        kept = [i for i in best(corners, scores, OVERLAP, of_smaller=True) if visible(corners[i], rgb.shape)]
        sizes = corners[:, 2:] - corners[:, :2]
        return checked([(*corners[i, :2], *sizes[i], scores[i], points[i]) for i in kept], rgb.shape)

    def propose(self, image: Image.Image) -> Steps[np.ndarray]:
        """Return P-Net's windows, (n, 4) float: left, top, right, bottom in pixels of the image."""
        found, certain = [np.zeros((0, 4))], [np.zeros(0)]
        for level, scale in pyramid(image, self.min_face):
            changes, scores = yield from self.search(np.asarray(level))
            rows, columns = peaks(scores, LEAST_SCORES["pnet"])
            corners = np.stack([columns, rows, columns, rows], axis=1) * STRIDE + [0, 0, WINDOW, WINDOW]
            found.append(moved(corners, changes[rows, columns]) * scale)
            certain.append(scores[rows, columns])
        order = np.argsort(-np.concatenate(certain), kind="stable")
        return np.concatenate(found)[order[: MOST["rnet"]]]

    def search(self, pixels: np.ndarray) -> Steps[tuple[np.ndarray, np.ndarray]]:
        """Return P-Net's changes (rows, columns, 4) and scores (rows, columns) of all windows of a level."""
        rows = (pixels.shape[0] - WINDOW) // STRIDE + 1
        columns = (pixels.shape[1] - WINDOW) // STRIDE + 1
        step = max(1, STRIP // (STRIDE * pixels.shape[1]))
        outputs = []
        for row in range(0, rows, step):
            outputs.append(self.pnet(pixels[None, STRIDE * row : STRIDE * (row + step - 1) + WINDOW]))
            yield
        changes, faces = (np.concatenate([strip[0] for strip in parts]) for parts in zip(*outputs, strict=True))
        return changes[:rows, :columns], faces[:rows, :columns, 1]

    def refine(self, image: Image.Image, windows: np.ndarray) -> Steps[np.ndarray]:
        """Return the windows, (n, 4), that R-Net classifies as faces, with its corrections."""
        changes, faces = yield from _in_batches(self.rnet, image, windows, networks.SIDES["rnet"])
        sure = faces[:, 1] > LEAST_SCORES["rnet"]
        windows, changes, scores = windows[sure], changes[sure], faces[sure, 1]
        kept = best(windows, scores, OVERLAP)[: MOST["onet"]]
        return moved(windows[kept], changes[kept])


def pyramid(image: Image.Image, min_face: int) -> Iterator[tuple[Image.Image, np.ndarray]]:
    """Yield (PIL image, size of the original as a multiple of it) until a side is below `WINDOW` pixels.

    In the first, a face of `min_face` pixels fills a window of P-Net.
    """
    scale = min_face / WINDOW
    level = image
    while min(image.size) >= WINDOW * scale:
        size = [max(WINDOW, math.ceil(side / scale)) for side in image.size]
        level = level.resize(size, Image.Resampling.BOX, reducing_gap=2.0)
        yield level, np.array([image.width / size[0], image.height / size[1]] * 2)
        level = image if scale < 1 else level
        scale /= STEP


def peaks(scores: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and columns of the scores above `least` that survive non-maximum suppression.

    Windows of one level overlap by more than half of their union where they are neighbors, so that the best of
    the remaining scores removes those next to it, until none remains.
    """
    left = np.where(scores > least, scores, -np.inf)
    padded = np.full((left.shape[0] + 2, left.shape[1] + 2), -np.inf)
    padded[1:-1, 1:-1] = left
    rows, columns = np.nonzero(padded > -np.inf)
    found = []
    while len(rows):
        around = _neighbors(padded, rows, columns)
        top = padded[rows, columns] >= around.max(axis=0)
        found.append((rows[top], columns[top]))
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                padded[rows[top] + down, columns[top] + right] = -np.inf
        there = padded[rows, columns] > -np.inf
        rows, columns = rows[there], columns[there]
    if not found:
        return rows, columns
    rows, columns = (np.concatenate(part) - 1 for part in zip(*found, strict=True))
    return rows, columns


def _neighbors(padded: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    return np.stack([padded[rows + down, columns + right] for down in (-1, 0, 1) for right in (-1, 0, 1)])


def moved(windows: np.ndarray, changes: np.ndarray) -> np.ndarray:
    """Return the windows (n, 4), each corner moved by so many times the window's size."""
    return windows + changes * np.tile(windows[:, 2:] - windows[:, :2], 2)


def placed(windows: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Return the landmarks (n, 5, 2) in pixels, from five x and then five y as fractions of a window."""
    fractions = landmarks.reshape(-1, 2, 5).transpose(0, 2, 1)
    return windows[:, None, :2] + fractions * (windows[:, 2:] - windows[:, :2])[:, None]


def squares(windows: np.ndarray) -> np.ndarray:
    """Return the windows widened to squares about their middles, in whole pixels."""
    sides = (windows[:, 2:] - windows[:, :2]).max(axis=1, keepdims=True)
    middles = (windows[:, :2] + windows[:, 2:]) / 2
    return np.concatenate([middles - sides / 2, middles + sides / 2], axis=1).round()


def cut(image: Image.Image, windows: np.ndarray, side: int) -> np.ndarray:
    """Return the windows as uint8 (n, side, side, 3); what lies beyond the image is black."""
    pixels = np.zeros((len(windows), side, side, 3), np.uint8)
    for out, window in zip(pixels, windows.astype(int).tolist(), strict=True):
        part = image.crop(window)
        out[:] = np.asarray(part.resize((side, side), Image.Resampling.BOX, reducing_gap=2.0))
    return pixels


def _in_batches(
    network: networks.Network, image: Image.Image, windows: np.ndarray, side: int
) -> Steps[list[np.ndarray]]:
    """Return the network's outputs for the windows of an image, cut to `side` pixels."""
    outputs = []
    for start in range(0, len(windows), BATCH):
        outputs.append(network(cut(image, windows[start : start + BATCH], side)))
        yield
    return [np.concatenate(parts) for parts in zip(*outputs, strict=True)]

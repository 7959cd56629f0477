"""Occlusion sensitivity: which parts of a face matter to the classifier, from its predictions alone."""

from collections.abc import Sequence

import numpy as np

from fer_keras.data.faces import SIDE
from fer_keras.recognition.classifiers import Classifier

PATCH = 12  # pixels of the side of the square that is covered
STEP = 4  # pixels from one square to the next


def occlusion(
    classifier: Classifier, crops: Sequence[np.ndarray] | np.ndarray, classes: Sequence[int]
) -> np.ndarray:
    """Return how much the probability of a class depends on each pixel.

    A square at each place in turn is covered with the mean gray of the face. A pixel's value is the mean loss of
    probability over the squares that cover it (Zeiler and Fergus 2014, "Visualizing and understanding
    convolutional networks").

    Args:
        classifier: callable from uint8 (n, 48, 48, 1) to probabilities (n, classes).
        crops: n faces, uint8 (48, 48, 1).
        classes: index of the class for each of the n crops.

    Returns:
        (n, 48, 48) float32 in [-1, 1]; below 0 where covering makes the class likelier.
    """
    covers = _squares()
    maps = np.zeros((len(crops), SIDE, SIDE), np.float32)
    for heat, face, code in zip(maps, crops, classes, strict=True):
        grey = round(float(face.mean()))
        covered = np.where(covers[..., None], np.uint8(grey), face)
        before, *after = classifier(np.concatenate([face[None], covered]))[:, code]
        heat += np.tensordot(before - np.array(after), covers, axes=1) / covers.sum(axis=0)
    return maps


def _squares() -> np.ndarray:
    """Return one bool (48, 48) mask for each place of the square: 100 of them."""
    starts = range(0, SIDE - PATCH + 1, STEP)
    masks = np.zeros((len(starts) ** 2, SIDE, SIDE), bool)
    for mask, (row, column) in zip(masks, ((r, c) for r in starts for c in starts), strict=True):
        mask[row : row + PATCH, column : column + PATCH] = True
    return masks

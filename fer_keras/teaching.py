"""Distillation: what trained networks say of the training images, for the next one to learn from."""

import hashlib
import logging

import numpy as np

from fer_keras import distribution, saving
from fer_keras.data import EMOTIONS
from fer_keras.data.loading import bar
from fer_keras.data.sources import reading
from fer_keras.prediction import probabilities

LOGGER = logging.getLogger("fer_keras")
CHUNK = 1024  # images between two steps of the progress bar


def digests(paths):
    """Return the SHA-256 of each file in hex, a list.

    Raises:
        InputError: if one cannot be read.
    """
    found = []
    for path in paths:
        with reading(path), open(path, "rb") as file:
            found.append(hashlib.file_digest(file, "sha256").hexdigest())
    return found


def soft_labels(paths, images):
    """Return the mean of the networks' probabilities for each image and its mirror image, (n, 7) float32.

    Args:
        paths: of `.keras` files, at least one, see `saving.load`.
        images: (n, 48, 48, 1) uint8.

    Raises:
        InputError: if a file cannot be loaded.
    """
    teachers = [saving.load(path) for path in paths]
    LOGGER.info("Teachers look at %d training images: %s", len(images), ", ".join(paths))
    shown = distribution.rank() == 0 and LOGGER.isEnabledFor(logging.INFO)
    total = np.zeros((len(images), len(EMOTIONS)), "float32")
    with bar("teachers", len(teachers) * len(images), shown) as advance:
        for teacher in teachers:
            for start in range(0, len(images), CHUNK):
                chunk = slice(start, start + CHUNK)
                total[chunk] += probabilities(teacher, images[chunk], flip=True)
                advance(len(images[chunk]))
    return total / len(teachers)

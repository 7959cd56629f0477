"""Distillation: what trained networks say of the training images, for the next one to learn from."""

import logging

import numpy as np

from fer_keras.backend import distribution
from fer_keras.core.files import sha256
from fer_keras.core.progress import bar
from fer_keras.data import EMOTIONS
from fer_keras.data.sources import reading
from fer_keras.inference.prediction import probabilities
from fer_keras.model_files import saving
from fer_keras.training.dataset import Batches, training_targets

LOGGER = logging.getLogger("fer_keras")


def digests(paths):
    """Return the SHA-256 of each file in hex, a list.

    Raises:
        InputError: if one cannot be read.
    """
    found = []
    for path in paths:
        with reading(path):
            found.append(sha256(path))
    return found


def soft_labels(experiment, train):
    """Return what the teachers say of each training image, as it is blended: the mean over networks and mirroring.

    Args:
        experiment: `Experiment` with at least one of `teachers`, see `saving.load`.
        train: `Faces`.

    Returns:
        (draws, n, 7) float32, one for each draw of `Batches`, images in the order of `train`.

    Raises:
        InputError: if a file cannot be loaded.
    """
    teachers = [saving.load(path) for path in experiment.teachers]
    batches = Batches(train.images, training_targets(train, experiment), experiment)
    said = np.empty((batches.draws, len(train), len(EMOTIONS)), "float32")
    LOGGER.info("Teachers look at %d training images: %s", said[..., 0].size, ", ".join(experiment.teachers))
    with bar("teachers", said[..., 0].size, show=distribution.rank() == 0) as advance:
        for draw in range(batches.draws):
            batches.start(draw)
            for step in range(batches.steps):
                rows = batches.rows(step)
                said[draw, rows] = probabilities(teachers, batches.blended(step)[0], tta="flip")
                advance(len(rows))
    return said

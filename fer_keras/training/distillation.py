"""Distillation: what trained networks say of the training images, for the next one to learn from."""

import logging

import keras
import numpy as np
from keras import ops

from fer_keras.backend import distribution, layers
from fer_keras.core.errors import InputError
from fer_keras.core.files import sha256
from fer_keras.core.progress import bar
from fer_keras.data import EMOTIONS
from fer_keras.data.sources import reading
from fer_keras.inference.prediction import are_probabilities, fed, probabilities
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

    `None` if the experiment has no teachers, or if they are asked in every step, see `teacher`.

    Args:
        experiment: `Experiment`; its `teachers` are loaded by `saving.load`.
        train: `Faces`.

    Returns:
        (draws, n, 7) float32, one for each draw of `Batches`, images in the order of `train`.

    Raises:
        InputError: if a file cannot be loaded.
    """
    if not experiment.teachers or experiment.teacher_view == "augmented":
        return None
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


def teacher(experiment, model):
    """Return a function from augmented images to the teachers' mean probabilities, and the layer it looks at.

    Args:
        experiment: `Experiment` with `teachers`.
        model: from `fer_keras.training.fitting.build`.

    Returns:
        `(function, name)`: the function takes the outputs of the layer `name` of `model`, (n, 48, 48, 1), and
        returns (n, 7) float32.

    Raises:
        InputError: if a file cannot be loaded, or the augmentation changes the size of the images.
    """
    scaling = model.layers[1]
    last = model.get_layer(experiment.augmentation[-1]) if experiment.augmentation else scaling
    if last.output.shape != model.input.shape:
        raise InputError(
            f"teacher_view='augmented' needs images of the teachers' size, {model.input.shape[1:3]}. "
            f"The augmentation {last.name!r} returns {last.output.shape[1:3]}."
        )
    networks = [layers.fast(saving.load(path)) for path in experiment.teachers]
    noise = np.random.default_rng(0).integers(0, 256, (8, *model.input.shape[1:]))
    outputs = [ops.convert_to_numpy(_outputs(network, noise)) for network in networks]
    heads = [_identity if are_probabilities(said) else ops.softmax for said in outputs]

    def probabilities_of(view):
        images = _unscaled(ops.cast(view, "float32"), scaling)
        outputs = [head(_outputs(n, images)) for n, head in zip(networks, heads, strict=True)]
        return sum(ops.cast(x, "float32") for x in outputs) / len(outputs)

    return probabilities_of, last.name


def _outputs(network, images):
    return network(fed(network, images), training=False)


def _identity(x):
    return x


def _unscaled(images, scaling):
    """Return the pixels of [0, 255] that the layer `scaling` made `images` of."""
    if isinstance(scaling, keras.layers.Rescaling):
        return images / scaling.scale
    return images * ops.sqrt(scaling.variance) + scaling.mean

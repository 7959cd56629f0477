"""Distillation: soft targets from trained networks, Hinton et al. 2015, arXiv:1503.02531."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from fer_keras.backend import distribution, layers
from fer_keras.core.errors import InputError
from fer_keras.core.files import sha256
from fer_keras.core.progress import bar
from fer_keras.data.sources import reading
from fer_keras.experiment import Experiment
from fer_keras.inference.outputs import give_logits
from fer_keras.inference.prediction import fed, probabilities
from fer_keras.model_files import saving
from fer_keras.models.augmentation import Crop
from fer_keras.training.dataset import Batches

LOGGER = logging.getLogger("fer_keras")


def digests(paths: Sequence[str]) -> list[str]:
    """Return the SHA-256 of each file in hex.

    Raises:
        InputError: if one cannot be read.
    """
    found = []
    for path in paths:
        with reading(path):
            found.append(sha256(path))
    return found


def soft_targets(batches: Batches) -> np.ndarray | None:
    """Return the teachers' mean probabilities for each training image and its mirror, blended as for the student.

    Args:
        batches: the student's; their experiment names the teachers' `.keras` files. They are reshuffled.

    Returns:
        (draws, n, classes) float32, for each draw of `batches`, in the order of the images; `None` without
        teachers, or if they classify augmented images in every step, see `teacher`.

    Raises:
        InputError: if a file cannot be loaded or has other classes than the data.
    """
    experiment = batches.experiment
    if not experiment.teachers or experiment.teacher_view == "augmented":
        return None
    models = [_teacher(path, batches.train.class_names) for path in experiment.teachers]
    targets = batches.targets
    found = np.empty((batches.draws, *targets.shape), "float32")
    images = found[..., 0].size
    LOGGER.info("Distillation: %d images through %s", images, ", ".join(experiment.teachers))
    with bar("soft targets", images, show=distribution.rank() == 0) as advance:
        for draw in range(batches.draws):
            batches.start(draw)
            for step in range(batches.steps):
                rows = batches.rows(step)
                found[draw, rows] = probabilities(models, batches.mixed(step)[0], tta="flip")
                advance(len(rows))
    return found


def _teacher(path: str, class_names: tuple[str, ...]) -> keras.Model:
    """Return the network in the file, after a check that its outputs are the classes of the data in order."""
    model = saving.load(path)
    if model.class_names != class_names:
        raise InputError(
            f"The teacher {path} has the classes {', '.join(model.class_names)}, but the data has "
            f"{', '.join(class_names)}. Expected the same in the same order."
        )
    return model


def teacher(
    experiment: Experiment, model: keras.Model, class_names: tuple[str, ...]
) -> tuple[Callable[[Any], Any], str]:
    """Return a function from augmented images to the teachers' mean probabilities, and its input layer's name.

    Args:
        experiment: `Experiment` with `teachers`.
        model: from `fer_keras.training.fitting.build`.
        class_names: of the data, in the order of the outputs.

    Returns:
        `(function, name)`: the function takes the outputs of the layer `name` of `model`, (n, 48, 48, 1), and
        returns (n, classes) float32.

    Raises:
        InputError: if a file cannot be loaded or has other classes, or the augmentation changes the image size.
    """
    scaling = model.layers[1]
    last = model.get_layer(experiment.augmentation[-1]) if experiment.augmentation else scaling
    cropping = [layer for layer in model.layers if isinstance(layer, Crop)]
    if cropping:
        raise InputError(
            f"teacher_view='augmented' needs images of the teachers' size, {model.input.shape[1:3]}. "
            f"The augmentation {cropping[0].name!r} crops them by {2 * cropping[0].margin} pixels."
        )
    networks = [layers.fast(_teacher(path, class_names)) for path in experiment.teachers]
    noise = np.random.default_rng(0).integers(0, 256, (8, *model.input.shape[1:]))
    outputs = [ops.convert_to_numpy(_outputs(network, noise)) for network in networks]
    heads = [
        ops.softmax if give_logits(said, f"Teacher {network.name!r}") else _identity
        for network, said in zip(networks, outputs, strict=True)
    ]

    def probabilities_of(view: Any) -> Any:
        images = _unscaled(ops.cast(view, "float32"), scaling)
        outputs = [head(_outputs(n, images)) for n, head in zip(networks, heads, strict=True)]
        return sum(ops.cast(x, "float32") for x in outputs) / len(outputs)

    return probabilities_of, last.name


def _outputs(network: keras.Model, images: Any) -> Any:
    return network(fed(network, images), training=False)


def _identity(x: Any) -> Any:
    return x


def _unscaled(images: Any, scaling: keras.Layer) -> Any:
    """Return the pixels in [0, 255] from which the layer `scaling` computed `images`."""
    if isinstance(scaling, keras.layers.Rescaling):
        return images / scaling.scale
    return images * ops.sqrt(scaling.variance) + scaling.mean

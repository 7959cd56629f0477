"""From images to probabilities, with this project's models and with those made elsewhere."""

import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from fer_keras.backend import private
from fer_keras.backend.keras_defaults import keras_defaults
from fer_keras.core.choices import TTA, Tta
from fer_keras.core.errors import InputError
from fer_keras.inference import input_scale, outputs

BATCH_SIZE = 512
MARGIN = ((1, 1), (1, 1))  # above and below, left and right, of ten crops as large as the image
SMALLEST = np.float32(1e-30)  # probability, whose logarithm is taken


@keras_defaults()
def probabilities(model: "keras.Model | list[keras.Model]", images: Any, *, tta: Tta = "none") -> np.ndarray:
    """Return the probability of each class.

    Args:
        model: `keras.Model` from images (height, width, 1 or 3) to logits or probabilities (n, classes).
            It is fed what it expects: images resized, grey repeated over the channels, and values in the scale
            that its layers show, see `fer_keras.inference.input_scale`. The answer of a released network is
            calibrated by the temperature of `tta` in its card. Of a list of models, an ensemble, it is the mean of
            their probabilities.
        images: (n, 48, 48, 1) uint8, values [0, 255].
        tta: test-time augmentation. `"none"`: one view of each image. `"flip"`: the mean probability of the image
            and its mirror image. `"ten-crop"`: the mean logit of ten crops, the middle and the four corners of the
            image and of its mirror image (Krizhevsky et al. 2012); a network that does not crop its input itself
            is given the image moved by one pixel, with its edges repeated.

    Returns:
        (n, classes) float32, rows that sum to 1.

    Raises:
        InputError: if `tta` is none of these, the model's scale is not known, or it gives NaN, infinite or
            other values than probabilities and logits.
    """
    if tta not in TTA:
        raise InputError(f"Unknown test-time augmentation {tta!r}. Expected one of: {', '.join(TTA)}.")
    if isinstance(model, list):
        return np.mean([probabilities(each, images, tta=tta) for each in model], axis=0)
    if tta == "ten-crop":
        result = _ten_crop(model, images)
    elif tta == "flip":
        result = (_predict(model, images) + _predict(model, images, _mirrored)) / 2
    else:
        result = _predict(model, images)
    return outputs.calibrated(result, outputs.temperature_of(model, tta))


def _mirrored(batch: np.ndarray) -> np.ndarray:
    return batch[:, :, ::-1]


def _ten_crop(model: keras.Model, images: Any) -> np.ndarray:
    cutting = [
        layer.cropping for layer in private.flatten_layers(model) if isinstance(layer, keras.layers.Cropping2D)
    ]
    (top, bottom), (left, right) = cutting[0] if cutting else MARGIN
    # Moving a corner to where the middle was, so that the network itself cuts the rest off.
    moves = [(0, 0), (top, left), (top, -right), (-bottom, left), (-bottom, -right)]
    logits = 0
    for view in (np.asarray, _mirrored):
        for move in moves:
            found = _predict(model, images, functools.partial(_moved_view, view=view, move=move))
            logits = logits + np.log(np.maximum(found, SMALLEST)) / 10
    return ops.convert_to_numpy(ops.softmax(logits))


def _moved_view(batch: np.ndarray, *, view: Callable[[Any], np.ndarray], move: tuple[int, int]) -> np.ndarray:
    """Move what `view` returns down and right by whole pixels; edges are repeated where nothing is left."""
    images = view(batch)
    rows, columns = (
        np.clip(np.arange(size) - distance, 0, size - 1)
        for size, distance in zip(images.shape[1:3], move, strict=True)
    )
    return images[:, rows[:, None], columns]


def _predict(model: keras.Model, images: Any, view: Callable[[Any], np.ndarray] = np.asarray) -> np.ndarray:
    """Return the probabilities of what `view` makes of each batch of images, (n, classes)."""
    batches = []
    for start in range(0, len(images), BATCH_SIZE):
        batch = np.ascontiguousarray(view(images[start : start + BATCH_SIZE]))
        batch = fed(model, ops.convert_to_tensor(batch))
        # A functional model may take a list or a dict of its one input.
        inputs = keras.tree.map_structure(lambda _, batch=batch: batch, getattr(model, "input", batch))
        batches.append(np.asarray(model.predict_on_batch(inputs), dtype="float32"))
    found = np.concatenate(batches)
    is_logits = outputs.give_logits(found, f"Model {model.name!r}") if len(found) else False
    return ops.convert_to_numpy(ops.softmax(found)) if is_logits else found


def fed(model: keras.Model, images: Any) -> Any:
    """Return the float32 tensor that `model` expects of `images`: of its size, its channels and its scale.

    Args:
        model: as for `probabilities`.
        images: tensor (n, 48, 48, 1) of values [0, 255], or the symbol of one in a graph of layers.

    Raises:
        InputError: if the layers of `model` do not show the scale, see `fer_keras.inference.input_scale`.
    """
    height, width, channels = model.inputs[0].shape[1:]
    x = ops.cast(images, "float32")
    if (height, width) not in ((48, 48), (None, None)):
        x = ops.image.resize(x, (height, width))
    if channels == 3:
        x = ops.concatenate([x, x, x], axis=-1)
    return input_scale.scaled(x, input_scale.required(model))

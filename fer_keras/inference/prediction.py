"""From images to probabilities, with models of this project and others."""

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
from fer_keras.model_files import safe_loading

BATCH_SIZE = 512
BATCH_VALUES = 1 << 28  # of all layers, which Keras keeps until the batch is done: 1 GiB in float32
MARGIN = ((1, 1), (1, 1))  # pixels (top, bottom), (left, right) of ten crops as large as the image
SMALLEST = np.float32(1e-30)  # lower bound of probabilities before the logarithm


@keras_defaults()
def probabilities(model: "keras.Model | list[keras.Model]", images: Any, *, tta: Tta = "none") -> np.ndarray:
    """Return the probability of each class.

    Args:
        model: `keras.Model` from images (height, width, 1 or 3) to logits or probabilities (n, classes). Images
            are resized, grey is repeated over the channels, and values are converted to the scale that its layers
            reveal, see `fer_keras.inference.input_scale`. Probabilities of a released network are calibrated by
            the temperature of `tta` in its card. A list of models is an ensemble: the mean of their probabilities.
        images: (n, 48, 48, 1) uint8, values [0, 255].
        tta: test-time augmentation. `"none"`: the image alone. `"flip"`: the mean probability of the image and its
            mirror image. `"ten-crop"`: the mean logit of ten crops, the center and the four corners of the image
            and of its mirror image (Krizhevsky et al. 2012). For a network that does not crop its input, these are
            the image shifted by one pixel, with its edges repeated.

    Returns:
        (n, classes) float32, rows that sum to 1.

    Raises:
        InputError: if `tta` is unknown, the model's input scale is unknown, or it returns NaN, infinity or
            anything but probabilities or logits.
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
    # Move each corner to the center, so that the network itself crops the rest.
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
    """Return the probabilities (n, classes) of the images that `view` makes of each batch."""
    batches = []
    size = batch_size(model, BATCH_SIZE)
    for start in range(0, len(images), size):
        batch = np.ascontiguousarray(view(images[start : start + size]))
        batch = fed(model, ops.convert_to_tensor(batch))
        # A functional model may take its one input in a list or a dict.
        inputs = keras.tree.map_structure(lambda _, batch=batch: batch, getattr(model, "input", batch))
        batches.append(np.asarray(model.predict_on_batch(inputs), dtype="float32"))
    found = np.concatenate(batches)
    is_logits = outputs.give_logits(found, f"Model {model.name!r}") if len(found) else False
    return ops.convert_to_numpy(ops.softmax(found)) if is_logits else found


def batch_size(model: keras.Model, most: int) -> int:
    """Return how many images `model` gets at once: `most`, or fewer so that its layers' values fit the memory."""
    return min(most, max(1, BATCH_VALUES // max(1, safe_loading.values_of_an_image(model))))


def fed(model: keras.Model, images: Any) -> Any:
    """Return `images` as the float32 tensor that `model` expects: its size, channels and scale.

    Args:
        model: as for `probabilities`.
        images: tensor (n, 48, 48, 1) of values [0, 255], possibly symbolic.

    Raises:
        InputError: if the layers of `model` do not reveal the scale, see `fer_keras.inference.input_scale`.
    """
    height, width, channels = model.inputs[0].shape[1:]
    x = ops.cast(images, "float32")
    if (height, width) not in ((48, 48), (None, None)):
        x = ops.image.resize(x, (height, width))
    if channels == 3:
        x = ops.concatenate([x, x, x], axis=-1)
    return input_scale.scaled(x, input_scale.required(model))

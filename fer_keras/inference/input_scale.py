"""The pixel values that a network was trained on: detected from its layers, given, or found on labelled images.

A network that gets another range returns wrong results without an error. So nothing is assumed.
"""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from fer_keras.core.choices import INPUT_SCALES, InputScale
from fer_keras.core.errors import InputError


def known(model: keras.Model) -> InputScale | None:
    """Return the scale that the first layers of `model`, up to its first weights, reveal; None if they do not.

    `Rescaling` reveals it by its factor, `Normalization` and `BatchNormalization` by the mean and variance of the
    images they were adapted to.
    """
    for layer in _in_order(model):
        if isinstance(layer, layers.Rescaling):
            return _of_rescaling(float(np.mean(layer.scale)), float(np.mean(layer.offset)))
        if isinstance(layer, layers.Normalization):
            return _of_moments(ops.mean(layer.mean), ops.mean(layer.variance))
        if isinstance(layer, layers.BatchNormalization):
            return _of_moments(ops.mean(layer.moving_mean), ops.mean(layer.moving_variance))
        if layer.weights and not type(layer).__name__.startswith("Random"):
            return None
    return None


def _in_order(model: keras.Model) -> Iterator[keras.Layer]:
    """Yield the layers of `model` and of nested models, in order."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _in_order(layer)
        else:
            yield layer


def _of_rescaling(scale: float, offset: float) -> InputScale | None:
    if 0 < scale <= 0.1:  # 1/255, 1/127.5, 1/128 …
        return "0-255"
    if scale == offset == 0.5:
        return "-1-1"
    return "0-1" if scale >= 2 else None  # 2 with offset -1; 255


def _of_moments(mean: Any, variance: Any) -> InputScale | None:
    """Return the scale: faces have a mean near the middle of the range and a deviation of a quarter of it."""
    mean, deviation = float(mean), float(variance) ** 0.5
    if mean > 5 and deviation > 5:
        return "0-255"
    if 0.15 < mean < 1 and deviation < 0.5:
        return "0-1"
    return "-1-1" if abs(mean) <= 0.15 and 0.3 < deviation < 0.75 else None


def scaled(images: Any, scale: InputScale) -> Any:
    """Return a float tensor of values [0, 255], (n, height, width, channels), converted to another scale.

    Args:
        scale: `"0-255"`: unchanged. `"0-1"`: divided by 255. `"-1-1"`: divided by 127.5, minus 1.
            `"standardized"`: mean 0 and standard deviation 1 over each image (the deviation is taken as at least
            1/48, so that uniform images become 0).
    """
    if scale == "0-1":
        return images / 255
    if scale == "-1-1":
        return images / 127.5 - 1
    if scale == "standardized":
        centred = images - ops.mean(images, axis=(1, 2, 3), keepdims=True)
        return centred / ops.maximum(ops.std(images, axis=(1, 2, 3), keepdims=True), 1 / 48)
    return images


def with_scale(model: keras.Model, scale: InputScale | None) -> keras.Model:
    """Return a model for values [0, 255] around `model`, which expects `scale`; `model` itself for None.

    Raises:
        InputError: if there is no such scale.
    """
    if scale is None:
        return model
    if scale not in INPUT_SCALES:
        raise InputError(f"Unknown input scale {scale!r}. Expected one of: {', '.join(INPUT_SCALES)}.")
    images = keras.Input(model.inputs[0].shape[1:])
    unit = layers.Rescaling(1 / 255, name="from_255")(
        images
    )  # from which `known` detects the scale of the whole model
    outputs = model(scaled(layers.Rescaling(255.0, name="to_255")(unit), scale))
    outer = keras.Model(images, outputs[0] if isinstance(outputs, list) else outputs, name=model.name)
    if hasattr(model, "class_names"):
        outer.class_names = model.class_names
    return outer


def required(model: keras.Model) -> InputScale:
    """Return the scale that the layers of `model` reveal.

    Raises:
        InputError: if they do not.
    """
    scale = known(model)
    if scale is None:
        raise InputError(
            f"The layers of model {model.name!r} do not show which pixel values it expects. Give them with "
            f"--input-scale (in Python, input_scale=): {', '.join(INPUT_SCALES)}. `fer-keras evaluate` finds them "
            "on labelled images."
        )
    return scale

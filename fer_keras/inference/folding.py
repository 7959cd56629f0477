"""Models for serving: from the image to the probabilities, without layers that act in training only."""

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from fer_keras.backend import private
from fer_keras.backend.keras_defaults import keras_defaults
from fer_keras.backend.layers import fast
from fer_keras.inference.outputs import give_logits
from fer_keras.inference.prediction import batch_size, fed

SAMPLES = 8  # images that show whether a model returns logits
IDLE = (layers.Dropout, layers.SpatialDropout2D, layers.GaussianDropout, layers.GaussianNoise)


def inference_copy(model: keras.Model) -> keras.Model:
    """Return a copy of `model` that gives the same results in inference with less computation.

    Dropout, noise and random augmentation are removed. Each `BatchNormalization` is folded into the kernel and the
    bias of the preceding convolution or dense layer; without one, it becomes a multiplication and an addition.

    Args:
        model: built `keras.Model`. It is returned unchanged if it is not a graph of layers.
    """
    if type(model).__name__ not in ("Functional", "Sequential"):
        return model
    copy = fast(keras.Model(model.inputs[0], model.outputs[0], name=model.name))
    affine = {layer.name: _fold(layer) for layer in copy.layers if _is_norm(layer)}

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if layer.name in affine:
            scale, shift = affine[layer.name]
            scaled = args[0] if scale is None else args[0] * scale
            return scaled if shift is None else scaled + shift
        return args[0] if _idle(layer) else layer(*args, **kwargs)

    return keras.models.clone_model(copy, clone_function=lambda layer: layer, call_function=call)


@keras_defaults()
def serving_model(model: keras.Model) -> keras.Model:
    """Return a `keras.Model` from images (n, 48, 48, 1) uint8 to probabilities (n, classes) float32.

    It wraps the inference copy of `model` in the steps of `fer_keras.inference.prediction`: the image size, the
    channels and the scale that the model expects, and a softmax if the model returns logits.
    """
    images = keras.Input((48, 48, 1), dtype="uint8", name="images")
    outputs = inference_copy(model)(fed(model, images))
    result = keras.Model(images, outputs, name=model.name)
    shape = (batch_size(result, SAMPLES), 48, 48, 1)
    sample = result.predict_on_batch(np.random.default_rng(0).integers(0, 256, shape).astype("uint8"))
    if not give_logits(np.asarray(sample, "float32"), f"Model {model.name!r}"):
        return result
    return keras.Model(images, ops.softmax(outputs), name=model.name)


def _idle(layer: keras.Layer) -> bool:
    return isinstance(layer, IDLE) or type(layer).__name__.startswith("Random")


def _is_norm(layer: keras.Layer) -> bool:
    return (
        isinstance(layer, layers.BatchNormalization)
        and len(private.inbound_nodes(layer)) == 1
        and layer.axis in (-1, layer.input.ndim - 1)
    )


def _fold(norm: keras.layers.BatchNormalization) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Fold `norm` into the layer before it; return what remains, scale and shift, each None if it was folded."""
    scale = ops.rsqrt(norm.moving_variance + norm.epsilon) * (norm.gamma if norm.scale else 1)
    shift = (norm.beta if norm.center else 0) - norm.moving_mean * scale
    before = private.producer(norm.input)
    if not (
        isinstance(before, layers.Conv2D | layers.Dense)
        and before.activation is keras.activations.linear
        and len(private.inbound_nodes(before)) == len(private.outbound_nodes(before)) == 1  # used here only
    ):
        return ops.convert_to_numpy(scale), ops.convert_to_numpy(shift)
    before.kernel.assign(before.kernel * scale)
    if not before.use_bias:
        return None, ops.convert_to_numpy(shift)
    before.bias.assign(before.bias * scale + shift)
    return None, None

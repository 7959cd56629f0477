"""Blocks shared by architectures: functions from a tensor to a tensor."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import initializers, layers, regularizers

from fer_keras.backend.layers import BatchNormalization, Conv2D, Dropout, ReLU
from fer_keras.core.errors import InputError

NORMALIZATIONS = (None, "batch", "layer")
ACTIVATIONS = ("relu", "leaky_relu")
INITIALIZATIONS = ("keras", "pytorch")


def classifier(
    x: Any,
    num_classes: int,
    *,
    units: Sequence[int],
    dropout: float,
    dense: Callable[[int], dict[str, Any]],
    normalize: Callable[[Any, str], Any],
    activate: Callable[[Any, str], Any],
) -> Any:
    """Dense layers of the widths `units` on flattened features, then the logits; (n, ...) to (n, num_classes).

    Args:
        x: features.
        num_classes: `int`.
        units: widths.
        dropout: fraction dropped after each layer except the logits.
        dense: keywords of each `Dense` layer as a function of its inputs.
        normalize, activate: functions of a tensor and the layer's name.
    """
    x = layers.Flatten(name="flatten")(x)
    for i, width in enumerate(units, 1):
        name = f"dense_{i}"
        x = layers.Dense(width, **dense(x.shape[-1]), name=name)(x)
        x = activate(normalize(x, name), name)
        if dropout:
            x = Dropout(dropout, name=f"{name}_dropout")(x)
    return layers.Dense(num_classes, **dense(x.shape[-1]), dtype="float32", name="logits")(x)


def weights(fan_in: int, initialization: str, l2: float) -> dict[str, Any]:
    """Return a layer's keyword arguments for the initialization and the penalty of its weights.

    Args:
        fan_in: inputs of each unit.
        initialization: `"keras"` for Glorot uniform kernels and zero biases, `"pytorch"` for both uniform within
            ±1/√fan_in, the default of `torch.nn.Linear` and `torch.nn.Conv2d`.
        l2: factor of the penalty on the squared kernel.
    """
    check(initialization, INITIALIZATIONS, "initialization")
    penalty = {"kernel_regularizer": l2_penalty(l2)}
    if initialization == "keras":
        return penalty
    bound = 1 / math.sqrt(fan_in)
    uniform = {f"{kind}_initializer": initializers.RandomUniform(-bound, bound) for kind in ("kernel", "bias")}
    return penalty | uniform


def convolution(x: Any, channels: int, size: int, stride: int, name: str, l2: float = 0.0) -> Any:
    """Apply a padded convolution without a bias, which the following normalization would cancel."""
    return Conv2D(
        channels,
        size,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        kernel_regularizer=l2_penalty(l2),
        name=name,
    )(x)


def normalize(x: Any, name: str, *, normalization: str | None, momentum: float, epsilon: float) -> Any:
    """Apply `None`, `"batch"` or `"layer"` normalization; `momentum` is that of BatchNorm's moving statistics."""
    check(normalization, NORMALIZATIONS, "normalization")
    name = f"{name}_{normalization}norm"
    if normalization == "batch":
        return BatchNormalization(momentum=momentum, epsilon=epsilon, name=name)(x)
    return layers.LayerNormalization(epsilon=epsilon, name=name)(x) if normalization else x


def activate(x: Any, name: str, *, activation: str, negative_slope: float) -> Any:
    """Apply `"relu"`, or `"leaky_relu"` with `negative_slope`."""
    check(activation, ACTIVATIONS, "activation")
    name = f"{name}_{activation}"
    return (ReLU(name=name) if activation == "relu" else layers.LeakyReLU(negative_slope, name=name))(x)


def l2_penalty(factor: float) -> keras.Regularizer | None:
    """Return the penalty `factor` x sum of squared weights, or `None` for 0."""
    return regularizers.L2(factor) if factor else None


def check(value: Any, known: Sequence[Any], what: str) -> None:
    """Raise `InputError` if `value` is not one of `known`."""
    if value not in known:
        raise InputError(f"Unknown {what} {value!r}. Expected one of: {', '.join(map(repr, known))}.")

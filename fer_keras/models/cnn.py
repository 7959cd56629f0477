"""Convolutional networks with a dense classifier."""

import functools
from collections.abc import Sequence
from typing import Any

from keras import layers

from fer_keras.backend.layers import Conv2D, Dropout, MaxPooling2D
from fer_keras.models import blocks


def cnn(
    x: Any,
    num_classes: int,
    *,
    filters: Sequence[int] = (32, 64, 128),
    repeats: int = 1,
    units: Sequence[int] = (256,),
    max_pooling: bool = True,
    residual: bool = False,
    convolution_normalization: str | None = None,
    convolution_dropout: float = 0.0,
    normalization: str | None = None,
    activation: str = "relu",
    dropout: float = 0.0,
    l2: float = 0.0,
    initialization: str = "pytorch",
    momentum: float = 0.9,
    epsilon: float = 1e-5,
    negative_slope: float = 0.01,
) -> Any:
    """Stages of 3x3 convolutions, then dense layers.

    Args:
        x: images, (n, height, width, channels).
        num_classes: `int`.
        filters: channels of each stage; their number is the number of stages.
        repeats: convolutions in each stage.
        units: width of each dense layer before the logits.
        max_pooling: halve height and width after each stage.
        residual: add each stage's input to its output, through a 1x1 convolution if the channels differ.
        convolution_normalization: `None`, `"batch"` or `"layer"`, between each convolution and its activation.
        convolution_dropout: fraction dropped after each stage.
        normalization: as `convolution_normalization`, for the dense layers.
        activation: `"relu"` or `"leaky_relu"`.
        dropout: fraction dropped after each dense layer.
        l2: factor of the penalty on the squared weights of every kernel.
        initialization: `"keras"` or `"pytorch"`: the default of each, see `blocks.weights`.
        momentum: of BatchNorm's moving statistics, the share that stays at each step.
        epsilon: added to the variance by BatchNorm and LayerNorm.
        negative_slope: of LeakyReLU.

    The defaults of the last four are PyTorch's in Keras' terms; docs/study.md gives the reasons.

    Returns:
        Logits, (n, num_classes).
    """

    weights = functools.partial(blocks.weights, initialization=initialization, l2=l2)
    normalize = functools.partial(blocks.normalize, momentum=momentum, epsilon=epsilon)
    activate = functools.partial(blocks.activate, activation=activation, negative_slope=negative_slope)

    def convolve(x: Any, channels: int, size: int, name: str) -> Any:
        fan_in = size**2 * x.shape[-1]
        x = Conv2D(channels, size, padding="same", **weights(fan_in), name=name)(x)
        return normalize(x, name, normalization=convolution_normalization)

    for i, channels in enumerate(filters, 1):
        shortcut = x
        for j in range(1, repeats + 1):
            x = convolve(x, channels, 3, f"conv_{i}_{j}")
            if residual and j == repeats:
                if shortcut.shape[-1] != channels:
                    shortcut = convolve(shortcut, channels, 1, f"conv_{i}_shortcut")
                x = layers.Add(name=f"add_{i}")([x, shortcut])
            x = activate(x, f"conv_{i}_{j}")
        if max_pooling:
            x = MaxPooling2D(name=f"pool_{i}")(x)
        if convolution_dropout:
            x = Dropout(convolution_dropout, name=f"conv_{i}_dropout")(x)
    return blocks.classifier(
        x,
        num_classes,
        units=units,
        dropout=dropout,
        dense=weights,
        normalize=functools.partial(normalize, normalization=normalization),
        activate=activate,
    )

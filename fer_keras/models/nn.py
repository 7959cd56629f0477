"""Fully connected networks."""

import functools
from collections.abc import Sequence
from typing import Any

from fer_keras.models import blocks


def nn(
    x: Any,
    num_classes: int,
    *,
    units: Sequence[int] = (1024, 1024, 1024),
    normalization: str | None = None,
    activation: str = "relu",
    dropout: float = 0.0,
    l2: float = 0.0,
    initialization: str = "pytorch",
    momentum: float = 0.9,
    epsilon: float = 1e-5,
    negative_slope: float = 0.01,
) -> Any:
    """Dense layers on the flattened image.

    Args:
        x: images, (n, height, width, channels).
        num_classes: `int`.
        units: width of each hidden layer; their number is the depth.
        normalization: `None`, `"batch"` or `"layer"`, between each hidden layer and its activation.
        activation: `"relu"` or `"leaky_relu"`.
        dropout: fraction dropped after each hidden layer.
        l2: factor of the penalty on the squared weights of every kernel.
        initialization: `"keras"` or `"pytorch"`: the default of each, see `blocks.weights`.
        momentum: of BatchNorm's moving statistics, the share that stays at each step.
        epsilon: added to the variance by BatchNorm and LayerNorm.
        negative_slope: of LeakyReLU.

    The defaults of the last four are PyTorch's in Keras' terms; docs/study.md gives the reasons.

    Returns:
        Logits, (n, num_classes).
    """
    return blocks.classifier(
        x,
        num_classes,
        units=units,
        dropout=dropout,
        dense=functools.partial(blocks.weights, initialization=initialization, l2=l2),
        normalize=functools.partial(
            blocks.normalize, normalization=normalization, momentum=momentum, epsilon=epsilon
        ),
        activate=functools.partial(blocks.activate, activation=activation, negative_slope=negative_slope),
    )

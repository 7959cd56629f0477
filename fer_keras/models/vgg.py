"""VGG with batch normalization."""

from collections.abc import Sequence
from typing import Any

from keras import layers

from fer_keras.backend.layers import BatchNormalization, Conv2D, Dropout, MaxPooling2D, ReLU


def vgg(
    x: Any,
    num_classes: int,
    *,
    filters: Sequence[int] = (32, 64, 128),
    repeats: Sequence[int] = (2, 2, 3),
    units: Sequence[int] = (),
    dropout: float = 0.0,
) -> Any:
    """Stages of 3x3 convolutions, each followed by batch normalization and ReLU, then dense layers.

    Simonyan & Zisserman 2015, arXiv:1409.1556, whose configuration E, VGG19, is `filters=(64, 128, 256, 512, 512)`
    and `repeats=(2, 2, 4, 4, 4)`. Batch normalization has PyTorch's defaults, with which it is published.

    Args:
        x: images, (n, height, width, channels).
        num_classes: `int`.
        filters: channels of each stage; after each, height and width are halved.
        repeats: convolutions of each stage.
        units: width of each dense layer before the logits.
        dropout: fraction dropped after each dense layer; without dense layers, before the logits.

    Returns:
        Logits, (n, num_classes).
    """
    for i, (channels, count) in enumerate(zip(filters, repeats, strict=True), 1):
        for j in range(1, count + 1):
            name = f"conv_{i}_{j}"
            x = Conv2D(channels, 3, padding="same", name=name)(x)
            x = BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_batchnorm")(x)
            x = ReLU(name=f"{name}_relu")(x)
        x = MaxPooling2D(name=f"pool_{i}")(x)
    x = layers.Flatten(name="flatten")(x)
    for i, width in enumerate(units, 1):
        x = layers.Dense(width, "relu", name=f"dense_{i}")(x)
        x = Dropout(dropout, name=f"dense_{i}_dropout")(x)
    if not units:
        x = Dropout(dropout, name="dropout")(x)
    return layers.Dense(num_classes, dtype="float32", name="logits")(x)

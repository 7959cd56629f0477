"""The original residual network, for small images."""

from collections.abc import Sequence
from typing import Any

from keras import layers

from fer_keras.backend.layers import BatchNormalization, ReLU
from fer_keras.models.blocks import convolution


def resnet_v1(
    x: Any, num_classes: int, *, filters: Sequence[int] = (16, 32, 64), blocks: Sequence[int] = (1, 1, 1)
) -> Any:
    """A stem, stages of residual blocks (He et al. 2015, arXiv:1512.03385), global average pooling, the logits.

    A block is 3x3 convolution, normalization, ReLU, convolution, normalization, addition of the input, ReLU. The
    first block of each stage but the first halves height and width. (In `resnet`, normalization comes first.)
    ResNet18 with the stem for small images is `filters=(64, 128, 256, 512)` and `blocks=(2, 2, 2, 2)`.

    Args:
        x: images, (n, height, width, channels).
        num_classes: `int`.
        filters: channels of each stage.
        blocks: residual blocks of each stage.

    Returns:
        Logits, (n, num_classes).
    """

    def convolve(x: Any, channels: int, size: int, stride: int, name: str) -> Any:
        x = convolution(x, channels, size, stride, name)
        return BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_batchnorm")(x)

    def block(x: Any, channels: int, stride: int, name: str) -> Any:
        shortcut = x
        if stride > 1 or shortcut.shape[-1] != channels:
            shortcut = convolve(x, channels, 1, stride, f"{name}_shortcut")
        x = ReLU(name=f"{name}_relu_1")(convolve(x, channels, 3, stride, f"{name}_conv_1"))
        x = convolve(x, channels, 3, 1, f"{name}_conv_2")
        return ReLU(name=f"{name}_relu_2")(layers.Add(name=f"{name}_add")([shortcut, x]))

    x = ReLU(name="stem_relu")(convolve(x, filters[0], 3, 1, "stem"))
    for i, (channels, count) in enumerate(zip(filters, blocks, strict=True), 1):
        for j in range(1, count + 1):
            x = block(x, channels, 2 if i > 1 and j == 1 else 1, f"block_{i}_{j}")
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    return layers.Dense(num_classes, dtype="float32", name="logits")(x)

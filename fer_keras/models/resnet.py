"""Residual networks for small faces."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from keras import layers

from fer_keras.backend.layers import AveragePooling2D, BatchNormalization, Dropout, ReLU
from fer_keras.models.blocks import convolution, l2_penalty


def resnet(
    x: Any,
    num_classes: int,
    *,
    filters: Sequence[int] = (64, 128, 256),
    blocks: Sequence[int] = (1, 1, 1),
    stem_stride: int = 2,
    stem_filters: Sequence[int] = (),
    average_pooling: bool = False,
    squeeze: int = 0,
    block_dropout: float = 0.0,
    dropout: float = 0.0,
    l2: float = 0.0,
) -> Any:
    """A stem, stages of residual blocks (He et al. 2016, arXiv:1603.05027), global average pooling and the logits.

    A block is normalization, ReLU and 3x3 convolution, twice. The first block of each stage but the first halves
    height and width. Convolutions have no bias, since a normalization follows each.

    Args:
        x: images, (n, height, width, channels).
        num_classes: `int`.
        filters: channels of each stage.
        blocks: residual blocks of each stage.
        stem_stride: 1, or 2 to compute at half the resolution, four times as fast.
        stem_filters: channels of 3x3 convolutions at the full size before the stem, each with normalization and
            ReLU; the stem's kernel is then 3x3 too (He et al. 2019, arXiv:1812.01187, ResNet-C).
        average_pooling: halve height and width by 2x2 average pooling before a convolution instead of by its
            stride, in the blocks and their shortcuts (He et al. 2019, ResNet-D, for the shortcuts) and, behind
            `stem_filters`, in the stem.
        squeeze: reduction factor of squeeze-and-excitation (Hu et al. 2018, arXiv:1709.01507) at the end of each
            block, 0 for none.
        block_dropout: fraction dropped between the two convolutions of each block (Zagoruyko & Komodakis 2016,
            arXiv:1605.07146, section 2.4).
        dropout: fraction dropped before the logits.
        l2: factor of the penalty on the squared weights of every kernel.

    Returns:
        Logits, (n, num_classes).
    """

    convolve = partial(convolution, l2=l2)

    def activate(x: Any, name: str) -> Any:
        return ReLU(name=f"{name}_relu")(BatchNormalization(momentum=0.9, name=f"{name}_batchnorm")(x))

    def halve(x: Any, channels: int, kernel: int, stride: int, name: str) -> Any:
        if average_pooling and stride > 1:
            x, stride = AveragePooling2D(stride, name=f"{name}_pool")(x), 1
        return convolve(x, channels, kernel, stride, name)

    def block(x: Any, channels: int, stride: int, name: str) -> Any:
        shortcut, x = x, activate(x, f"{name}_1")
        if stride > 1 or shortcut.shape[-1] != channels:
            shortcut = halve(x, channels, 1, stride, f"{name}_shortcut")
        x = halve(x, channels, 3, stride, f"{name}_conv_1")
        x = activate(x, f"{name}_2")
        if block_dropout:
            x = Dropout(block_dropout, name=f"{name}_dropout")(x)
        x = convolve(x, channels, 3, 1, f"{name}_conv_2")
        if squeeze:
            x = excite(x, squeeze, name)
        return layers.Add(name=f"{name}_add")([shortcut, x])

    for i, channels in enumerate(stem_filters, 1):
        x = activate(convolve(x, channels, 3, 1, f"stem_{i}"), f"stem_{i}")
    if stem_filters:
        x = halve(x, filters[0], 3, stem_stride, "stem")
    else:
        x = convolve(x, filters[0], 3 * stem_stride, stem_stride, "stem")
    for i, (channels, count) in enumerate(zip(filters, blocks, strict=True), 1):
        for j in range(1, count + 1):
            x = block(x, channels, 2 if i > 1 and j == 1 else 1, f"block_{i}_{j}")
    x = layers.GlobalAveragePooling2D(name="mean")(activate(x, "last"))
    if dropout:
        x = Dropout(dropout, name="dropout")(x)
    return layers.Dense(num_classes, kernel_regularizer=l2_penalty(l2), dtype="float32", name="logits")(x)


def excite(x: Any, reduction: int, name: str) -> Any:
    """Squeeze-and-excitation: scale each channel by a weight computed from the global averages of all channels."""
    channels = x.shape[-1]
    weights = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")(x)
    weights = layers.Dense(channels // reduction, "relu", name=f"{name}_excite_1")(weights)
    weights = layers.Dense(channels, "sigmoid", name=f"{name}_excite_2")(weights)
    return layers.Multiply(name=f"{name}_scale")([x, weights])

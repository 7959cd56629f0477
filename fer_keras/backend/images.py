"""Image resampling, with PyTorch's own kernel on the torch backend."""

from typing import Any

import keras
from keras import ops

if keras.backend.backend() == "torch":
    from torch.nn import functional


def resample(images: Any, angle: Any, scale: Any, shift_x: Any, shift_y: Any) -> Any:
    """Return (n, size, size, channels) images sampled bilinearly around their centers.

    Output position p, from the center and in units of half the size, shows input position
    scale x rotation(angle) x p + 2 x (shift_x, shift_y).

    Args:
        images: (n, size, size, channels) float.
        angle: (n,) radians.
        scale: (n,), above 1 to zoom out.
        shift_x: (n,), fraction of the width; shift_y: of the height.
    """
    cos, sin = scale * ops.cos(angle), scale * ops.sin(angle)
    if keras.backend.backend() == "torch":
        matrix = ops.stack([cos, -sin, 2 * shift_x, sin, cos, 2 * shift_y], axis=-1).reshape(-1, 2, 3)
        channels_first = images.permute(0, 3, 1, 2)
        grid = functional.affine_grid(matrix, channels_first.shape, align_corners=False)
        moved = functional.grid_sample(channels_first, grid, padding_mode="border", align_corners=False)
        return moved.permute(0, 2, 3, 1)
    # Keras' pixel positions, and therefore the offsets, count from the first pixel.
    size = images.shape[1]
    center = (size - 1) / 2
    offset_x = center * (1 - cos + sin) + shift_x * size
    offset_y = center * (1 - sin - cos) + shift_y * size
    zero = ops.zeros_like(cos)
    transforms = ops.stack([cos, -sin, offset_x, sin, cos, offset_y, zero, zero], axis=-1)
    return ops.image.affine_transform(images, transforms, fill_mode="nearest", data_format="channels_last")

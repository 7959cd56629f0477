"""The fast precision of the device, and training images in its memory."""

import contextlib
import math
import pathlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np


@contextlib.contextmanager
def training_in(precision: str | None = None) -> Iterator[None]:
    """Within the block, new layers compute in `precision`, a Keras dtype policy; default: `fast_precision()`."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision or fast_precision())
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def fast_precision() -> str:
    """Return Keras' dtype policy for training: `"mixed_bfloat16"` if the hardware supports it, else `"float32"`.

    Only torch benefits, through `fer_keras.backend.layers`: on NVIDIA GPUs of compute capability 8.0 and later,
    and on CPUs with AVX512-BF16 or AMX.
    """
    if keras.backend.backend() != "torch":
        return "float32"
    import torch

    if torch.cuda.is_available():
        native = torch.cuda.get_device_capability() >= (8, 0)
    else:
        cpuinfo = pathlib.Path("/proc/cpuinfo")
        flags = cpuinfo.read_text().split() if cpuinfo.exists() else []
        native = "avx512_bf16" in flags or "amx_bf16" in flags
    return "mixed_bfloat16" if native else "float32"


def resident(images: Any) -> Any:
    """Return `images` as a tensor on torch's GPU if they fit there, else unchanged.

    Args:
        images: (n, height, width, channels) uint8, an array or `fer_keras.data.rows.Rows`. They may use half
            of the free memory; the network needs the rest.
    """
    if keras.backend.backend() != "torch":
        return images
    import torch

    if not torch.cuda.is_available() or math.prod(images.shape) > torch.cuda.mem_get_info()[0] // 2:
        return images
    return keras.ops.convert_to_tensor(np.asarray(images))

"""What the machine computes fast, and how to let it."""

import contextlib
import ctypes
import pathlib

import keras


@contextlib.contextmanager
def training_in(precision=None):
    """Within the block, new layers compute in `precision`, a Keras dtype policy; by default the device's fast one.

    Memory is kept from here on, for the whole process, see `keep_freed_memory`.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision or fast_precision())
    keep_freed_memory()
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def fast_precision():
    """Return Keras' dtype policy for training: `"mixed_bfloat16"` where that type is native, else `"float32"`.

    Only on torch, whose layers here (`fer_keras.layers`) gain by it: on NVIDIA from compute capability 8.0, on
    processors with AVX512-BF16 or AMX.
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


def keep_freed_memory(largest=None):
    """Let glibc keep freed blocks for the next step instead of mapping every large tensor anew, from here on.

    Without it, a training step of a convolutional network spends a fifth of its time in page faults, and a
    prediction of 512 images more than half.

    Args:
        largest: bytes of the largest block to keep, at most 32 MiB, for a process that must not grow by what its
            users send; by default any, and nothing is handed back.
    """
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallopt"):
        return
    if largest is None:
        libc.mallopt(-4, 0)  # M_MMAP_MAX: no block is mapped on its own
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD: nothing is handed back
    else:
        libc.mallopt(-3, largest)  # M_MMAP_THRESHOLD: larger blocks are mapped, and handed back at once
        libc.mallopt(-1, 4 * largest)  # M_TRIM_THRESHOLD: freed memory at the end beyond that is handed back

"""Predictions in forked processes, the default of `multiprocessing.Pool` on Linux.

A fork copies only one thread. A backend would wait forever for its other threads.
"""

import os

import keras

from fer_keras.core.errors import InputError

_prepared = False
_forked = False


def prepare() -> None:
    """Make prediction work in processes that are forked later: PyTorch uses one thread there.

    JAX and TensorFlow cannot be used after a fork; `check` reports that.
    """
    global _prepared
    if not _prepared and hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_in_child)
        _prepared = True


def _in_child() -> None:
    global _forked
    if keras.backend.backend() == "torch":
        import torch

        torch.set_num_threads(1)
    else:
        _forked = True


def check() -> None:
    """Raise an `InputError` in a forked process in which the backend would hang."""
    if _forked:
        raise InputError(
            f"Keras on {keras.backend.backend()} cannot predict in a forked process. "
            "Start the workers with multiprocessing.get_context('spawn'), or give FER an .onnx file."
        )

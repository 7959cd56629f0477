"""Private names of Keras that other packages use, each behind a function.

The optimizers, layers and gradients in this package use more of them, and some of PyTorch. All are listed in
tests/backend/test_private.py, which fails with the name if a new version lacks it.
"""

import functools
import logging
from typing import Any

import keras

LOGGER = logging.getLogger("fer_keras")


def flatten_layers(model: keras.Model) -> list[keras.Layer]:
    """Return `model`, its layers and all nested ones."""
    return list(model._flatten_layers())


def inbound_nodes(layer: keras.Operation) -> list[Any]:
    """Return a node for each use of `layer` in a model, with `arguments` and `output_tensors`."""
    return layer._inbound_nodes


def outbound_nodes(layer: keras.Operation) -> list[Any]:
    """Return a node for each layer that takes an output of `layer`."""
    return layer._outbound_nodes


def producer(tensor: keras.KerasTensor) -> keras.Operation:
    """Return the layer whose output `tensor` is."""
    return tensor._keras_history.operation


def learning_rate(optimizer: keras.optimizers.Optimizer) -> Any:
    """Return the learning rate's variable or schedule; the public name gives the next step's value."""
    return optimizer._learning_rate


@functools.cache
def has_all(owner: Any, names: tuple[str, ...], use: str) -> bool:
    """Return whether `owner` has all the private `names`; if not, log that `use` is off.

    Args:
        owner: module or class.
        names: attributes.
        use: what they are for, such as `"fused optimizer steps"`.
    """
    missing = [name for name in names if not hasattr(owner, name)]
    if missing:
        LOGGER.warning("%s has no %s in this version: %s are off.", owner.__name__, ", ".join(missing), use)
    return not missing

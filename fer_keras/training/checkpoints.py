"""Checkpoints: everything needed to resume training after an epoch, in one file."""

import contextlib
import logging
import pathlib
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from fer_keras.backend import distribution
from fer_keras.core.errors import InputError, first_line
from fer_keras.core.files import writing

LOGGER = logging.getLogger("fer_keras")


class Checkpoint(keras.callbacks.Callback):
    """Writes weights, optimizer state and epoch after each epoch."""

    def __init__(self, path: pathlib.Path) -> None:
        super().__init__()
        self.path = path

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        arrays: dict[str, Any] = {str(i): array for i, array in enumerate(_arrays(self.model))}
        with writing(self.path) as temporary:
            np.savez(temporary, epochs=epoch + 1, **arrays)


def restore(model: keras.Model, checkpoint: pathlib.Path) -> int:
    """Load a `Checkpoint` file into the compiled `model`; return the number of finished epochs, 0 without a file.

    Raises:
        InputError: if the file is damaged or belongs to another model.
    """
    epochs = epochs_done(checkpoint)
    if epochs:
        with _opened(checkpoint) as arrays:
            _assign(model, [arrays[str(i)] for i in range(len(arrays) - 1)])
        LOGGER.info("Continuing after epoch %d.", epochs)
    return epochs


def epochs_done(checkpoint: pathlib.Path) -> int:
    """Return the number of finished epochs in a `Checkpoint` file, 0 without a file.

    Raises:
        InputError: if the file is damaged.
    """
    if not checkpoint.exists():
        return 0
    with _opened(checkpoint) as arrays:
        epochs = arrays["epochs"]
        if epochs.shape or epochs.dtype.kind != "i" or epochs < 1:
            raise ValueError(f"expected the number of finished epochs, found {epochs!r:.40}")
        return int(epochs)


@contextlib.contextmanager
def _opened(checkpoint: pathlib.Path) -> Iterator[Any]:
    try:
        with zipfile.ZipFile(checkpoint):  # np.load reads other files too
            pass
        with open(checkpoint, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            yield arrays
    except (zipfile.BadZipFile, zlib.error, ValueError, KeyError, EOFError, AttributeError, MemoryError) as error:
        raise InputError(
            f"{checkpoint} is damaged: {first_line(error)}. Delete it and run again to train from the first epoch."
        ) from error


def share(model: keras.Model, epochs_done: int) -> int:
    """Copy the state of process 0's model to every process; return its number of finished epochs."""
    if distribution.size() > 1:
        epochs_done, arrays = distribution.of_first((epochs_done, _arrays(model)))
        _assign(model, arrays)
    return epochs_done


def _arrays(model: keras.Model) -> list[np.ndarray]:
    return [ops.convert_to_numpy(v) for v in _state(model)]


def _assign(model: keras.Model, arrays: Sequence[np.ndarray]) -> None:
    for variable, array in zip(_state(model), arrays, strict=True):
        if array.dtype.kind not in "biuf":
            raise ValueError(f"expected numbers, found the type {array.dtype}")
        variable.assign(array)


def _state(model: keras.Model) -> list[Any]:
    return [*model.variables, *built_optimizer(model).variables]


def built_optimizer(model: keras.Model) -> keras.optimizers.Optimizer:
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    return model.optimizer

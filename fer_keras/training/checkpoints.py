"""Checkpoints: everything that a training needs to continue after an epoch, in one file."""

import contextlib
import logging
import zipfile
import zlib

import keras
import numpy as np
from keras import ops

from fer_keras.backend import distribution
from fer_keras.core.errors import InputError
from fer_keras.core.files import writing

LOGGER = logging.getLogger("fer_keras")


class Checkpoint(keras.callbacks.Callback):
    """Writes weights, optimizer state and epoch after each epoch."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def on_epoch_end(self, epoch, logs=None):
        arrays = {str(i): array for i, array in enumerate(_arrays(self.model))}
        with writing(self.path) as temporary:
            np.savez(temporary, epochs=epoch + 1, **arrays)


def restore(model, checkpoint):
    """Load a `Checkpoint` file into the compiled `model`; return the number of finished epochs, 0 without a file.

    Raises:
        InputError: if the file is damaged or of another model.
    """
    epochs = epochs_done(checkpoint)
    if epochs:
        with _opened(checkpoint) as arrays:
            _assign(model, [arrays[str(i)] for i in range(len(arrays) - 1)])
        LOGGER.info("Continuing after epoch %d.", epochs)
    return epochs


def epochs_done(checkpoint):
    """Return the number of finished epochs in a `Checkpoint` file, 0 without a file.

    Raises:
        InputError: if the file is damaged.
    """
    if not checkpoint.exists():
        return 0
    with _opened(checkpoint) as arrays:
        return int(arrays["epochs"])


@contextlib.contextmanager
def _opened(checkpoint):
    try:
        with open(checkpoint, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            yield arrays
    except (zipfile.BadZipFile, zlib.error, ValueError, KeyError, EOFError, AttributeError) as error:
        raise InputError(
            f"{checkpoint} is damaged: {error}. Delete it and run again to train from the first epoch."
        ) from error


def share(model, epochs_done):
    """Copy the state of process 0's model to every process; return its number of finished epochs."""
    if distribution.size() > 1:
        epochs_done, arrays = distribution.of_first((epochs_done, _arrays(model)))
        _assign(model, arrays)
    return epochs_done


def _arrays(model):
    return [ops.convert_to_numpy(v) for v in _state(model)]


def _assign(model, arrays):
    for variable, array in zip(_state(model), arrays, strict=True):
        variable.assign(array)


def _state(model):
    return [*model.variables, *built_optimizer(model).variables]


def built_optimizer(model):
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    return model.optimizer

"""What names the expression: any callable from faces to probabilities. Keras is loaded only for a Keras model."""

import functools
import os
import sys

import numpy as np

from fer_keras import engines
from fer_keras.data import EMOTIONS
from fer_keras.errors import InputError


def classifier(model=None):
    """Return a callable from uint8 (n, 48, 48, 1) to probabilities (n, 7) in the order of `EMOTIONS`.

    Args:
        model: None or the name of a network that comes with this package ("best", "tiny"), the path of a `.keras`
            or `.onnx` file, a `keras.Model`, or already such a callable.

    Raises:
        InputError: if the file cannot be used, there is no network of that name, or `model` is nothing of these.
    """
    if model is None or isinstance(model, str) and "." not in model:
        from fer_keras.shipped import pretrained

        model = pretrained(model or "best")
    elif isinstance(model, str | os.PathLike):
        onnx = os.fspath(model).endswith(".onnx")
        return engines.OnnxEngine(model) if onnx else engines.KerasEngine(model)
    keras = sys.modules.get("keras")
    if keras and isinstance(model, keras.Model):
        from fer_keras.prediction import probabilities

        return functools.partial(probabilities, model)
    if not callable(model):
        raise InputError(
            f"{model!r} is no classifier. Expected a .keras or .onnx file, a keras.Model or a callable."
        )
    return model


def classify(classifier, crops, batch_size=256):
    """Return the probabilities (n, 7) float32 of `crops`, uint8 (n, 48, 48, 1), in batches.

    Raises:
        InputError: if the classifier gives another shape.
    """
    batches = [np.zeros((0, len(EMOTIONS)), np.float32)]
    for start in range(0, len(crops), batch_size):
        batch = crops[start : start + batch_size]
        rows = np.asarray(classifier(batch), np.float32)
        if rows.shape != (len(batch), len(EMOTIONS)):
            raise InputError(f"The classifier must give shape {(len(batch), 7)}. Received {rows.shape}.")
        batches.append(rows)
    return np.concatenate(batches)

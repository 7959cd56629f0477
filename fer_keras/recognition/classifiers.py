"""What names the expression: any callable from faces to probabilities. Keras is loaded only for a Keras model."""

import functools
import hashlib
import logging
import os
import pathlib
import sys

import numpy as np

from fer_keras import __version__
from fer_keras.core.errors import InputError
from fer_keras.data import EMOTIONS, cache
from fer_keras.inference import engines
from fer_keras.model_files import pretrained

LOG = logging.getLogger("fer_keras")
TOLERANCE = 0.01  # of a probability and of the sum of seven; half precision rounds by less


def classifier(model=None):
    """Return a callable from uint8 (n, 48, 48, 1) to probabilities (n, 7) in the order of `EMOTIONS`.

    Args:
        model: None or the name of a network that comes with this package ("best", "tiny"), the path of a `.keras`
            or `.onnx` file, a `keras.Model`, or already such a callable.

    Raises:
        InputError: if the file cannot be used, there is no network of that name, or `model` is nothing of these.
    """
    if _is_name(model):
        model = pretrained.pretrained(model or "best")
    elif isinstance(model, str | os.PathLike):
        onnx = os.fspath(model).endswith(".onnx")
        return engines.OnnxEngine(model) if onnx else engines.KerasEngine(model)
    keras = sys.modules.get("keras")
    if keras and isinstance(model, keras.Model):
        from fer_keras.inference.prediction import probabilities

        return functools.partial(probabilities, model)
    if not callable(model):
        raise InputError(
            f"{model!r} is no classifier. Expected a .keras or .onnx file, a keras.Model or a callable."
        )
    return model


def onnx_file(model=None, *, classes=None):
    """Return the ONNX file of a network that comes along or of a `.keras` file, for `classifier` to serve.

    It is written to the user's cache the first time, which takes Keras and the extra `onnx`. An `.onnx` file is
    returned as it is.

    Args:
        model: as for `classifier`, but no object.
        classes: order of a `.keras` file's outputs, see `fer_keras.model_files.saving.load`.

    Raises:
        InputError: as `classifier` and `fer_keras.inference.export.export`.
    """
    source = pathlib.Path(pretrained.FOLDER, f"{model or 'best'}.npz") if _is_name(model) else pathlib.Path(model)
    if source.suffix == ".onnx" or not source.is_file():
        return model
    digest = hashlib.sha256(source.read_bytes() + repr((__version__, classes)).encode()).hexdigest()
    path = cache.home() / "onnx" / f"{digest[:32]}.onnx"
    if not path.is_file():
        from fer_keras.inference import export
        from fer_keras.model_files import saving

        LOG.info("Writing %s once as ONNX, to %s", source.name, path)
        named = _is_name(model)
        network = pretrained.pretrained(source.stem) if named else saving.load(source, classes=classes)
        export.export(network, path, "onnx")
    return path


def _is_name(model):
    return model is None or isinstance(model, str) and "." not in model


def classify(classifier, crops, batch_size=256):
    """Return the probabilities (n, 7) float32 of `crops`, uint8 (n, 48, 48, 1), in batches.

    Raises:
        InputError: if the classifier returns another shape, or what are no probabilities.
    """
    batches = [np.zeros((0, len(EMOTIONS)), np.float32)]
    for start in range(0, len(crops), batch_size):
        batch = crops[start : start + batch_size]
        batches.append(_checked(classifier(batch), len(batch)))
    return np.concatenate(batches)


def _checked(answer, count):
    try:
        rows = np.asarray(answer, np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"The classifier must return an array of numbers. Received {answer!r:.200}.") from error
    if rows.shape != (count, len(EMOTIONS)):
        raise InputError(f"The classifier must return shape {(count, len(EMOTIONS))}. Received {rows.shape}.")
    wrong = ~((rows >= -TOLERANCE).all(axis=1) & (abs(rows.sum(axis=1) - 1) <= TOLERANCE))
    if wrong.any():
        raise InputError(
            "The classifier must return probabilities: seven fractions with sum 1 for each face. "
            f"Received {rows[wrong][0].tolist()}. A network that ends in logits needs a softmax."
        )
    return rows

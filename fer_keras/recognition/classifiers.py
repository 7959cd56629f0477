"""What classifies the faces: an engine of this package, or any callable from faces to probabilities."""

import os
import sys
import typing
from collections.abc import Callable

import numpy as np

from fer_keras.core.choices import Engine, InputScale, Tta
from fer_keras.core.errors import InputError
from fer_keras.data import EMOTIONS
from fer_keras.inference import engines, opening
from fer_keras.inference.outputs import calibrated, check_probabilities, temperature_of

if typing.TYPE_CHECKING:
    import keras

Classifier = Callable[[np.ndarray], np.ndarray]
Model: typing.TypeAlias = "str | os.PathLike[str] | keras.Model | Classifier | None"  # what `classifier` takes
TTA = ("none", "flip")


def classifier(
    model: Model = None,
    *,
    engine: Engine = "auto",
    classes: tuple[str, ...] | None = None,
    input_scale: InputScale | None = None,
) -> Classifier:
    """Return a callable from uint8 (n, 48, 48, 1) to probabilities (n, classes).

    Args:
        model: what `fer_keras.inference.opening.open_engine` takes, or already such a callable, which is returned
            as it is.
        engine, classes, input_scale: as for `open_engine`.

    Raises:
        InputError: as `open_engine`; if `model` is nothing of these.
    """
    keras = sys.modules.get("keras")
    if model is None or isinstance(model, str | os.PathLike) or (keras and isinstance(model, keras.Model)):
        return opening.open_engine(model, engine, classes=classes, input_scale=input_scale)
    if not callable(model):
        raise InputError(
            f"{model!r} is no classifier. Expected a .keras or .onnx file, a keras.Model or a callable."
        )
    return model


def class_names(classifier: Classifier) -> tuple[str, ...]:
    """Return the names of the classes; a callable without `class_names` has FER-2013's seven."""
    return tuple(getattr(classifier, "class_names", EMOTIONS))


def classify(classifier: Classifier, crops: np.ndarray, batch_size: int = 256, *, tta: Tta = "none") -> np.ndarray:
    """Return the probabilities (n, classes) float32 of `crops`, uint8 (n, 48, 48, 1), in batches.

    Args:
        tta: "flip" for the mean over each image and its mirror image, both in one batch. A callable of the user's
            gets the images alone.

    Raises:
        InputError: if the classifier gives another shape, NaN, infinite values, or no probabilities.
    """
    count = len(class_names(classifier))
    batches = [np.zeros((0, count), np.float32)]
    for start in range(0, len(crops), batch_size):
        batch = crops[start : start + batch_size]
        if not isinstance(classifier, engines.KerasEngine | engines.OnnxEngine):
            batches.append(check_probabilities(classifier(batch), (len(batch), count), "The classifier"))
        elif tta == "flip":
            both = classifier(np.concatenate([batch, batch[:, :, ::-1]]))
            batches.append((both[: len(batch)] + both[len(batch) :]) / np.float32(2))
        else:
            batches.append(classifier(batch))
    return calibrated(np.concatenate(batches), temperature_of(classifier, tta))

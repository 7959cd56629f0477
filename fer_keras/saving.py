"""Model files: probabilities out, Keras' own layers, no optimizer."""

import pathlib
import zipfile
import zlib

import keras

from fer_keras import layers
from fer_keras.data import EMOTIONS
from fer_keras.errors import InputError
from fer_keras.files import writing


def publish(model):
    """Return `model`, from images to logits, as a float32 model from images to probabilities.

    The softmax layer's name holds the order of the classes.
    """
    softmax = keras.layers.Softmax(dtype="float32", name="_".join(EMOTIONS))
    return layers.fast(keras.Model(model.input, softmax(model.output), name=model.name))


def save(model, path):
    """Write `model` in Keras' own classes to the `.keras` file `path`, whole or not at all.

    The file needs nothing of this package to load.

    Args:
        model: functional `keras.Model`, as `publish` returns it.
        path: `str` or `Path` ending in `.keras`.
    """
    with writing(path) as temporary:
        layers.plain(model).save(temporary)


def load(path):
    """Return the Keras model in the `.keras` file `path`, not compiled.

    Models made elsewhere are welcome if they take one image, (height, width, 1 or 3), and give 7 classes.

    Raises:
        InputError: if there is no such file, it is no whole `.keras` file, Keras refuses it, or its input or
            output is of another shape.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(
            f"No model file {str(path)!r}. Expected a .keras file, such as runs/<name>/<time>/model.keras."
        )
    if path.suffix != ".keras":
        raise InputError(
            f"{path} does not end in .keras. Load it in the program that made it and save it with "
            "`model.save('model.keras')`: the older formats can run code when they are opened."
        )
    if not zipfile.is_zipfile(path):
        raise InputError(
            f"{path} is no whole .keras file (not a zip archive). It may be cut short: copy it again."
        )
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, KeyError, OSError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        innermost = (str(error) or repr(error)).rpartition("Exception encountered: ")[2]
        raise InputError(f"{path} cannot be loaded by Keras: {innermost.splitlines()[0]}") from error
    _check_shapes(model, path)
    return layers.fast(model)


def _check_shapes(model, path):
    inputs = [
        tuple(tensor.shape) for tensor in getattr(model, "inputs", None) or []
    ]  # a model never called has none
    if len(inputs) != 1 or len(inputs[0]) != 4 or inputs[0][-1] not in (1, 3):
        raise InputError(f"{path} must take one image (height, width, 1 or 3). Received inputs {inputs}.")
    outputs = [tuple(tensor.shape) for tensor in model.outputs]
    if len(outputs) != 1 or outputs[0] != (None, len(EMOTIONS)):
        raise InputError(f"{path} must give {len(EMOTIONS)} classes, shape (None, 7). Received outputs {outputs}.")

"""Model files: probabilities out, Keras' own layers, no optimizer; what others made is checked first."""

import json
import pathlib
import tempfile
import zipfile

import keras

from fer_keras.backend import layers
from fer_keras.core.errors import InputError
from fer_keras.core.files import check_digest, writing
from fer_keras.data import EMOTIONS
from fer_keras.data.aliases import emotion_code
from fer_keras.model_files import safe_loading
from fer_keras.models.augmentation import Crop
from fer_keras.models.preprocessing import AUGMENTATIONS

ORDERS = {"fer2013": EMOTIONS, "alphabetical": tuple(sorted(EMOTIONS))}


def publish(model):
    """Return `model`, from images to logits, as a float32 model from images to probabilities.

    It is without augmentation, and the softmax layer's name holds the order of the classes.
    """

    def call(layer, *args, **kwargs):
        if isinstance(layer, Crop):
            return layer.middle()(args[0])
        return args[0] if layer.name in AUGMENTATIONS else layer(*args, **kwargs)

    uncompiled = keras.Model(model.input, model.output)
    lean = keras.models.clone_model(uncompiled, clone_function=lambda layer: layer, call_function=call)
    softmax = keras.layers.Softmax(dtype="float32", name="_".join(EMOTIONS))
    return layers.fast(keras.Model(lean.input, softmax(lean.output), name=model.name))  # a copy


def save(model, path):
    """Write `model` in Keras' own classes to the `.keras` file `path`, whole or not at all.

    The file needs nothing of this package to load.

    Args:
        model: functional `keras.Model`, as `publish` returns it.
        path: `str` or `Path` ending in `.keras`.
    """
    with writing(path) as temporary:
        layers.plain(model).save(temporary)


def load(path, *, classes=None, digest=None):
    """Return the Keras model in the `.keras` file `path`, not compiled, its 7 classes in the order of `EMOTIONS`.

    Models made elsewhere are welcome if they take one image, (height, width, 1 or 3), and give 7 classes. The file
    need not be trusted: see `fer_keras.model_files.safe_loading`.

    Args:
        path: `str` or `Path`.
        classes: the file's own order of the seven `EMOTIONS`; default: what the name of its last layer tells.
        digest: SHA-256 of the file in hex; default: what `path`.sha256 holds, where `sha256sum` wrote one.

    Raises:
        InputError: if there is no such file, it is no whole `.keras` file or not the one of `digest`, it holds
            more than layers of Keras, its input or output is of another shape, or its order of the classes is not
            known.
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
    digest = _digest_beside(path) if digest is None else digest
    if digest is not None:
        check_digest(path, digest)
    config, weights = safe_loading.read(path)
    try:
        model = _built(layers.fast_config(config), weights)
        _check_shapes(model, path)
    except InputError:
        raise
    except Exception as error:  # what Keras raises depends on what was damaged
        raise InputError(f"{path} cannot be loaded by Keras: {safe_loading.reason(error)}") from error
    return _in_order(model, classes or class_order(model), path)


def class_order(model):
    """Return the seven emotions in the order that the name of `model`'s last layer tells, or `None`."""
    names = tuple(model.layers[-1].name.split("_"))
    return names if sorted(names) == sorted(EMOTIONS) else None


def parse_class_order(text):
    """Return the seven emotions in the order that `text` says.

    Args:
        text: `"fer2013"`, `"alphabetical"` (as Keras reads folders of images), or seven names with commas between.

    Raises:
        InputError: if it is none of these.
    """
    codes = [emotion_code(word.strip()) for word in text.split(",")]
    if text not in ORDERS and (None in codes or sorted(codes) != list(range(len(EMOTIONS)))):
        raise InputError(
            f"The order of the classes must be {', '.join(ORDERS)}, or the seven names with commas between them, "
            f"such as {','.join(EMOTIONS)}. Received {text!r}."
        )
    return ORDERS.get(text) or tuple(EMOTIONS[code] for code in codes)


def _digest_beside(path):
    beside = path.with_name(f"{path.name}.sha256")
    if beside.is_file():
        return beside.read_text(encoding="utf-8", errors="replace").partition(" ")[0].strip()
    return None


def _built(config, weights):
    """Return the model of what was checked, and of nothing else that the user's file may hold by now."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.keras"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("metadata.json", "{}")
            archive.writestr(safe_loading.CONFIG, json.dumps(config))
            archive.writestr(safe_loading.WEIGHTS, weights)
        return keras.saving.load_model(path, compile=False, safe_mode=True)


def _check_shapes(model, path):
    inputs = [
        tuple(tensor.shape) for tensor in getattr(model, "inputs", None) or []
    ]  # a model never called has none
    if len(inputs) != 1 or len(inputs[0]) != 4 or inputs[0][-1] not in (1, 3):
        raise InputError(f"{path} must take one image (height, width, 1 or 3). Received inputs {inputs}.")
    outputs = [tuple(tensor.shape) for tensor in model.outputs]
    if len(outputs) != 1 or outputs[0] != (None, len(EMOTIONS)):
        raise InputError(f"{path} must give {len(EMOTIONS)} classes, shape (None, 7). Received outputs {outputs}.")


def _in_order(model, classes, path):
    if classes is None:
        raise InputError(
            f"{path} does not tell the order of its 7 classes. Say it with --class-order (in Python, classes=): "
            f"fer2013 ({', '.join(EMOTIONS)}), alphabetical (as Keras reads folders of images), or the names with "
            "commas between them."
        )
    if sorted(classes) != sorted(EMOTIONS):
        raise InputError(f"classes must be {EMOTIONS} in some order. Received {classes!r}.")
    if tuple(classes) == EMOTIONS:
        return model
    columns = [list(classes).index(emotion) for emotion in EMOTIONS]
    outputs = model.outputs[0]  # no `take`, which torch's exporter to ONNX cannot write
    ordered = keras.ops.concatenate([outputs[:, column : column + 1] for column in columns], axis=-1)
    return keras.Model(model.inputs[0], ordered, name=model.name)

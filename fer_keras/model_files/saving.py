"""Model files: probabilities as outputs, Keras' own layers, no optimizer; files of others are checked first."""

import json
import logging
import os
import pathlib
import zipfile
from typing import Any

import keras

from fer_keras.backend import layers
from fer_keras.backend.keras_defaults import keras_defaults
from fer_keras.core import limited
from fer_keras.core.errors import InputError
from fer_keras.core.files import check_digest, writing
from fer_keras.data import EMOTIONS
from fer_keras.model_files import calibration, safe_loading
from fer_keras.model_files import class_names as names
from fer_keras.model_files.pretrained import is_name, pretrained, refuse_options
from fer_keras.models.augmentation import Crop
from fer_keras.models.preprocessing import AUGMENTATIONS

log = logging.getLogger("fer_keras")


@keras_defaults()
def publish(model: keras.Model) -> keras.Model:
    """Return `model`, from images to logits, as a float32 model from images to probabilities.

    Its augmentation layers are left out.
    """

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(layer, Crop) and layer.at_inference:
            return layer.middle()(args[0])
        return args[0] if layer.name in AUGMENTATIONS else layer(*args, **kwargs)

    uncompiled = keras.Model(model.input, model.output)
    lean = keras.models.clone_model(uncompiled, clone_function=lambda layer: layer, call_function=call)
    softmax = keras.layers.Softmax(dtype="float32", name="probabilities")
    return layers.fast(keras.Model(lean.input, softmax(lean.output), name=model.name))  # a copy


def save(
    model: keras.Model,
    path: str | os.PathLike,
    class_names: tuple[str, ...] = EMOTIONS,
    *,
    conformal: dict[str, dict] | None = None,
) -> None:
    """Write `model` in Keras' own classes to the `.keras` file `path`, whole or not at all.

    The file loads without this package.

    Args:
        model: functional `keras.Model`, as `publish` returns it.
        path: ends in `.keras`.
        class_names: of the outputs, in their order; written to the file's `metadata.json`.
        conformal: thresholds of prediction sets, see `fer_keras.model_files.calibration.check`; written there too.

    Raises:
        InputError: if the names fail `class_names.check`, or their number is not that of the outputs.
    """
    checked = _counted(names.check(class_names, "class_names"), model, path)
    with writing(path) as temporary:
        layers.plain(model).save(temporary)
        with zipfile.ZipFile(temporary) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        metadata = json.loads(members[safe_loading.METADATA]) | {names.KEY: checked}
        if conformal is not None:
            metadata[calibration.KEY] = calibration.check(conformal, "conformal")
        members[safe_loading.METADATA] = json.dumps(metadata).encode()
        with zipfile.ZipFile(temporary, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)


@keras_defaults()
def load(
    path: str | os.PathLike,
    *,
    classes: tuple[str, ...] | None = None,
    digest: str | None = None,
    trusted: bool = False,
    named: bool = True,
) -> keras.Model:
    """Return the Keras model in the `.keras` file `path`, not compiled.

    Other models are accepted if they take one image, (height, width, 1 or 3), and return 1 to 50 classes. The file
    need not be trusted, see `fer_keras.model_files.safe_loading`. A model with layers other than the most common
    ones is first built in a separate process with limited time and memory.

    Args:
        path: of the file, or "best", "tiny" or "ferplus" for a network that comes with the package.
        classes: names of the model's outputs, in their order; default: those in the file, or in the name of its
            last layer, where versions before 0.2.0 wrote them. Networks of the package have their own.
        digest: SHA-256 of the file in hex; default: the content of `path`.sha256, as `sha256sum` writes it, if it
            exists.
        trusted: the file is known to be harmless, so it is not tried in a separate process.
        named: whether the classes must be known; else those of a file without names are "1", "2" and so on.

    Returns:
        `keras.Model` with the attributes `class_names`, a tuple, and `conformal`, the thresholds of its prediction
        sets or None. If the names are FER-2013's seven in any order, the outputs are reordered to
        `fer_keras.data.EMOTIONS`.

    Raises:
        InputError: if the file does not exist, is not a complete `.keras` file, does not match `digest`, contains
            more than Keras layers, has an input or output of another shape, or its classes are unknown.
    """
    if is_name(path):
        refuse_options(path, classes, None)
        return pretrained(str(path))
    path = pathlib.Path(path)
    data = _read(path)
    digest = _digest_beside(path) if digest is None else digest
    if digest is not None:
        check_digest(data, digest, path)
    content = safe_loading.parse(data, path)
    if not (trusted or safe_loading.is_plain(content)):
        limited.try_in_child("fer_keras.model_files.try_loading", str(path), data=data, path=path)
    model = _with_free_batch(safe_loading.build(content, path))
    _check_shapes(model, path)
    found = classes or content.class_names or class_order(model)
    if found is None and not named:
        found = tuple(str(number) for number in range(1, model.outputs[0].shape[-1] + 1))
    if found is None:
        raise InputError(_unknown_classes(model, path))
    model = _named(model, _counted(names.check(found, path), model, path))
    model.conformal = content.conformal
    return model


def class_order(model: keras.Model) -> tuple[str, ...] | None:
    """Return the seven emotions in the order given by the name of `model`'s last layer, or `None`."""
    words = tuple(model.layers[-1].name.split("_"))
    return words if sorted(words) == sorted(EMOTIONS) else None


def _read(path: pathlib.Path) -> bytes:
    if not path.is_file():
        raise InputError(
            f"No model file {str(path)!r}. Expected a .keras file, such as runs/<name>/<time>/model.keras, or one "
            "of the networks best, tiny and ferplus."
        )
    if path.suffix != ".keras":
        raise InputError(
            f"{path} does not end in .keras. Load it in the program that made it and save it with "
            "`model.save('model.keras')`: the older formats can run code when they are opened."
        )
    if path.stat().st_size > safe_loading.MOST_BYTES:
        raise InputError(f"{path} is refused: it has more than {safe_loading.MOST_BYTES:,} bytes.")
    if not zipfile.is_zipfile(path):
        raise InputError(
            f"{path} is no whole .keras file (not a zip archive). It may be cut short: copy it again."
        )
    return path.read_bytes()


def _digest_beside(path: pathlib.Path) -> str | None:
    beside = path.with_name(f"{path.name}.sha256")
    if beside.is_file():
        return beside.read_text(encoding="utf-8", errors="replace").partition(" ")[0].strip()
    return None


def _with_free_batch(model: keras.Model) -> keras.Model:
    """Return `model` for any number of images: a Sequential without Input has a fixed batch size."""
    inputs = getattr(model, "inputs", None) or []
    if len(inputs) != 1 or inputs[0].shape[0] is None:
        return model
    images = keras.Input(inputs[0].shape[1:])
    return keras.Model(images, model(images), name=model.name)


def _check_shapes(model: keras.Model, path: pathlib.Path) -> None:
    inputs = [tuple(tensor.shape) for tensor in getattr(model, "inputs", None) or []]
    if len(inputs) != 1 or len(inputs[0]) != 4 or inputs[0][-1] not in (1, 3):
        raise InputError(f"{path} must take one image (height, width, 1 or 3). Received inputs {inputs}.")
    outputs = [tuple(tensor.shape) for tensor in model.outputs]
    if len(outputs) != 1 or len(outputs[0]) != 2 or not 1 <= (outputs[0][1] or 0) <= names.MOST:
        raise InputError(
            f"{path} must give 1 to {names.MOST} classes, shape (None, classes). Received outputs {outputs}."
        )


def _unknown_classes(model: keras.Model, path: pathlib.Path) -> str:
    count = model.outputs[0].shape[1]
    orders = f"fer2013 ({', '.join(EMOTIONS)}), alphabetical (as Keras reads folders of images), or "
    return (
        f"{path} does not name its {count} classes. Give them with --class-order (in Python, classes=): "
        f"{orders if count == len(EMOTIONS) else ''}their names in the order of the outputs, with commas between."
    )


def _counted(class_names: tuple[str, ...], model: keras.Model, path: object) -> tuple[str, ...]:
    count = model.outputs[0].shape[-1]
    if len(class_names) != count:
        raise InputError(
            f"{path} has {count} outputs, but {len(class_names)} class names are given: {', '.join(class_names)}."
        )
    return class_names


def named(model: keras.Model, class_names: tuple[str, ...] | None = None) -> keras.Model:
    """Return a `model` created in Python with class names, as `load` does; it shares the weights.

    Args:
        model: functional `keras.Model`.
        class_names: of its outputs; default: its own, else `EMOTIONS`, with a warning.

    Raises:
        InputError: if their number is not that of the outputs.
    """
    found = class_names or getattr(model, "class_names", EMOTIONS)
    if not class_names and not hasattr(model, "class_names"):
        log.warning(
            "Model %r does not name its classes. Its outputs are taken for %s; give classes= or set "
            "model.class_names for others.",
            model.name,
            ", ".join(EMOTIONS),
        )
    checked = _counted(names.check(found, model.name), model, f"Model {model.name!r}")
    copy = _named(keras.Model(model.inputs[0], model.outputs[0], name=model.name), checked)
    copy.conformal, copy.temperatures = getattr(model, "conformal", None), getattr(model, "temperatures", {})
    return copy


def _named(model: keras.Model, class_names: tuple[str, ...]) -> keras.Model:
    """Return `model` with its class names; FER-2013's seven are reordered to `EMOTIONS`."""
    if sorted(class_names) == sorted(EMOTIONS) and class_names != EMOTIONS:
        columns = [class_names.index(emotion) for emotion in EMOTIONS]
        outputs = model.outputs[0]  # not `take`, which torch's ONNX exporter does not support
        ordered = keras.ops.concatenate([outputs[:, column : column + 1] for column in columns], axis=-1)
        model, class_names = keras.Model(model.inputs[0], ordered, name=model.name), EMOTIONS
    model.class_names = class_names
    return model

"""From the name of a network or a file to the engine that serves it."""

import hashlib
import importlib.util
import logging
import os
import pathlib
from typing import TYPE_CHECKING

from fer_keras import __version__
from fer_keras.backend import keras_import
from fer_keras.core.choices import ENGINES, Engine, InputScale
from fer_keras.core.errors import InputError
from fer_keras.core.files import sha256
from fer_keras.inference import engines
from fer_keras.inference.export_onnx import export_in_child
from fer_keras.model_files import pretrained

if TYPE_CHECKING:
    import keras

LOG = logging.getLogger("fer_keras")


def open_engine(
    model: "str | os.PathLike[str] | keras.Model | None" = None,
    engine: Engine = "auto",
    *,
    classes: tuple[str, ...] | None = None,
    input_scale: InputScale | None = None,
    trusted: bool = False,
) -> engines.KerasEngine | engines.OnnxEngine:
    """Return the engine that serves `model`.

    Args:
        model: None, "best", "tiny" or "ferplus" for a network of the package, a `.keras` or `.onnx` file, or a
            `keras.Model`.
        engine: "onnx": ONNX Runtime, without Keras and PyTorch for networks of the package and `.onnx` files; a
            `.keras` file is exported once, into the user's cache. "keras". "auto": ONNX Runtime, if it is
            installed and nothing needs to be exported, else Keras.
        classes: names of a `.keras` file's outputs, see `fer_keras.model_files.saving.load`.
        input_scale: range of pixel values that a `.keras` file or `keras.Model` expects; default: detected from
            its layers. Networks of the package and `.onnx` files state both themselves.
        trusted: the file is known to be harmless, see `fer_keras.model_files.saving.load`.

    Raises:
        InputError: if the engine or the file cannot be used, or there is no network of that name.
    """
    if engine not in ENGINES:
        raise InputError(f"Unknown engine {engine!r}. Expected one of: {', '.join(ENGINES)}.")
    model = "best" if model is None else model
    if not isinstance(model, str | os.PathLike):
        if engine == "onnx":
            raise InputError(f"A keras.Model is served by the engine keras. Received {engine!r}.")
        return engines.KerasEngine(model, classes=classes, input_scale=input_scale)
    if pretrained.is_name(model) or os.fspath(model).endswith(".onnx"):
        pretrained.refuse_options(model, classes, input_scale)
    if pretrained.is_name(model):
        path, about = pretrained.onnx_path(str(model)), pretrained.card(str(model))
        if engine == "onnx" or (engine == "auto" and importlib.util.find_spec("onnxruntime")):
            calibration = {"temperatures": about["temperatures"], "conformal": about.get("conformal")}
            return engines.OnnxEngine(path, **calibration, trusted=True)
    elif os.fspath(model).endswith(".onnx"):
        if engine == "keras":
            raise InputError(f"{model} can be served by the engine onnx only. Leave --engine out.")
        return engines.OnnxEngine(model, trusted=trusted)
    elif engine == "onnx":
        return engines.OnnxEngine(_exported(pathlib.Path(model), classes, input_scale, trusted), trusted=True)
    keras_import.import_keras_alone()
    return engines.KerasEngine(model, classes=classes, input_scale=input_scale, trusted=trusted)


def _exported(
    source: pathlib.Path, classes: tuple[str, ...] | None, input_scale: InputScale | None, trusted: bool
) -> pathlib.Path:
    """Return the ONNX file of a `.keras` file in the user's cache; the first call writes it.

    Its name contains the digests of the source and of itself, so a truncated or changed file is written again.
    """
    from fer_keras.data import cache

    data = source.read_bytes() if source.is_file() else b""
    key = hashlib.sha256(data + repr((__version__, classes, input_scale)).encode()).hexdigest()[:32]
    folder = cache.home() / "onnx"
    for path in sorted(folder.glob(f"{key}-*.onnx")):
        if path.stem == f"{key}-{sha256(path)[:32]}":
            return path
        LOG.warning("%s is damaged and is written again.", path)
        path.unlink()
    written = folder / f"{key}.{os.getpid()}.onnx"
    LOG.info("Writing %s once as ONNX, to %s", source.name, folder)
    export_in_child(source, written, classes, input_scale, trusted)
    path = folder / f"{key}-{sha256(written)[:32]}.onnx"
    written.replace(path)
    return path

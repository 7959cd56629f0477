"""Classifiers behind one signature: images (n, 48, 48, 1) uint8 to probabilities (n, classes) float32.

Nothing here imports Keras before a `.keras` file is opened: the ONNX engine needs NumPy and onnxruntime only.
"""

import functools
import importlib.util
import json
import os
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_keras.core import limited
from fer_keras.core.choices import InputScale, Tta
from fer_keras.core.errors import InputError, first_line
from fer_keras.core.files import StrPath
from fer_keras.data import EMOTIONS
from fer_keras.inference.outputs import check_probabilities
from fer_keras.model_files import calibration, class_names

if TYPE_CHECKING:
    import keras
    import onnxruntime

Classify = Callable[[np.ndarray], np.ndarray]
BATCH_SIZE = 64  # images; larger batches do not fit the CPU's cache and are slower
SHAPE = (48, 48, 1)
MOST_BYTES = 2 << 30  # of an ONNX file


class KerasEngine:
    """Serve a `.keras` file: this project's, or any that `fer_keras.model_files.saving.load` takes.

    Args:
        path: of the file, or "best", "tiny" or "ferplus", or a `keras.Model` from
            `fer_keras.model_files.saving.load`.
        classes: as for `fer_keras.model_files.saving.load`.
        input_scale: range of pixel values that the network expects; default: detected from its layers.

    Attributes:
        class_names: of the outputs, in their order.
        temperatures: by test-time augmentation; `fer_keras.recognition.classifiers.classify` applies them, a call
            of the engine does not.
        conformal: thresholds of prediction sets by test-time augmentation; None if the network has none.

    Raises:
        InputError: as `fer_keras.model_files.saving.load`; if the input scale is unknown; here and at each call,
            if the network returns NaN, infinity or anything but probabilities or logits.
    """

    def __init__(
        self,
        path: "StrPath | keras.Model",
        *,
        classes: tuple[str, ...] | None = None,
        input_scale: InputScale | None = None,
        trusted: bool = False,
    ) -> None:
        from fer_keras.inference import folding, prediction
        from fer_keras.inference.input_scale import with_scale
        from fer_keras.model_files import saving

        is_path = isinstance(path, str | os.PathLike)
        model = saving.load(path, classes=classes, trusted=trusted) if is_path else saving.named(path, classes)
        self.name = str(path) if is_path else f"Model {model.name!r}"
        self.class_names: tuple[str, ...] = model.class_names
        self.temperatures: dict[Tta, float] = dict(getattr(model, "temperatures", {}))
        self.conformal: dict | None = getattr(model, "conformal", None)
        self.model = folding.serving_model(with_scale(model, input_scale))
        self._batch_size = prediction.batch_size(self.model, BATCH_SIZE)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        from fer_keras.backend.keras_defaults import keras_defaults

        with keras_defaults():
            return _in_batches(self.model.predict_on_batch, images, self, self._batch_size)


class OnnxEngine:
    """Serve an ONNX file written by `fer-keras export`, without Keras and PyTorch.

    Args:
        path: `str` or `Path`.
        threads: number of CPU threads; 0 for one per core.
        temperatures, conformal: by test-time augmentation, from the card of a released network; default: no
            temperatures, and the thresholds in the file.
        trusted: the file is known to be harmless. Other files are first run in a separate process with limited
            time and memory.

    Attributes:
        class_names: of the outputs, in their order.
        temperatures: by test-time augmentation; `fer_keras.recognition.classifiers.classify` applies them, a call
            of the engine does not.
        conformal: thresholds of prediction sets by test-time augmentation; None if the network has none.

    Raises:
        InputError: if onnxruntime is missing; if the file does not exist, is damaged or needs too much time or
            memory; if its input, output or class names are not as `export` writes them; here and at each call, if
            it does not return probabilities.
    """

    def __init__(
        self,
        path: StrPath,
        threads: int = 0,
        *,
        temperatures: dict[Tta, float] | None = None,
        conformal: dict | None = None,
        trusted: bool = False,
    ) -> None:
        self.name, self.temperatures, self.conformal = str(path), temperatures or {}, conformal
        self._arguments = (path, threads, self.temperatures, conformal, trusted)
        data = _read(pathlib.Path(path))
        _need_onnxruntime()
        if not trusted:
            limited.try_in_child("fer_keras.inference.try_onnx", str(path), data=data, path=path)
        self._open(data, threads)

    def __reduce__(self) -> tuple[Any, ...]:
        path, threads, temperatures, conformal, trusted = self._arguments
        options: dict[str, Any] = {"temperatures": temperatures, "conformal": conformal, "trusted": trusted}
        return functools.partial(OnnxEngine, **options), (path, threads)

    def _open(self, data: bytes, threads: int) -> None:
        self.session = session(data, self.name, threads)
        self.class_names: tuple[str, ...] = _checked_names(self.session, self.name)
        self.conformal = self.conformal or _checked_conformal(self.session, self.name)
        self(np.zeros((2, *SHAPE), "uint8"))

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return _in_batches(self._run, images, self, BATCH_SIZE)

    def _run(self, batch: np.ndarray) -> np.ndarray:
        try:
            return self.session.run(["probabilities"], {"images": batch})[0]
        except _errors() as error:
            raise InputError(f"{self.name} does not run: {first_line(error)} Export it again.") from error


def try_onnx(data: bytes, path: str) -> None:
    """Open the ONNX file with the content `data` and classify two images."""
    engine = OnnxEngine.__new__(OnnxEngine)
    engine.name, engine.conformal = path, None
    engine._open(data, 1)


def _in_batches(
    classify: Classify, images: np.ndarray, engine: "KerasEngine | OnnxEngine", size: int
) -> np.ndarray:
    if images.shape[1:] != SHAPE or images.dtype != np.uint8:
        raise InputError(
            "Images must have shape (n, 48, 48, 1) and type uint8, values 0 to 255. "
            f"Received shape {images.shape} and type {images.dtype}."
        )
    batches = [images[start : start + size] for start in range(0, len(images), size)]
    count = len(engine.class_names)
    results = [
        check_probabilities(classify(np.ascontiguousarray(batch)), (len(batch), count), engine.name)
        for batch in batches
    ]
    return np.concatenate(results) if results else np.empty((0, count), "float32")


def _read(path: pathlib.Path) -> bytes:
    if not path.is_file():
        raise InputError(f"No model file {str(path)!r}. Expected an .onnx file that `fer-keras export` wrote.")
    if path.stat().st_size > MOST_BYTES:
        raise InputError(f"{path} is refused: it has more than {MOST_BYTES:,} bytes.")
    return path.read_bytes()


def _need_onnxruntime() -> None:
    if importlib.util.find_spec("onnxruntime") is None:
        raise InputError("Serving ONNX needs onnxruntime: pip install 'fer-keras[onnx]'.")


def session(data: bytes, path: StrPath, threads: int = 0) -> "onnxruntime.InferenceSession":
    """Return a CPU session for the ONNX file `path` with the content `data`.

    Raises:
        InputError: if onnxruntime is missing or cannot read it.
    """
    _need_onnxruntime()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Threads sleep between two photos: spinning would occupy a core that other programs could use.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False  # it would keep the memory of the largest batch
    options.log_severity_level = 4  # errors are raised as exceptions
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"], enable_fallback=0)
    except _errors() as error:
        raise InputError(
            f"{path} is no whole ONNX file: {first_line(error)} It may be cut short: copy or export it again."
        ) from error


def _checked_conformal(session: "onnxruntime.InferenceSession", path: str) -> dict | None:
    text = session.get_modelmeta().custom_metadata_map.get(calibration.KEY)
    if text is None:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    return calibration.check(value, path)


def _checked_names(session: "onnxruntime.InferenceSession", path: str) -> tuple[str, ...]:
    """Return the class names in the metadata, after checking the input and the output."""
    metadata = session.get_modelmeta().custom_metadata_map
    try:
        names = json.loads(metadata[class_names.KEY])
    except (KeyError, ValueError):
        names = metadata.get("emotions", "").split(",")  # as versions before 0.2.0 wrote them
        if names != list(EMOTIONS):
            raise InputError(
                f"{path} must hold {class_names.KEY!r} in its metadata: write it with `fer-keras export MODEL "
                "--format onnx`."
            ) from None
    names = class_names.check(names, path)
    found = [
        (tensor.name, tensor.type, tensor.shape[1:]) for tensor in session.get_inputs() + session.get_outputs()
    ]
    expected = [
        ("images", "tensor(uint8)", list(SHAPE)),
        ("probabilities", "tensor(float)", [len(names)]),
    ]
    if found != expected:
        raise InputError(f"{path} must take and give {expected}. Received {found}: export the model again.")
    return names


def _errors() -> tuple[type[Exception], ...]:
    """Return the exceptions that onnxruntime raises; they have no common base class."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    classes = (value for value in vars(state).values() if isinstance(value, type))
    return (RuntimeError, ValueError, *(value for value in classes if issubclass(value, Exception)))

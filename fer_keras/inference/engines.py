"""Classifiers behind one signature: images (n, 48, 48, 1) uint8 to probabilities (n, 7) float32.

Nothing here imports Keras before a `.keras` file is opened: the ONNX engine needs NumPy and onnxruntime only.
"""

import gc
import importlib
import pathlib
import sys
import types

import numpy as np

from fer_keras.core.errors import InputError
from fer_keras.data import EMOTIONS

BATCH_SIZE = 64  # images; larger batches leave the processor's cache and are slower
SHAPE = (48, 48, 1)
EXTRAS = {"IPython", "matplotlib", "pandas", "sklearn"}  # of Keras
COMPILER = "torch._dynamo"


class KerasEngine:
    """Serve a `.keras` file: this project's, or any that `fer_keras.model_files.saving.load` takes.

    Args:
        path: `str` or `Path`.

    Raises:
        InputError: as `fer_keras.model_files.saving.load`.
    """

    def __init__(self, path):
        from fer_keras.inference import folding
        from fer_keras.model_files import saving

        self.model = folding.serving_model(saving.load(path))

    def __call__(self, images):
        return _in_batches(self.model.predict_on_batch, images)


class OnnxEngine:
    """Serve an ONNX file that `fer-keras export` wrote, with neither Keras nor PyTorch.

    Args:
        path: `str` or `Path`.
        threads: `int`, of the processor; 0 for one a core.

    Raises:
        InputError: if onnxruntime is missing, there is no such file, it is damaged, or its input, its output or
            its emotions are not those of this project.
    """

    def __init__(self, path, threads=0):
        self.path, self.threads = path, threads
        self.session = session(path, threads)
        _check(self.session, path)
        try:
            probabilities = self(np.zeros((2, *SHAPE), "uint8"))
        except _errors() as error:
            raise InputError(f"{path} does not run: {_first_line(error)} Export it again.") from error
        if probabilities.shape != (2, len(EMOTIONS)) or not np.allclose(probabilities.sum(axis=1), 1, atol=1e-3):
            raise InputError(f"{path} does not give probabilities of {len(EMOTIONS)} emotions. Export it again.")

    def __reduce__(self):
        return OnnxEngine, (self.path, self.threads)

    def __call__(self, images):
        return _in_batches(lambda batch: self.session.run(["probabilities"], {"images": batch})[0], images)


def import_keras_alone():
    """Import Keras in a third of the time, for a process that only predicts.

    Keras imports the packages of `EXTRAS` wherever they are installed, for features that then are missing in this
    process: its scikit-learn wrappers, its plots, data frames as input. PyTorch's compiler waits until it is asked
    for, see `_Undecorated`. The hundreds of thousands of objects that stay for good are not searched for garbage,
    neither now nor at the end: that took longer than what is left of the import.
    """
    if "keras" in sys.modules:
        return
    hidden = dict.fromkeys(EXTRAS - sys.modules.keys())  # None makes an import fail as if it were not installed
    if COMPILER not in sys.modules:
        hidden[COMPILER] = _Undecorated(COMPILER)
    sys.modules.update(hidden)
    collects = gc.isenabled()
    gc.disable()
    try:
        import keras  # noqa: F401
    finally:
        for name, stand_in in hidden.items():
            if sys.modules.get(name) is stand_in:
                sys.modules.pop(name, None)
        if collects:
            gc.enable()
    gc.freeze()


class _Undecorated(types.ModuleType):
    """Stands for `torch._dynamo`, 800 modules of which Keras' import takes one decorator.

    The decorator keeps what draws random numbers out of `torch.compile`, which nothing here calls: without it the
    functions do the same. Whoever asks for anything else gets it from the real module.
    """

    def disable(self, function=None, *args, **kwargs):
        return function or (lambda decorated: decorated)

    def __getattr__(self, name):
        if name.startswith("__") and name != "__path__":  # so ask those who look through all modules there are
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


def _in_batches(classify, images):
    if images.shape[1:] != SHAPE or images.dtype != np.uint8:
        raise InputError(
            "Images must have shape (n, 48, 48, 1) and type uint8, values 0 to 255. "
            f"Received shape {images.shape} and type {images.dtype}."
        )
    batches = [images[start : start + BATCH_SIZE] for start in range(0, len(images), BATCH_SIZE)]
    results = [np.asarray(classify(np.ascontiguousarray(batch)), "float32") for batch in batches]
    return np.concatenate(results) if results else np.empty((0, len(EMOTIONS)), "float32")


def session(path, threads):
    if not pathlib.Path(path).is_file():
        raise InputError(f"No model file {str(path)!r}. Expected an .onnx file that `fer-keras export` wrote.")
    try:
        import onnxruntime
    except ImportError as error:
        raise InputError("Serving ONNX needs onnxruntime: pip install 'fer-keras[onnx]'.") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Between two photos threads sleep: spinning would take a core from whatever else the machine does.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # errors reach us as exceptions
    try:
        return onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"], enable_fallback=0
        )
    except _errors() as error:
        raise InputError(
            f"{path} is no whole ONNX file: {_first_line(error)} It may be cut short: copy or export it again."
        ) from error


def _check(session, path):
    emotions = session.get_modelmeta().custom_metadata_map.get("emotions")
    if emotions != ",".join(EMOTIONS):
        raise InputError(
            f"{path} must name the emotions {','.join(EMOTIONS)} in its metadata. Received {emotions!r}: "
            "write it with `fer-keras export MODEL --format onnx`."
        )
    found = [
        (tensor.name, tensor.type, tensor.shape[1:]) for tensor in session.get_inputs() + session.get_outputs()
    ]
    expected = [
        ("images", "tensor(uint8)", list(SHAPE)),
        ("probabilities", "tensor(float)", [len(EMOTIONS)]),
    ]
    if found != expected:
        raise InputError(f"{path} must take and give {expected}. Received {found}: export the model again.")


def _errors():
    """What onnxruntime raises; its classes have no base of their own."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    classes = (value for value in vars(state).values() if isinstance(value, type))
    return (RuntimeError, ValueError, *(value for value in classes if issubclass(value, Exception)))


def _first_line(error):
    return (str(error).splitlines() or [repr(error)])[0]

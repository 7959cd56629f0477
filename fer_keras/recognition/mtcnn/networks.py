"""The three networks of MTCNN, on Keras or on ONNX Runtime, behind one signature."""

import importlib.util
import io
import json
import pathlib
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from fer_keras.core.choices import ENGINES, Engine
from fer_keras.core.errors import InputError
from fer_keras.core.files import check_digest
from fer_keras.inference import engines

if TYPE_CHECKING:
    import keras

Network = Callable[[np.ndarray], list[np.ndarray]]

FOLDER = pathlib.Path(__file__).parent
NAMES = ("pnet", "rnet", "onet")
SIDES = {"rnet": 24, "onet": 48}  # pixels; P-Net takes any size
# Of each convolution: filters, side of its kernel, and side and padding of the max-pooling after it (stride 2).
CONVOLUTIONS = {
    "pnet": [(10, 3, (2, "same")), (16, 3, None), (32, 3, None)],
    "rnet": [(28, 3, (3, "same")), (48, 3, (3, "valid")), (64, 2, None)],
    "onet": [(32, 3, (3, "same")), (64, 3, (3, "valid")), (64, 3, (2, "same")), (128, 2, None)],
}
UNITS = {"rnet": 128, "onet": 256}  # of the dense layer; P-Net is fully convolutional
OUTPUTS = {
    "pnet": {"box": 4, "face": 2},
    "rnet": {"box": 4, "face": 2},
    "onet": {"box": 4, "landmarks": 10, "face": 2},
}


def load(engine: Engine = "auto") -> list[Network]:
    """Return the three networks as callables from uint8 (n, height, width, 3) to a list of float32 arrays.

    Their last axes are those of `OUTPUTS`; P-Net's arrays have two axes of positions before it. They may be shared
    by threads.

    Args:
        engine: "keras", "onnx", or "auto" for ONNX Runtime where it is installed and Keras elsewhere.

    Raises:
        InputError: if there is no such engine, onnxruntime is missing or a file is not the published one.
    """
    if engine not in ENGINES:
        raise InputError(f"Unknown engine {engine!r}. Expected one of: {', '.join(ENGINES)}.")
    digests = json.loads((FOLDER / "digests.json").read_text(encoding="utf-8"))
    onnx = engine == "onnx" or engine == "auto" and importlib.util.find_spec("onnxruntime") is not None
    if not onnx:
        return _keras_networks(_content("mtcnn.npz", digests))
    return [_OnnxNetwork(name, _content(name, digests)) for name in (f"{name}.onnx" for name in NAMES)]


def _content(name: str, digests: Mapping[str, str]) -> bytes:
    path = FOLDER / name
    data = path.read_bytes()
    check_digest(data, digests[name], path)
    return data


class _OnnxNetwork:
    """One of the networks on ONNX Runtime."""

    def __init__(self, name: str, data: bytes) -> None:
        self.session = engines.session(data, name)

    def __call__(self, images: np.ndarray) -> list[np.ndarray]:
        return self.session.run(None, {"images": images})


def _keras_networks(data: bytes) -> list[Network]:
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return [_KerasNetwork(name, arrays) for name in NAMES]


class _KerasNetwork:
    """One of the networks on Keras.

    Batches are filled up to a power of two and images to whole multiples of 64 pixels, so that JAX and TensorFlow,
    which compile a network for each shape, meet few shapes.
    """

    def __init__(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        from fer_keras.backend.keras_defaults import keras_defaults

        with keras_defaults():
            self.model = build(name)
        for variable in self.model.weights:
            variable.assign(arrays[f"{name}/{variable.path}"].astype("float32"))
        self.lock = threading.Lock()

    def __call__(self, images: np.ndarray) -> list[np.ndarray]:
        count, height, width, _ = images.shape
        whole = self.model.input_shape[1] is not None
        more = [(1 << (count - 1).bit_length()) - count, *((0, 0) if whole else (-height % 64, -width % 64)), 0]
        with self.lock:
            outputs = self.model.predict_on_batch(np.pad(images, [(0, after) for after in more]))
        if whole:
            return [output[:count] for output in outputs]
        rows, columns = ((side - 12) // 2 + 1 for side in (height, width))
        return [output[:count, :rows, :columns] for output in outputs]


def build(name: str) -> "keras.Model":
    """Return a network of Zhang et al. (2016, arXiv:1604.02878) as functional `keras.Model` without its weights.

    It takes images (n, height, width, 3) of values [0, 255], red first, and returns a list of `OUTPUTS`.

    Args:
        name: "pnet", "rnet" or "onet".
    """
    import keras
    from keras import layers

    side, units = SIDES.get(name), UNITS.get(name)
    images = keras.Input((side, side, 3), name="images")
    x = layers.Rescaling(1 / 128, offset=-127.5 / 128)(images)
    for i, (filters, kernel, pool) in enumerate(CONVOLUTIONS[name], start=1):
        x = layers.Conv2D(filters, kernel, name=f"conv{i}")(x)
        x = layers.PReLU(shared_axes=[1, 2], name=f"prelu{i}")(x)
        if pool:
            x = layers.MaxPooling2D(pool[0], strides=2, padding=pool[1])(x)
    if units:
        x = layers.Flatten()(layers.Permute((2, 1, 3))(x))  # the weights count columns before rows
        x = layers.PReLU(name="prelu_dense")(layers.Dense(units, name="dense")(x))
    outputs = [_head(output, size, units is not None)(x) for output, size in OUTPUTS[name].items()]
    return keras.Model(images, outputs, name=name)


def _head(name: str, size: int, dense: bool) -> "keras.Layer":
    from keras import layers

    activation = "softmax" if name == "face" else None
    if dense:
        return layers.Dense(size, activation=activation, name=name)
    return layers.Conv2D(size, 1, activation=activation, name=name)

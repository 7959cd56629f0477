"""Engines: what serves an exported model, what it refuses, what it loads."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from fer_keras.core import limited
from fer_keras.core.errors import InputError
from fer_keras.data import EMOTIONS
from fer_keras.inference.engines import KerasEngine, OnnxEngine

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


@pytest.fixture
def in_this_process(monkeypatch):
    """Files are not tried in a process of their own, which takes longer than all else here."""
    monkeypatch.setattr(limited, "try_in_child", lambda *words, **files: None)


pytestmark = pytest.mark.usefixtures("in_this_process")

NAMES = ",".join(EMOTIONS)
# Every pixel weighs the same: the logits are -1, 0, 1, 2, 3, 4, 5 times the mean of the image / 255.
KERNEL = (np.tile(np.arange(-1, 6), (2304, 1)) / 2304 / 255).astype("float32")


def linear(emotions=NAMES, kernel=KERNEL, shape=("n", 48, 48, 1), kind=onnx.TensorProto.UINT8, last="Softmax"):
    """An ONNX model of one dense layer, made by hand."""
    node, tensor = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    nodes = [
        node("Cast", ["images"], ["x"], to=onnx.TensorProto.FLOAT),
        node("Flatten", ["x"], ["flat"]),
        node("MatMul", ["flat", "kernel"], ["logits"]),
        node(last, ["logits"], ["probabilities"]),
    ]
    inputs, outputs = tensor("images", kind, shape), tensor("probabilities", 1, ("n", kernel.shape[1]))
    weights = onnx.numpy_helper.from_array(kernel, "kernel")
    graph = onnx.helper.make_graph(nodes, "linear", [inputs], [outputs], [weights])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)
    if emotions:
        onnx.helper.set_model_props(model, {"emotions": emotions})
    return model.SerializeToString()


def written(path, content):
    path.write_bytes(content)
    return path


def refusal(path):
    with pytest.raises(InputError) as caught:
        OnnxEngine(path)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(str(path), "FILE")


def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("count", [0, 1, 5, 130])
def test_probabilities_of_a_linear_model(tmp_path, count):
    engine = OnnxEngine(written(tmp_path / "model.onnx", linear()))
    images = np.zeros((count, 48, 48, 1), "uint8") + np.arange(count, dtype="uint8")[:, None, None, None]
    found = engine(images)
    assert found.shape == (count, 7) and found.dtype == "float32"
    np.testing.assert_allclose(found, softmax(np.arange(count)[:, None] / 255 * np.arange(-1, 6)), atol=1e-5)


def test_images_not_in_one_piece_of_memory(tmp_path):
    engine = OnnxEngine(written(tmp_path / "model.onnx", linear()), threads=1)
    images = np.random.default_rng(0).integers(0, 256, (8, 96, 96, 1)).astype("uint8")[::2, ::2, ::-2]
    np.testing.assert_array_equal(engine(images), engine(images.copy()))


@pytest.mark.parametrize(
    "images, received",
    [
        (np.zeros((48, 48, 1), "uint8"), "shape (48, 48, 1) and type uint8"),
        (np.zeros((1, 48, 48, 3), "uint8"), "shape (1, 48, 48, 3) and type uint8"),
        (np.zeros((1, 48, 48, 1), "float32"), "shape (1, 48, 48, 1) and type float32"),
    ],
)
def test_other_images_are_refused(tmp_path, images, received):
    engine = OnnxEngine(written(tmp_path / "model.onnx", linear()))
    with pytest.raises(InputError, match=re.escape(received)):
        engine(images)


def test_files_that_are_no_models_are_told(tmp_path):
    assert refusal(tmp_path / "none.onnx").startswith("No model file 'FILE'. Expected an .onnx file")
    (tmp_path / "folder.onnx").mkdir()
    assert refusal(tmp_path / "folder.onnx").startswith("No model file 'FILE'")
    whole = linear()
    for content in (
        b"",
        b"hello",
        b"PK\x03\x04" * 100,
        os.urandom(500),
        whole[:100],
        whole[: len(whole) // 2],
        whole[:-1],
    ):
        path = written(tmp_path / "damaged.onnx", content)
        assert refusal(path).startswith(("FILE is no whole ONNX file: ", "FILE must hold 'class_names'"))


@pytest.mark.parametrize(
    "changes, message",
    [
        (
            {"emotions": None},
            "FILE must hold 'class_names' in its metadata: write it with `fer-keras export MODEL",
        ),
        ({"emotions": ",".join(sorted(EMOTIONS))}, "FILE must hold 'class_names' in its metadata"),
        ({"shape": ("n", 64, 36, 1)}, "Received [('images', 'tensor(uint8)', [64, 36, 1])"),
        ({"shape": ("n", 48, 48)}, "Received [('images', 'tensor(uint8)', [48, 48])"),
        ({"kind": onnx.TensorProto.FLOAT}, "Received [('images', 'tensor(float)', [48, 48, 1])"),
        ({"kernel": KERNEL[:, :6]}, "('probabilities', 'tensor(float)', [6])]"),
        ({"kernel": KERNEL[:100]}, "FILE"),
        ({"last": "Relu"}, "FILE must give probabilities: from 0 to 1, with sum 1"),
        ({"last": "NoSuchOperation"}, "FILE is no whole ONNX file: "),
        ({"kernel": KERNEL * np.float32("nan")}, "FILE gives NaN or infinite values"),
    ],
)
def test_other_models_are_told(tmp_path, changes, message):
    assert message in refusal(written(tmp_path / "model.onnx", linear(**changes)))


def test_weights_outside_the_file_are_not_read(tmp_path):
    (tmp_path / "secret").write_bytes(KERNEL.tobytes())
    folder = tmp_path / "model"
    folder.mkdir()
    model = onnx.load_from_string(linear())
    kernel = model.graph.initializer[0]
    kernel.ClearField("raw_data")
    kernel.data_location = onnx.TensorProto.EXTERNAL
    kernel.external_data.add(key="location", value="../secret")
    assert "no whole ONNX file" in refusal(written(folder / "model.onnx", model.SerializeToString()))


def test_damaged_bytes_are_told_or_do_no_harm(tmp_path):
    whole = linear(kernel=KERNEL)
    random = np.random.default_rng(0)
    told = 0
    for _ in range(60):
        content = bytearray(whole)
        for place in random.integers(0, 500, 3):  # where the graph is described
            content[place] = random.integers(256)
        try:
            OnnxEngine(written(tmp_path / "bad.onnx", bytes(content)), threads=1)
        except InputError as error:
            told += "bad.onnx" in str(error)
    assert told > 20


def test_missing_onnxruntime_names_the_extra(tmp_path, monkeypatch):
    path = written(tmp_path / "model.onnx", linear())
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert refusal(path) == "Serving ONNX needs onnxruntime: pip install 'fer-keras[onnx]'."


SERVE = """
import sys, numpy
from fer_keras.inference.engines import OnnxEngine
print(OnnxEngine(sys.argv[1])(numpy.zeros((3, 48, 48, 1), "uint8")).shape)
heavy = {"keras", "torch", "jax", "tensorflow", "pandas", "matplotlib", "sklearn", "wandb"}
print(sorted(heavy & set(sys.modules)))
"""


def test_serving_onnx_loads_neither_keras_nor_torch(tmp_path):
    path = written(tmp_path / "model.onnx", linear())
    command = [sys.executable, "-c", SERVE, str(path)]
    result = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert result.stdout == "(3, 7)\n[]\n" and result.stderr == ""


def test_keras_engine_gives_the_model_s_probabilities(tmp_path):
    import keras

    from fer_keras.inference import prediction
    from fer_keras.model_files import saving
    from fer_keras.models import build
    from fer_keras.models.preprocessing import preprocessing

    images = np.random.default_rng(0).integers(0, 256, (70, 48, 48, 1)).astype("uint8")
    keras.utils.set_random_seed(0)
    before = preprocessing(images, normalization=True, augmentation=("flip",), seed=0)
    options = {"filters": (4,), "units": (8,), "convolution_normalization": "batch"}
    model = saving.publish(build("cnn", options, before))
    saving.save(model, tmp_path / "model.keras")
    engine = KerasEngine(tmp_path / "model.keras")
    found = engine(images)
    assert found.shape == (70, 7) and found.dtype == "float32"
    np.testing.assert_allclose(found, prediction.probabilities(model, images), atol=1e-5)
    assert engine(images[:0]).shape == (0, 7)

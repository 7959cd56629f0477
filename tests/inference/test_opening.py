"""Which engine serves what a user names; the files that it needs."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from fer_keras.core.errors import InputError
from fer_keras.data import EMOTIONS, cache
from fer_keras.data.votes import EIGHT
from fer_keras.inference import export_onnx, opening
from fer_keras.inference.engines import KerasEngine, OnnxEngine
from fer_keras.inference.opening import open_engine
from fer_keras.model_files import saving

pytest.importorskip("onnxruntime")
torch_only = pytest.mark.skipif(keras.backend.backend() != "torch", reason="ONNX is written on torch")
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 1)).astype("uint8")


@pytest.fixture
def foreign(tmp_path, monkeypatch):
    images = keras.Input((48, 48, 1))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "foreign.keras"
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(images))
    keras.Model(images, keras.layers.Dense(7, "softmax")(x)).save(path)
    return path


@pytest.mark.parametrize("name", ["best", "tiny", "ferplus"])
def test_networks_of_the_package_are_the_same_by_both_engines(name):
    onnx, keras_ = open_engine(name), open_engine(name, "keras")
    assert isinstance(onnx, OnnxEngine) and isinstance(keras_, KerasEngine)
    assert onnx.class_names == keras_.class_names == (EIGHT if name == "ferplus" else EMOTIONS)
    np.testing.assert_allclose(onnx(IMAGES), keras_(IMAGES), atol=5e-3)  # of weights in half precision


@pytest.mark.parametrize("model", ["tiny", "somebody's.onnx"])
@pytest.mark.parametrize("engine", ["auto", "keras", "onnx"])
@pytest.mark.parametrize("option, value", [("classes", EMOTIONS[::-1]), ("input_scale", "0-1")])
def test_what_a_network_states_itself_cannot_be_given(model, engine, option, value):
    with pytest.raises(
        InputError, match=f"{model} (names|states) its own .* Leave out --(class-order|input-scale)"
    ):
        open_engine(model, engine, **{option: value})


def test_without_onnxruntime_keras_serves(monkeypatch):
    monkeypatch.setattr(opening.importlib.util, "find_spec", lambda name: None)
    assert isinstance(open_engine("tiny"), KerasEngine)


def test_network_of_the_package_needs_neither_keras_nor_torch():
    program = (
        "import sys; from fer_keras.inference.opening import open_engine; open_engine('tiny'); "
        "print(sorted({'keras', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@torch_only
def test_keras_file_is_exported_once_and_a_damaged_export_again(foreign, monkeypatch, caplog):
    monkeypatch.setattr(opening, "export_in_child", export_here)
    found = open_engine(foreign, "onnx", classes=EMOTIONS)(IMAGES)
    expected = saving.load(foreign, classes=EMOTIONS)(IMAGES.astype("float32"))
    np.testing.assert_allclose(found, keras.ops.convert_to_numpy(expected), atol=1e-4)
    (path,) = (cache.home() / "onnx").glob("*.onnx")
    with monkeypatch.context() as patch:
        patch.setattr(opening, "export_in_child", None)
        np.testing.assert_array_equal(open_engine(foreign, "onnx", classes=EMOTIONS)(IMAGES), found)
    for content in (path.read_bytes()[:-1], b"", os.urandom(100)):
        path.write_bytes(content)
        np.testing.assert_allclose(open_engine(foreign, "onnx", classes=EMOTIONS)(IMAGES), found, atol=1e-6)
        assert "is damaged and is written again" in caplog.text
        (path,) = (cache.home() / "onnx").glob("*.onnx")


def export_here(source, target, classes, input_scale, trusted):
    settings = {"classes": classes, "input_scale": input_scale, "trusted": trusted}
    export_onnx.main(str(source), str(target), json.dumps(settings))


@pytest.mark.slow
def test_export_of_a_keras_file_leaves_neither_keras_nor_torch(foreign):
    program = (
        "import sys; from fer_keras.inference.opening import open_engine; from fer_keras.data import EMOTIONS; "
        "open_engine(sys.argv[1], 'onnx', classes=EMOTIONS); print(sorted({'keras', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program, foreign], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.slow
def test_a_file_that_cannot_be_exported_ends_in_its_message(tmp_path):
    with pytest.raises(InputError, match="No model file"):
        open_engine(tmp_path / "none.keras", "onnx")


@torch_only
def test_other_names_and_scales_are_other_exports(foreign, monkeypatch):
    monkeypatch.setattr(opening, "export_in_child", export_here)
    paths = {
        opening._exported(foreign, classes, scale, True)
        for classes in (EMOTIONS, tuple("abcdefg"))
        for scale in (None, "0-255")
    }
    assert len(paths) == 4


def test_wrong_engines_are_refused(foreign, tmp_path):
    with pytest.raises(InputError, match="Unknown engine 'tensorrt'. Expected one of: auto, keras, onnx."):
        open_engine("tiny", "tensorrt")
    with pytest.raises(InputError, match="can be served by the engine onnx only"):
        open_engine(tmp_path / "model.onnx", "keras")
    with pytest.raises(InputError, match="A keras.Model is served by the engine keras"):
        open_engine(keras.Sequential(), "onnx")
    with pytest.raises(InputError, match="No trained network 'huge'"):
        open_engine("huge")

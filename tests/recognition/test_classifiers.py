"""The engine ONNX for networks that are not exported yet."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from fer_keras.data import EMOTIONS
from fer_keras.inference import export
from fer_keras.model_files import pretrained, saving
from fer_keras.recognition.classifiers import classifier, onnx_file

torch_only = pytest.mark.skipif(keras.backend.backend() != "torch", reason="ONNX is written on torch")
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 1)).astype("uint8")
PREDICT = """
import sys
from fer_keras.cli import cli

try:
    cli(["predict", sys.argv[1], "--engine", "onnx", "--json"])
finally:
    print(sorted({"keras", "torch"} & set(sys.modules)), file=sys.stderr)
"""


@pytest.fixture
def foreign(tmp_path):
    images = keras.Input((48, 48, 1))
    path = tmp_path / "foreign.keras"
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(images))
    keras.Model(images, keras.layers.Dense(7, "softmax")(x)).save(path)
    return path


def test_an_onnx_file_is_served_as_it_is(tmp_path):
    assert onnx_file("model.onnx") == "model.onnx"
    assert onnx_file("none.keras") == "none.keras", "the classifier tells that it is not there"


@torch_only
def test_written_once_for_each_file_and_order(foreign, monkeypatch):
    path = onnx_file(str(foreign), classes=EMOTIONS)
    expected = saving.load(foreign, classes=EMOTIONS)(IMAGES.astype("float32"))
    np.testing.assert_allclose(classifier(path)(IMAGES), keras.ops.convert_to_numpy(expected), atol=1e-4)
    other = onnx_file(str(foreign), classes=EMOTIONS[::-1])
    np.testing.assert_allclose(classifier(other)(IMAGES)[:, ::-1], classifier(path)(IMAGES), atol=1e-6)
    monkeypatch.setattr(export, "export", None)
    assert onnx_file(str(foreign), classes=EMOTIONS) == path


@torch_only
@pytest.mark.slow
def test_second_prediction_with_the_network_that_comes_along_loads_no_keras(tmp_path):
    portraits = pytest.importorskip("portraits")
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    first, second = (
        subprocess.run(
            [sys.executable, "-c", PREDICT, portraits.PORTRAIT],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        for _ in range(2)
    )
    assert first.stdout == second.stdout and '"emotion"' in second.stdout
    assert "Writing best.npz once as ONNX" in first.stderr and "Writing" not in second.stderr
    assert second.stderr.strip().endswith("[]")
    face = classifier(pretrained.pretrained())(IMAGES)
    np.testing.assert_allclose(classifier(onnx_file())(IMAGES), face, atol=1e-4)

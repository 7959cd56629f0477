"""Exported models give Keras' probabilities, for any number of images, or no file is left."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from keras import layers

from fer_keras import models
from fer_keras.cli import cli
from fer_keras.core.errors import InputError
from fer_keras.data import EMOTIONS
from fer_keras.inference import export, folding, input_scale, prediction
from fer_keras.inference.engines import OnnxEngine
from fer_keras.model_files import saving
from fer_keras.models.preprocessing import preprocessing

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 48, 48, 1)).astype("uint8")
RICH = {
    "filters": (4, 6),
    "repeats": 2,
    "units": (8,),
    "convolution_normalization": "batch",
    "convolution_dropout": 0.1,
    "normalization": "layer",
    "activation": "leaky_relu",
    "residual": True,
    "dropout": 0.3,
    "l2": 1e-3,
}
CASES = {
    "nn with layer norm": ("nn", {"units": (8,), "normalization": "layer"}),
    "nn with batch norm": ("nn", {"units": (8,), "normalization": "batch", "dropout": 0.3}),
    "cnn with layer norm": ("cnn", {"filters": (4,), "convolution_normalization": "layer", "max_pooling": False}),
    "rich cnn": ("cnn", RICH),
    "resnet": ("resnet", {"filters": (4, 6), "blocks": (1, 1), "squeeze": 2, "dropout": 0.1}),
    **{f"whole {name}": (name, {}) for name in models.MODELS},
}
every_case = pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[pytest.mark.slow] * case.startswith("whole")) for case in CASES]
)
torch_only = pytest.mark.skipif(keras.backend.backend() != "torch", reason="written on torch")


def needs(form):
    missing = [package for package in export.PACKAGES[form] if importlib.util.find_spec(package) is None]
    on = keras.backend.backend() == export.BACKENDS[form]
    return pytest.mark.skipif(bool(missing) or not on, reason=f"{form} on {export.BACKENDS[form]}")


def trained(case="rich cnn"):
    """A published model after a step of training, so that its moving statistics are not those it began with."""
    name, options = CASES[case]
    keras.utils.set_random_seed(0)
    before = preprocessing(IMAGES, normalization=True, augmentation=("flip",), seed=0)
    model = models.build(name, options, before)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.train_on_batch(IMAGES, np.arange(6))
    return saving.publish(model)


def foreign(*stack, shape=(48, 48, 1)):
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input(shape), *stack])


def classes(model):
    return {type(layer).__name__ for layer in model.layers}


@every_case
def test_inference_copy_computes_the_same_with_less(case):
    model = trained(case)
    before = [weight.copy() for weight in model.get_weights()]
    copy = folding.inference_copy(model)
    np.testing.assert_allclose(copy.predict_on_batch(IMAGES), prediction.probabilities(model, IMAGES), atol=1e-5)
    assert not classes(copy) & {"Dropout", "RandomFlip", "BatchNormalization"}
    assert case != "rich cnn" or not classes(copy) & {"Multiply"}  # all of it is folded
    for weight, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_batch_normalization_where_it_cannot_be_folded():
    image = keras.Input((48, 48, 1))
    shared = layers.Conv2D(2, 3, name="shared")(image)
    activated = layers.Conv2D(2, 3, activation="relu")(image)
    plain = layers.Conv2D(2, 3, use_bias=False)(image)
    normed = [layers.BatchNormalization()(x) for x in (shared, activated, plain)]
    outputs = layers.Dense(7)(layers.Flatten()(layers.Add()([shared, *normed])))
    model = keras.Model(image, outputs)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.moving_mean.assign([0.5, -1.0])
            layer.moving_variance.assign([4.0, 0.25])
    copy = folding.inference_copy(model)
    assert "BatchNormalization" not in classes(copy)
    x = IMAGES.astype("float32") / 255
    np.testing.assert_allclose(copy.predict_on_batch(x), model.predict_on_batch(x), atol=1e-5)


@pytest.mark.parametrize(
    "make",
    [
        lambda: foreign(layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(7)),
        lambda: foreign(layers.Rescaling(1 / 127.5, -1), layers.Flatten(), layers.Dense(7, activation="softmax")),
        lambda: foreign(layers.Rescaling(2.0, -1), layers.Flatten(), layers.Dense(7), shape=(64, 32, 3)),
        lambda: foreign(
            layers.Rescaling(1 / 255),
            layers.GlobalAveragePooling2D(),
            layers.Dense(7),
            shape=(None, None, 1),
        ),
    ],
)
def test_serving_model_feeds_models_made_elsewhere_what_they_expect(make):
    model = make()
    expected = prediction.probabilities(model, IMAGES)
    found = folding.serving_model(model).predict_on_batch(IMAGES)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@needs("onnx")
@every_case
def test_onnx_of_every_architecture(tmp_path, case):
    import onnx

    model = trained(case)
    difference = export.export(model, tmp_path / "model.onnx", "onnx")
    assert 0 <= difference < 1e-5 and os.listdir(tmp_path) == ["model.onnx"]
    proto = onnx.load(tmp_path / "model.onnx")
    properties = {entry.key: entry.value for entry in proto.metadata_props}
    assert json.loads(properties["class_names"]) == list(EMOTIONS)
    assert properties["input"] == "images: uint8 (n, 48, 48, 1), grey, 0 black to 255 white"
    assert [dim.dim_param or dim.dim_value for dim in proto.graph.input[0].type.tensor_type.shape.dim] == [
        *("n", 48, 48, 1)
    ]
    assert not {"Dropout", "BatchNormalization"} & {node.op_type for node in proto.graph.node}
    assert b"site-packages" not in (tmp_path / "model.onnx").read_bytes()
    engine, expected = OnnxEngine(tmp_path / "model.onnx", trusted=True), prediction.probabilities(model, IMAGES)
    for count in (1, 5, 6):
        np.testing.assert_allclose(engine(IMAGES[:count]), expected[:count], atol=1e-5)


@needs("onnx")
def test_onnx_of_a_model_made_elsewhere(tmp_path):
    model = foreign(layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(7), shape=(64, 64, 3))
    export.export(model, tmp_path / "model.onnx", "onnx")
    found = OnnxEngine(tmp_path / "model.onnx", trusted=True)(IMAGES)
    np.testing.assert_allclose(found, prediction.probabilities(model, IMAGES), atol=1e-5)


RUN = """
import json, sys
import numpy, torch
for name in ("keras", "fer_keras"):
    sys.modules[name] = None
files = {"metadata.json": ""}
module = torch.export.load(sys.argv[1], extra_files=files).module()
images = torch.from_numpy(numpy.load(sys.argv[2]))
numpy.save(sys.argv[3], numpy.concatenate([module(images[:1]).numpy(), module(images[1:]).numpy()]))
print(json.loads(files["metadata.json"])["class_names"])
"""


@torch_only
def test_torch_program_runs_without_keras(tmp_path):
    model = trained()
    assert export.export(model, tmp_path / "model.pt2", "torch") < 1e-5
    np.save(tmp_path / "images.npy", IMAGES)
    files = [str(tmp_path / name) for name in ("model.pt2", "images.npy", "found.npy")]
    result = subprocess.run(
        [sys.executable, "-c", RUN, *files], check=True, capture_output=True, text=True, timeout=120
    )
    assert json.loads(result.stdout) == list(EMOTIONS)
    np.testing.assert_allclose(np.load(files[2]), prediction.probabilities(model, IMAGES), atol=1e-5)
    with zipfile.ZipFile(files[0]) as archive:
        assert not any(b"site-packages" in archive.read(name) for name in archive.namelist())


@pytest.mark.slow
@needs("openvino")
def test_openvino_of_a_rich_model(tmp_path):
    model = trained()
    assert export.export(model, tmp_path / "model.xml", "openvino") < 1e-5
    assert sorted(os.listdir(tmp_path)) == ["model.bin", "model.xml"]
    import openvino

    names = openvino.Core().read_model(tmp_path / "model.xml").get_rt_info("class_names")
    assert json.loads(names.astype(str)) == list(EMOTIONS)
    compiled = openvino.Core().compile_model(tmp_path / "model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for count in (1, 5):
        found = compiled({"images": IMAGES[:count]})["probabilities"]
        np.testing.assert_allclose(found, prediction.probabilities(model, IMAGES[:count]), atol=1e-5)


@needs("tflite")
@every_case
def test_tflite_of_every_architecture(tmp_path, case):
    assert export.export(trained(case), tmp_path / "model.tflite", "tflite") < 1e-5
    assert os.listdir(tmp_path) == ["model.tflite"]


@torch_only
def test_a_file_that_differs_is_not_kept(tmp_path, monkeypatch):
    (tmp_path / "model.pt2").write_bytes(b"older")
    exact = export.probabilities
    monkeypatch.setattr(export, "probabilities", lambda model, images: exact(model, images) + 2e-4)
    with pytest.raises(InputError, match=r"differ from Keras' by 2\.0e-04, expected at most 0\.0001"):
        export.export(trained("nn with layer norm"), tmp_path / "model.pt2", "torch")
    assert os.listdir(tmp_path) == ["model.pt2"] and (tmp_path / "model.pt2").read_bytes() == b"older"


@torch_only
def test_a_model_with_nan_is_not_kept(tmp_path):
    broken = layers.Dense(7, kernel_initializer=keras.initializers.Constant(np.nan))
    model = foreign(layers.Rescaling(1 / 255), layers.Flatten(), broken)
    with pytest.raises(InputError, match="gives NaN or infinite values"):
        export.export(model, tmp_path / "model.pt2", "torch")
    assert os.listdir(tmp_path) == []


class Choosing(layers.Layer):
    """What it computes depends on the values it meets: no fixed program does."""

    def call(self, x):
        return -x if float(keras.ops.sum(x)) > 0 else x


@torch_only
def test_a_model_without_counterpart_is_told(tmp_path):
    inputs = keras.Input((48, 48, 1))
    outputs = layers.Dense(7)(layers.Flatten()(inputs))

    class Outer(keras.Model):
        def call(self, x):
            return Choosing()(keras.Model(inputs, outputs)(x))

    model = Outer(name="outer")
    model.inputs, model.outputs = [inputs], [outputs]
    with pytest.raises(InputError, match="Model 'outer' cannot be written as torch: ") as caught:
        export.export(model, tmp_path / "model.pt2", "torch")
    assert "\n" not in str(caught.value) and os.listdir(tmp_path) == []


def test_what_is_missing_is_told_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr(export.importlib.util, "find_spec", lambda name: None)
    for form in ("onnx", "openvino", "tflite"):
        with pytest.raises(InputError, match=re.escape(f"pip install 'fer-keras[{form}]'.")):
            export.export(None, tmp_path / f"model{export.SUFFIXES[form][0]}", form)
    monkeypatch.setattr(export.importlib.util, "find_spec", lambda name: True)
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(InputError, match="Received the backend jax: set KERAS_BACKEND=tensorflow."):
        export.export(None, tmp_path / "model.tflite", "tflite")
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(InputError, match=r"The file of format onnx must end in \.onnx\. Received .*model\.pt2"):
        export.export(None, tmp_path / "model.pt2", "onnx")
    assert os.listdir(tmp_path) == []


@torch_only
def test_command(tmp_path):
    saving.save(trained("nn with batch norm"), tmp_path / "model.keras")
    result = CliRunner().invoke(cli, ["export", str(tmp_path / "model.keras"), "--format", "torch"])
    assert result.exit_code == 0, result.output
    first, second = result.output.splitlines()
    assert re.fullmatch(r"largest difference from Keras' probabilities: \d\.\de[+-]\d\d", first)
    assert second == f"written: {tmp_path / 'model.pt2'}" and (tmp_path / "model.pt2").is_file()
    result = CliRunner().invoke(cli, ["export", str(tmp_path / "none.keras")])
    assert result.exit_code == 2 and result.output.startswith("Error: No model file")


@torch_only
def test_command_takes_the_order_of_the_classes(tmp_path):
    import torch

    images = keras.Input((48, 48, 1))
    path = tmp_path / "foreign.keras"
    keras.Model(images, keras.layers.Dense(7, "softmax")(keras.layers.Flatten()(images))).save(path)
    words = ["export", str(path), "--format", "torch"]
    assert "does not name its 7 classes" in CliRunner().invoke(cli, words).output
    words += ["--class-order", "alphabetical"]
    assert "Give them with --input-scale" in CliRunner().invoke(cli, words).output
    assert CliRunner().invoke(cli, [*words, "--input-scale", "0-1"]).exit_code == 0
    classes = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
    model = input_scale.with_scale(saving.load(path, classes=classes), "0-1")
    expected = prediction.probabilities(model, IMAGES)
    program = torch.export.load(path.with_suffix(".pt2")).module()
    np.testing.assert_allclose(program(torch.from_numpy(IMAGES)).numpy(), expected, atol=1e-4)

"""Model files: what is written loads anywhere, what cannot be used is told."""

import hashlib
import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest

from fer_keras import models
from fer_keras.backend import layers
from fer_keras.core.errors import InputError
from fer_keras.data import EMOTIONS
from fer_keras.model_files import class_names, saving
from fer_keras.models.preprocessing import preprocessing

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 48, 48, 1)).astype("uint8")
CNN = {
    "filters": (4,),
    "units": (8,),
    "convolution_normalization": "batch",
    "normalization": "layer",
    "residual": True,
    "dropout": 0.3,
    "convolution_dropout": 0.1,
    "l2": 1e-3,
    "activation": "leaky_relu",
}
CASES = [("nn", {"units": (8,)}), ("nn", {"units": (8,), "normalization": "batch"}), ("cnn", CNN)]


def trained(name="cnn", options=CNN):
    """A model after a step of training, so that its moving statistics are not those it began with."""
    keras.utils.set_random_seed(0)
    before = preprocessing(IMAGES, normalization=True, augmentation=("flip",), seed=0)
    model = models.build(name, options, before)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.train_on_batch(IMAGES, np.arange(6))
    return model


def test_published_model_is_without_augmentation():
    model = trained()
    published = saving.publish(model)
    assert "flip" in {layer.name for layer in model.layers}
    assert "flip" not in {layer.name for layer in published.layers}


def test_published_model_is_a_copy():
    model = trained()
    published = saving.publish(model)
    expected = published.predict(IMAGES, verbose=0)
    model.train_on_batch(IMAGES, np.arange(6))
    np.testing.assert_array_equal(published.predict(IMAGES, verbose=0), expected)
    assert keras.Model(published.input, published.layers[2].output).count_params()  # of one graph


def test_published_model_cuts_the_middle_out_as_the_network_does_at_inference(tmp_path):
    before = preprocessing(IMAGES, normalization=True, augmentation=("crop_44", "flip"), seed=0)
    model = models.build("nn", {"units": (8,)}, before)
    saving.save(saving.publish(model), tmp_path / "model.keras")
    found = saving.load(tmp_path / "model.keras")
    assert [layer.name for layer in found.layers][:4] == ["image", "normalization", "crop_44", "flatten"]
    np.testing.assert_allclose(found.predict(IMAGES), softmax(model.predict(IMAGES)), atol=1e-6)


def test_published_model_is_without_crops_of_training():
    before = preprocessing(IMAGES, normalization=True, augmentation=("train_crop_40",), seed=0)
    model = models.build("resnet", {"filters": (2,), "blocks": (1,)}, before)
    published = saving.publish(model)
    assert "train_crop_40" not in {layer.name for layer in published.layers}
    np.testing.assert_allclose(published.predict(IMAGES), softmax(model.predict(IMAGES)), atol=1e-6)


def test_model_with_an_input_of_no_name_is_published():
    images = keras.Input((48, 48, 1))
    model = keras.Model(images, keras.layers.Dense(7)(keras.layers.Flatten()(images)))
    assert saving.publish(model).output_shape == (None, 7)


def foreign(*stack, shape=(48, 48, 1)):
    return keras.Sequential([keras.Input(shape), keras.layers.Flatten(), *stack])


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("name, options", CASES)
def test_published_model_gives_the_softmax_of_the_logits(name, options):
    model = trained(name, options)
    expected = softmax(model.predict(IMAGES, verbose=0))
    found = saving.publish(model).predict(IMAGES, verbose=0)
    assert found.shape == (6, 7) and found.dtype == "float32"
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("name, options", CASES)
def test_file_gives_equal_probabilities_and_the_class_order(tmp_path, name, options):
    published = saving.publish(trained(name, options))
    expected = published.predict(IMAGES, verbose=0)
    saving.save(published, tmp_path / "model.keras")
    assert os.listdir(tmp_path) == ["model.keras"]
    loaded = saving.load(tmp_path / "model.keras")
    found = loaded.predict(IMAGES, verbose=0)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert loaded.class_names == ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    assert not loaded.compiled and loaded.name == name


def test_loaded_model_computes_on_the_fast_layers(tmp_path):
    saving.save(saving.publish(trained()), tmp_path / "model.keras")
    loaded = saving.load(tmp_path / "model.keras")
    assert isinstance(loaded.get_layer("conv_1_1"), layers.Conv2D)
    assert isinstance(loaded.get_layer("conv_1_1_batchnorm"), layers.BatchNormalization)


def test_file_names_nothing_but_keras_and_holds_no_optimizer(tmp_path):
    saving.save(saving.publish(trained()), tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        config = archive.read("config.json").decode()
    assert "fer_keras" not in config and "tracked" not in config.lower()
    assert not json.loads(config)["compile_config"]
    plain = keras.saving.load_model(tmp_path / "model.keras")
    for layer in plain._flatten_layers():
        assert type(layer).__module__.startswith("keras."), layer.name
    assert not plain.compiled


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="only torch trains in bfloat16")
def test_model_trained_in_bfloat16_is_published_in_float32(tmp_path):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = trained()
        assert model.get_layer("conv_1_1").compute_dtype == "bfloat16"
        saving.save(saving.publish(model), tmp_path / "model.keras")
        rough = softmax(model.predict(IMAGES, verbose=0))
    finally:
        keras.config.set_dtype_policy(before)
    loaded = saving.load(tmp_path / "model.keras")
    assert {layer.compute_dtype for layer in loaded.layers} == {"float32"}
    np.testing.assert_allclose(loaded.predict(IMAGES, verbose=0), rough, atol=0.05)


def in_another_process(program, *arguments, backend, folder):
    """Run `program` where this project cannot be imported."""
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    program = "import sys; sys.modules['fer_keras'] = None\n" + program
    command = [sys.executable, "-c", program, *map(str, arguments)]
    subprocess.run(command, check=True, cwd=folder, env=environment, capture_output=True, timeout=300)


PREDICT = """
import keras, numpy as np
model = keras.saving.load_model(sys.argv[1])
np.save(sys.argv[3], model.predict(np.load(sys.argv[2]), verbose=0))
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["torch", "jax", "tensorflow"])
def test_file_loads_in_plain_keras_on_every_backend(tmp_path, backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    published = saving.publish(trained())
    saving.save(published, tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", IMAGES)
    files = [tmp_path / name for name in ("model.keras", "images.npy", "found.npy")]
    in_another_process(PREDICT, *files, backend=backend, folder=tmp_path)
    np.testing.assert_allclose(np.load(files[2]), published.predict(IMAGES, verbose=0), atol=1e-4)


def test_calling_the_loaded_model_on_an_array_warns_of_nothing(tmp_path):
    saving.save(saving.publish(trained()), tmp_path / "model.keras")
    for model in (saving.load(tmp_path / "model.keras"), keras.saving.load_model(tmp_path / "model.keras")):
        assert model(IMAGES).shape == (6, 7)


def test_failed_saving_leaves_the_older_file(tmp_path, monkeypatch):
    path = tmp_path / "model.keras"
    saving.save(saving.publish(trained()), path)
    before = path.read_bytes()

    def fail(self, target):
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keras.Model, "save", fail)
    with pytest.raises(OSError, match="No space left"):
        saving.save(saving.publish(trained()), path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["model.keras"]


def test_foreign_model_is_loaded(tmp_path):
    path = tmp_path / "model.keras"
    model = foreign(keras.layers.Dense(7), shape=(8, 8, 3))
    model.compile("adam", "mse")
    model.save(path)
    loaded = saving.load(str(path), classes=EMOTIONS)
    assert loaded.inputs[0].shape == (None, 8, 8, 3) and not loaded.compiled
    x = np.random.default_rng(0).random((2, 8, 8, 3)).astype("float32")
    np.testing.assert_allclose(loaded.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6)


def test_classes_of_a_foreign_model_are_put_in_our_order(tmp_path):
    path, x = tmp_path / "model.keras", np.random.default_rng(0).random((2, 8, 8, 3)).astype("float32")
    model = foreign(keras.layers.Dense(7), shape=(8, 8, 3))
    model.save(path)
    with pytest.raises(InputError, match="does not name its 7 classes. Give them with --class-order"):
        saving.load(path)
    # Alphabetical is angry, disgust, fear, happy, neutral, sad, surprise.
    expected = model.predict(x, verbose=0)[:, [0, 1, 2, 3, 5, 6, 4]]
    loaded = saving.load(path, classes=class_names.parse_order("alphabetical"))
    np.testing.assert_allclose(loaded.predict(x, verbose=0), expected, atol=1e-6)
    with pytest.raises(InputError, match="expected 1 to 50 different class names"):
        saving.load(path, classes=("happy",) * 7)


def test_last_layer_may_tell_another_order(tmp_path):
    path, x = tmp_path / "model.keras", np.random.default_rng(0).random((2, 8, 8, 3)).astype("float32")
    model = foreign(keras.layers.Dense(7, name="_".join(reversed(EMOTIONS))), shape=(8, 8, 3))
    model.save(path)
    np.testing.assert_allclose(
        saving.load(path).predict(x, verbose=0), model.predict(x, verbose=0)[:, ::-1], atol=1e-6
    )


@pytest.mark.parametrize(
    "text, order",
    [
        ("fer2013", EMOTIONS),
        ("alphabetical", ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")),
        ("Neutral, happiness,sad,fear,anger,disgust,surprise",
         ("neutral", "happy", "sad", "fear", "angry", "disgust", "surprise")),
    ],
)  # fmt: skip
def test_order_of_classes_is_read(text, order):
    assert class_names.parse_order(text) == order


@pytest.mark.parametrize("text", ["", "happy"])
def test_what_is_no_order_of_classes_is_told(text):
    with pytest.raises(InputError, match="The order of the classes must be fer2013, alphabetical, or the names"):
        class_names.parse_order(text)


def test_hash_beside_or_given_is_checked(tmp_path):
    path = tmp_path / "model.keras"
    saving.save(saving.publish(trained("nn", {"units": (2,)})), path)
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    beside = tmp_path / "model.keras.sha256"
    beside.write_text(f"{right}  model.keras\n")
    assert saving.load(path) and saving.load(path, digest=right.upper())
    with pytest.raises(InputError, match=f"is not the published file: its SHA-256 is {right}, expected 00"):
        saving.load(path, digest="0" * 64)
    for text in ("0" * 64 + "  model.keras\n", ""):
        beside.write_text(text)
        with pytest.raises(InputError, match="is not the published file"):
            saving.load(path)


@keras.saving.register_keras_serializable("elsewhere")
class Elsewhere(keras.layers.Dense):
    pass


def two_inputs():
    inputs = [keras.Input((48, 48, 1)), keras.Input((48, 48, 1))]
    return keras.Model(inputs, keras.layers.Dense(7)(keras.layers.Flatten()(keras.layers.Add()(inputs))))


def two_outputs():
    inputs = keras.Input((48, 48, 1))
    x = keras.layers.Flatten()(inputs)
    return keras.Model(inputs, [keras.layers.Dense(7)(x), keras.layers.Dense(7)(x)])


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: foreign(keras.layers.Dense(51)),
            r"must give 1 to 50 classes, shape (None, classes). Received outputs [(None, 51)].",
        ),
        (
            lambda: keras.Sequential([keras.Input((48, 48, 1)), keras.layers.Dense(7)]),
            "Received outputs [(None, 48,",
        ),
        (two_outputs, "Received outputs [(None, 7), (None, 7)]."),
        (two_inputs, "must take one image (height, width, 1 or 3). Received inputs [(None, 48, 48, 1), (None,"),
        (lambda: foreign(keras.layers.Dense(7), shape=(2304,)), "Received inputs [(None, 2304)]."),
        (lambda: foreign(keras.layers.Dense(7), shape=(1, 48, 48)), "Received inputs [(None, 1, 48, 48)]."),
        (lambda: foreign(keras.layers.Dense(7), shape=(48, 48, 4)), "Received inputs [(None, 48, 48, 4)]."),
        (
            lambda: foreign(keras.layers.Dense(7), keras.layers.Lambda(lambda x: x)),
            "model.keras is refused: it names 'Lambda' of 'keras.layers', which can run code or read files.",
        ),
    ],
)
def test_model_of_another_shape_is_told(tmp_path, make, message):
    path = tmp_path / "model.keras"
    make().save(path)
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        saving.load(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_model_never_built_is_told(tmp_path):
    path = tmp_path / "model.keras"
    with pytest.warns(UserWarning, match="not yet been built"):
        keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(7)]).save(path)
    with pytest.raises(InputError, match="holds a model without shapes: call it on an image before you save it"):
        saving.load(path)


def test_layer_of_an_unknown_class_is_told(tmp_path):
    path = tmp_path / "model.keras"
    foreign(Elsewhere(7)).save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content.replace(b"Elsewhere", b"Nowhere99"))
    with pytest.raises(InputError, match="model.keras is refused: it names 'elsewhere>Nowhere99'"):
        saving.load(path)


def test_files_that_are_no_models_are_told(tmp_path):
    def message(name, content=None):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError) as caught:
            saving.load(tmp_path / name)
        assert "\n" not in str(caught.value)
        return str(caught.value).replace(str(tmp_path / name), "FILE")

    model = saving.publish(trained("nn", {"units": (8,)}))
    saving.save(model, tmp_path / "whole.keras")
    whole = (tmp_path / "whole.keras").read_bytes()
    assert message("none.keras").startswith("No model file 'FILE'. Expected a .keras file, such as runs/")
    assert message("model.h5", b"\x89HDF").startswith(
        "FILE does not end in .keras. Load it in the program that made"
    )
    assert message("text.keras", b"hello").startswith("FILE is no whole .keras file (not a zip archive).")
    assert message("empty.keras", b"").startswith("FILE is no whole .keras file")
    assert message("half.keras", whole[: len(whole) // 2]).startswith("FILE is no whole .keras file")
    (tmp_path / "folder.keras").mkdir()
    assert message("folder.keras").startswith("No model file")
    with zipfile.ZipFile(tmp_path / "other.keras", "w") as archive:
        archive.writestr("a.txt", "hello")
    assert message("other.keras").startswith("FILE is refused: it holds 'a.txt' instead of config.json, ")
    for name in ("config.json", "model.weights.h5"):
        with (
            zipfile.ZipFile(tmp_path / "whole.keras") as archive,
            zipfile.ZipFile(tmp_path / "damaged.keras", "w") as damaged,
        ):
            for part in archive.namelist():
                content = archive.read(part)
                damaged.writestr(part, content[: len(content) // 2] if part == name else content)
        assert message("damaged.keras").startswith("FILE cannot be loaded by Keras: ")


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_damaged_bytes_are_told_or_do_no_harm(tmp_path, compression):
    saving.save(saving.publish(trained("nn", {"units": (2,)})), tmp_path / "whole.keras")
    with (
        zipfile.ZipFile(tmp_path / "whole.keras") as archive,
        zipfile.ZipFile(tmp_path / "packed.keras", "w", compression) as packed,
    ):
        for name in archive.namelist():
            packed.writestr(name, archive.read(name))
    whole = (tmp_path / "packed.keras").read_bytes()
    random = np.random.default_rng(0)
    told = 0
    for i in range(30):
        content = bytearray(whole)
        for place in random.integers(len(whole) - 400 if i % 2 else 0, len(whole), 3):  # the end is the directory
            content[place] = random.integers(256)
        (tmp_path / "bad.keras").write_bytes(content)
        try:
            saving.load(tmp_path / "bad.keras")
        except InputError as error:
            told += "bad.keras" in str(error)
    assert told > 20


NAMES = ("joie", "peur", "колère", "怒り")


def four_classes(path):
    images = keras.Input((8, 8, 1))
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(images))
    model = keras.Model(images, keras.layers.Dense(4, activation="softmax")(x))
    saving.save(model, path, class_names=NAMES)
    return model


def test_class_names_of_any_script_travel_in_the_file(tmp_path):
    path, x = tmp_path / "model.keras", np.random.default_rng(0).random((2, 8, 8, 1)).astype("float32")
    model = four_classes(path)
    loaded = saving.load(path)
    assert loaded.class_names == NAMES
    np.testing.assert_allclose(loaded.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6)
    plain = keras.models.load_model(path)
    np.testing.assert_allclose(plain.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6)
    with zipfile.ZipFile(path) as archive:
        assert sorted(archive.namelist()) == ["config.json", "metadata.json", "model.weights.h5"]
        assert json.loads(archive.read("metadata.json"))["class_names"] == list(NAMES)


def with_metadata(path, names):
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (parts | {"metadata.json": json.dumps({"class_names": names})}).items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    "names, message",
    [
        ([], "1 to 50 different class names"),
        ([str(i) for i in range(51)], "1 to 50 different class names"),
        (["a", "a", "b", "c"], "1 to 50 different class names"),
        ("abcd", "1 to 50 different class names"),
        ({"a": 1}, "1 to 50 different class names"),
        (["a", "b", "c", 4], "1 to 50 different class names"),
        (["a", "b", "c", "d" * 65], "1 to 64 printable characters"),
        (["a", "b", "c", ""], "1 to 64 printable characters"),
        (["a", "b", "c", "\x1b[31m"], "1 to 64 printable characters"),
        (["a", "b", "c"], "has 4 outputs, but 3 class names are given: a, b, c"),
    ],
)
def test_wrong_class_names_in_a_file_are_refused(tmp_path, names, message):
    path = tmp_path / "model.keras"
    four_classes(path)
    with_metadata(path, names)
    with pytest.raises(InputError, match=message):
        saving.load(path)


def test_model_of_other_classes_needs_their_names(tmp_path):
    path = tmp_path / "model.keras"
    foreign(keras.layers.Dense(3)).save(path)
    with pytest.raises(
        InputError, match="does not name its 3 classes. Give them with --class-order .* their names"
    ):
        saving.load(path)
    assert saving.load(path, classes=class_names.parse_order("a, b,c")).class_names == ("a", "b", "c")
    with pytest.raises(InputError, match="has 3 outputs, but 7 class names are given"):
        saving.load(path, classes=EMOTIONS)


@pytest.mark.parametrize("batch", [None, 5])
def test_sequential_model_without_input_is_loaded(tmp_path, batch):
    path, x = tmp_path / "model.keras", np.random.default_rng(0).random((5, 8, 8, 1)).astype("float32")
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(7, activation="softmax")])
    model.build((batch, 8, 8, 1))
    model.save(path)
    loaded = saving.load(path, classes=EMOTIONS)
    assert loaded.inputs[0].shape == (None, 8, 8, 1) and loaded.outputs[0].shape == (None, 7)
    np.testing.assert_allclose(loaded.predict(x[:2], verbose=0), model.predict(x, verbose=0)[:2], atol=1e-6)


def test_a_model_made_in_python_without_class_names_is_reported(caplog):
    images = keras.Input((48, 48, 1))
    model = keras.Model(images, keras.layers.Dense(7)(keras.layers.Flatten()(images)))
    assert saving.named(model).class_names == EMOTIONS
    assert "does not name its classes. Its outputs are taken for angry, disgust, fear" in caplog.text
    caplog.clear()
    saving.named(model, EMOTIONS)
    saving.named(saving.named(model, EMOTIONS))
    assert not caplog.records


def test_networks_of_the_package_are_loaded_by_name():
    assert saving.load("tiny").class_names == saving.load(pathlib.Path("tiny")).class_names == EMOTIONS
    with pytest.raises(InputError, match="No trained network 'huge'. Expected one of: best, ferplus, tiny."):
        saving.load("huge")

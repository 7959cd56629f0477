"""What a model file may hold: every published attack is refused before Keras sees it, honest models are not."""

import io
import json
import pathlib
import zipfile

import h5py
import keras
import numpy as np
import pytest
from helpers import hostile
from keras.src.backend.common import global_state

from fer_keras.backend import deserialization
from fer_keras.core import limited
from fer_keras.core.errors import InputError
from fer_keras.data import EMOTIONS
from fer_keras.model_files import safe_loading, saving

ROOT = pathlib.Path(__file__).parents[2]
SOFTMAX = "_".join(EMOTIONS)


@pytest.mark.parametrize("name", hostile.FILES)
def test_hostile_file_is_refused_and_does_nothing(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "canary").write_bytes(np.zeros((16, 7), "f4").tobytes())
    path = tmp_path / "model.keras"
    _, make, message = hostile.FILES[name]
    make(path)
    before = {file.name: (file.stat().st_mtime_ns, file.stat().st_size) for file in tmp_path.iterdir()}

    def never(*arguments, **options):
        raise AssertionError("Keras has seen the file")

    monkeypatch.setattr(keras.Model, "load_weights", never)
    with pytest.raises(InputError) as caught:
        saving.load(path)
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert {f.name: (f.stat().st_mtime_ns, f.stat().st_size) for f in tmp_path.iterdir()} == before


def test_honest_file_of_the_corpus_is_loaded(tmp_path):
    hostile.pack(tmp_path / "model.keras", hostile.honest())
    assert saving.load(tmp_path / "model.keras").outputs[0].shape == (None, 7)


def every_kind():
    """A model of many layers and operations as people write them, with a compiled model inside."""
    layers, x = keras.layers, keras.Input((16, 16, 3), name="face")
    inputs, x = x, layers.Rescaling(1 / 255)(x)
    x = layers.RandomRotation(0.1)(layers.RandomFlip("horizontal")(x))
    x = layers.Conv2D(4, 3, activation=keras.activations.gelu, kernel_regularizer="l2", dtype="mixed_bfloat16")(x)
    x = layers.SeparableConv2D(4, 3, depthwise_initializer=keras.initializers.HeNormal(seed=3))(x)
    x = keras.ops.concatenate([x * 2 + keras.ops.mean(x, axis=(1, 2), keepdims=True), keras.ops.relu(x)], axis=-1)
    x = layers.SpectralNormalization(layers.Conv2D(4, 3, kernel_constraint="max_norm"))(x)
    x = layers.Bidirectional(layers.LSTM(3))(layers.Reshape((100, 4))(x))
    inner = keras.Sequential([keras.Input((6,)), layers.Dense(4, "relu"), layers.BatchNormalization()])
    inner.compile(keras.optimizers.AdamW(), keras.losses.Huber(), ["mae"])
    x = layers.LeakyReLU(0.1)(inner(layers.Dropout(0.5)(x)))
    x = layers.Dense(7, dtype="bfloat16")(
        layers.Reshape((4,))(layers.MultiHeadAttention(1, 2)(x[:, None], x[:, None]))
    )
    return keras.Model(inputs, layers.Activation("softmax", dtype="float32", name=SOFTMAX)(x))


def test_honest_model_of_many_layers_gives_the_same(tmp_path):
    model, path = every_kind(), tmp_path / "model.keras"
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.1, 10)), "categorical_crossentropy"
    )
    images = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3)).astype("float32")
    model.fit(images, np.eye(7)[:3], verbose=0)
    model.save(path)
    expected = model.predict(images, verbose=0)
    content = safe_loading.parse(path.read_bytes(), path)
    assert "compile_config" not in json.dumps(content.config) and content.weights[:4] == b"\x89HDF"
    assert not safe_loading.is_plain(content)
    np.testing.assert_allclose(saving.load(path).predict(images, verbose=0), expected, atol=2e-2)  # in float32


def test_shapes_are_read_without_memory_for_them():
    config = json.loads(hostile.honest()[safe_loading.CONFIG])
    config["config"]["layers"][-1]["config"]["units"] = 10**15  # 64 PB
    before = global_state.get_global_attribute("uninitialized_variables")
    model = deserialization.build_without_weights(config)
    assert [tuple(v.shape) for v in model.variables] == [(16, 10**15), (10**15,)]
    assert global_state.get_global_attribute("uninitialized_variables") is before


def test_weights_at_the_limit_pass_and_one_more_does_not(tmp_path):
    path, members = tmp_path / "model.keras", hostile.honest()
    hostile.pack(path, members)
    size = len(members[safe_loading.WEIGHTS])
    assert not list(
        safe_loading._size_faults(
            deserialization.build_without_weights(json.loads(members[safe_loading.CONFIG])), 16 * 7 + 7
        )
    )
    with h5py.File(io.BytesIO(members[safe_loading.WEIGHTS])) as file:
        assert not list(safe_loading._weight_faults(file, size))
        assert "declare 476 bytes, but it has only 475" in next(safe_loading._weight_faults(file, 475))


def test_limits_of_the_archive(tmp_path, monkeypatch):
    path = tmp_path / "model.keras"
    hostile.pack(path, hostile.honest())
    monkeypatch.setattr(safe_loading, "MOST_BYTES", 1000)
    with pytest.raises(InputError, match="it has more than 1,000 bytes"):
        saving.load(path)


def test_encrypted_archive_is_told(tmp_path):
    path = tmp_path / "model.keras"
    hostile.pack(path, hostile.honest())
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="it is encrypted"):
        saving.load(path)


@pytest.mark.parametrize(
    "config", ["null", "[]", "7", '{"class_name": ["Sequential"]}', '{"class_name": "Popen"}', "{"]
)
def test_configuration_of_no_model_is_told(tmp_path, config):
    path = tmp_path / "model.keras"
    hostile.pack(path, hostile.honest() | {safe_loading.CONFIG: config})
    with pytest.raises(InputError, match="model.keras (is refused|cannot be loaded)"):
        saving.load(path)


def test_no_pickle_and_no_unsafe_loading_in_the_package():
    for file in (ROOT / "fer_keras").rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        for word in (
            "import pickle",
            "safe_mode=False",
            "allow_pickle=True",
            "enable_unsafe",
            "joblib",
            "torch.load",
        ):
            assert word not in text, (file, word)
        assert text.count("np.load(") == text.count("allow_pickle=False") - text.count("np.save("), file


def edited(path, model, edit):
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members[safe_loading.CONFIG])
    edit(config["config"]["layers"])
    hostile.pack(path, members | {safe_loading.CONFIG: json.dumps(config)})


def simple():
    images = keras.Input((48, 48, 1))
    return keras.Model(images, keras.layers.Dense(7, name=SOFTMAX)(keras.layers.Flatten()(images)))


@pytest.mark.parametrize("dtype", ["S2000000000", "U500000000", "object", "V9", None, 7, ["f4"]])
def test_array_of_no_numbers_in_the_configuration_is_refused(tmp_path, dtype):
    value = {"class_name": "__numpy__", "config": {"value": [1], "dtype": dtype}}
    constant = {"module": "keras.initializers", "class_name": "Constant", "config": {"value": value}}
    path = tmp_path / "model.keras"
    edited(path, simple(), lambda layers: layers[-1]["config"].update(kernel_initializer=constant))
    with pytest.raises(InputError, match="which is no type of numbers"):
        saving.load(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression_than_deflate_is_refused(tmp_path, method):
    hostile.pack(tmp_path / "model.keras", hostile.honest(), method)
    with pytest.raises(InputError, match="compressed by another method than deflate"):
        saving.load(tmp_path / "model.keras")


def test_file_that_unpacks_to_many_times_its_size_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(safe_loading, "FEW_BYTES", 1 << 20)
    path = tmp_path / "model.keras"
    hostile.pack(path, hostile.honest() | {safe_loading.WEIGHTS: bytes(2 << 20)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(InputError, match=r"it unpacks to 2,099,\d+ bytes, more than 1,048,576"):
        saving.load(path)


def test_layers_of_one_shared_object_id_are_checked_as_they_are_built(tmp_path):
    """`plain` says size 1; with the id of `big` Keras makes it `big`, of 192000 x 192000 pixels."""
    layers = keras.layers
    images = keras.Input((48, 48, 1))
    big = layers.UpSampling2D(4000, name="big")(layers.GlobalAveragePooling2D(keepdims=True)(images))
    plain = layers.UpSampling2D(1, name="plain")(images)
    x = layers.Concatenate()([layers.GlobalAveragePooling2D()(big), layers.GlobalAveragePooling2D()(plain)])

    def share(config):
        for layer in config:
            if layer["config"]["name"] in ("big", "plain"):
                layer["shared_object_id"] = 1

    edited(tmp_path / "model.keras", keras.Model(images, layers.Dense(7, name=SOFTMAX)(x)), share)
    with pytest.raises(InputError, match="a layer makes 36,864,000,000 values"):
        saving.load(tmp_path / "model.keras")


def test_work_of_a_network_is_bounded(tmp_path):
    images = keras.Input((4096, 4096, 1))
    x = keras.layers.MaxPooling2D(1000, strides=1, padding="same")(images)
    model = keras.Model(images, keras.layers.Dense(7, name=SOFTMAX)(keras.layers.GlobalAveragePooling2D()(x)))
    model.save(tmp_path / "model.keras")
    with pytest.raises(InputError, match="it takes about 33,[0-9,]+ multiplications for an image, more than"):
        saving.load(tmp_path / "model.keras")


def test_values_of_all_layers_are_bounded(tmp_path):
    images = keras.Input((48, 48, 1))
    many = [keras.layers.UpSampling2D(110)(images) for _ in range(10)]  # 5280 x 5280 each, and their sum
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Add()(many))
    keras.Model(images, keras.layers.Dense(7, name=SOFTMAX)(pooled)).save(tmp_path / "model.keras")
    with pytest.raises(InputError, match="its layers make 306,664,712 values of an image, more than 268,435,456"):
        saving.load(tmp_path / "model.keras")


def test_what_was_checked_is_what_is_built(tmp_path, monkeypatch):
    """The file is read once: another that takes its place in between changes nothing."""
    path = tmp_path / "model.keras"
    hostile.pack(path, hostile.honest())
    parse = safe_loading.parse

    def swapped(data, where):
        content = parse(data, where)
        path.write_bytes(b"something else")
        return content

    monkeypatch.setattr(safe_loading, "parse", swapped)
    assert saving.load(path).outputs[0].shape == (None, 7)


def test_uncommon_layers_are_tried_in_a_process_of_their_own_unless_trusted(tmp_path, monkeypatch):
    images = keras.Input((48, 48, 1))
    x = keras.layers.SpectralNormalization(keras.layers.Conv2D(2, 3))(images)
    keras.Model(images, keras.layers.Dense(7, name=SOFTMAX)(keras.layers.Flatten()(x))).save(
        tmp_path / "model.keras"
    )
    tried = []
    monkeypatch.setattr(limited, "try_in_child", lambda module, *words, data, path: tried.append(module))
    saving.load(tmp_path / "model.keras", trusted=True)
    assert not tried
    saving.load(tmp_path / "model.keras")
    assert tried == ["fer_keras.model_files.try_loading"]


@pytest.mark.slow
def test_attention_of_sixteen_thousand_heads_ends_in_its_own_process(tmp_path):
    images = keras.Input((48, 48, 1))
    x = keras.layers.Reshape((2304, 1))(images)
    x = keras.layers.MultiHeadAttention(16_000, 1, use_bias=False)(x, x)
    model = keras.Model(images, keras.layers.Dense(7, name=SOFTMAX)(keras.layers.GlobalAveragePooling1D()(x)))
    model.save(tmp_path / "model.keras")
    with pytest.raises(InputError, match="loading it takes more than 20 seconds or 2 GiB of memory"):
        saving.load(tmp_path / "model.keras")

"""What a model file may hold: every published attack is refused before Keras sees it, honest models are not."""

import io
import json
import pathlib

import h5py
import keras
import numpy as np
import pytest
from helpers import hostile
from keras.src.backend.common import global_state

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

    monkeypatch.setattr(keras.saving, "load_model", never)
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
    config, weights = safe_loading.read(path)
    assert "compile_config" not in json.dumps(config) and weights[:4] == b"\x89HDF"
    np.testing.assert_allclose(saving._built(config, weights).predict(images, verbose=0), expected, atol=1e-6)
    np.testing.assert_allclose(saving.load(path).predict(images, verbose=0), expected, atol=2e-2)  # in float32


def test_shapes_are_read_without_memory_for_them():
    config = json.loads(hostile.honest()[safe_loading.CONFIG])
    config["config"]["layers"][-1]["config"]["units"] = 10**15  # 64 PB
    before = global_state.get_global_attribute("uninitialized_variables")
    model = safe_loading._stand_in(config)
    assert [tuple(v.shape) for v in model.variables] == [(16, 10**15), (10**15,)]
    assert global_state.get_global_attribute("uninitialized_variables") is before


def test_weights_at_the_limit_pass_and_one_more_does_not(tmp_path):
    path, members = tmp_path / "model.keras", hostile.honest()
    hostile.pack(path, members)
    size = len(members[safe_loading.WEIGHTS])
    assert not list(
        safe_loading._size_faults(safe_loading._stand_in(json.loads(members[safe_loading.CONFIG])), 16 * 7 + 7)
    )
    with h5py.File(io.BytesIO(members[safe_loading.WEIGHTS])) as file:
        assert not list(safe_loading._weight_faults(file, size))
        assert "declare 476 bytes, but it has only 475" in next(safe_loading._weight_faults(file, 475))


def test_limits_of_the_archive(tmp_path, monkeypatch):
    path = tmp_path / "model.keras"
    hostile.pack(path, hostile.honest())
    monkeypatch.setattr(safe_loading, "MOST_BYTES", 1000)
    with pytest.raises(InputError, match="it unpacks to .* bytes, more than 1,000"):
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

"""Networks and answers do not depend on what the user's keras.json sets."""

import keras
import numpy as np
import pytest
from helpers import portraits

from fer_keras import FER, models
from fer_keras.backend import layers
from fer_keras.backend.keras_defaults import keras_defaults
from fer_keras.core.errors import InputError
from fer_keras.inference import prediction
from fer_keras.model_files import saving
from fer_keras.models.preprocessing import AUGMENTATIONS, preprocessing

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 48, 48, 1)).astype("uint8")
SMALL = {
    "nn": {"units": (8,)},
    "cnn": {"filters": (4, 6), "units": (8,), "repeats": 2, "residual": True},
    "vgg": {"filters": (4, 6), "repeats": (1, 2)},
    "resnet": {"filters": (4, 6), "blocks": (1, 1), "squeeze": 2, "block_dropout": 0.2, "average_pooling": True},
    "resnet_v1": {"filters": (4, 6), "blocks": (1, 1)},
}


@pytest.fixture
def channels_first():
    keras.config.set_image_data_format("channels_first")
    yield
    keras.config.set_image_data_format("channels_last")


def build(name):
    keras.utils.set_random_seed(0)
    flattens = name in ("nn", "cnn", "vgg")  # so their images cannot be smaller in training than at inference
    augmentation = tuple(a for a in AUGMENTATIONS if not (flattens and a == "train_crop_40"))
    steps = preprocessing(IMAGES, normalization=True, augmentation=augmentation, seed=0)
    return models.build(name, SMALL[name], steps)


def trained_once(name):
    """Return the weights after a step of training, which passes through every augmentation."""
    model = build(name)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.train_on_batch(IMAGES, np.arange(4))
    return [keras.ops.convert_to_numpy(v) for v in model.trainable_variables]


@pytest.mark.parametrize("name", SMALL)
def test_architectures_and_augmentations_are_the_same(name, channels_first):
    first = trained_once(name)
    keras.config.set_image_data_format("channels_last")
    for a, b in zip(first, trained_once(name), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_setting_is_the_users_again(channels_first):
    build("cnn")
    assert keras.config.image_data_format() == "channels_first"
    with pytest.raises(RuntimeError), keras_defaults():
        raise RuntimeError
    assert keras.config.image_data_format() == "channels_first"


def test_files_and_their_fast_copies_answer_the_same(tmp_path, channels_first):
    model = saving.publish(build("resnet"))
    saving.save(model, tmp_path / "a.keras")
    loaded = saving.load(tmp_path / "a.keras")
    keras.config.set_image_data_format("channels_last")
    expected = prediction.probabilities(saving.publish(build("resnet")), IMAGES)
    keras.config.set_image_data_format("channels_first")
    np.testing.assert_allclose(prediction.probabilities(model, IMAGES), expected, atol=1e-6)
    np.testing.assert_allclose(prediction.probabilities(loaded, IMAGES), expected, atol=1e-6)
    np.testing.assert_allclose(prediction.probabilities(layers.plain(model), IMAGES), expected, atol=1e-6)


def test_networks_of_another_size_are_fed_resized_images(channels_first):
    with keras_defaults():
        inputs = keras.Input((64, 80, 3))
        x = keras.layers.Rescaling([1 / 255] * 3)(inputs)
        x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(x))
        network = keras.Model(inputs, keras.layers.Dense(7, activation="softmax")(x))
    first = FER(network, detector="none").analyze(IMAGES[0])
    keras.config.set_image_data_format("channels_last")
    assert FER(network, detector="none").analyze(IMAGES[0])[0].probabilities == pytest.approx(
        first[0].probabilities, abs=1e-6
    )


def test_the_shipped_networks_and_mtcnn_answer_the_same(channels_first):
    portrait = portraits.portrait()
    first = FER("tiny", engine="keras").analyze(portrait)
    keras.config.set_image_data_format("channels_last")
    last = FER("tiny", engine="keras").analyze(portrait)
    assert [face.box for face in first] == [face.box for face in last] != []
    assert first[0].probabilities == pytest.approx(last[0].probabilities, abs=1e-6)


def test_another_precision_is_refused_before_any_work():
    keras.config.set_floatx("float16")
    try:
        for work in (lambda: build("cnn"), lambda: FER("tiny", engine="keras", detector="none")):
            with pytest.raises(InputError, match="floatx is float16, expected float32. Change it in ~/.keras"):
                work()
    finally:
        keras.config.set_floatx("float32")

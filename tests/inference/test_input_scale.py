"""The pixel values that networks expect: from their layers, given, never guessed."""

import keras
import numpy as np
import pytest

from fer_keras.core.errors import InputError
from fer_keras.inference import input_scale
from fer_keras.inference.prediction import probabilities

L = keras.layers
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 48, 48, 1)).astype("uint8")
RAW = IMAGES.astype("float32")


def network(*stack):
    return keras.Sequential([keras.Input((48, 48, 1)), *stack, L.Flatten(), L.Dense(7, "softmax")])


def normalization(mean, deviation):
    return L.Normalization(mean=mean, variance=deviation**2)


def batch_normalization(mean, deviation):
    layer = L.BatchNormalization()
    layer.build((None, 48, 48, 1))
    layer.set_weights([np.ones(1), np.zeros(1), np.full(1, mean), np.full(1, deviation**2)])
    return layer


@pytest.mark.parametrize(
    "stack, scale",
    [
        ([L.Rescaling(1 / 255)], "0-255"),
        ([L.Rescaling(1 / 127.5, offset=-1)], "0-255"),
        ([L.Rescaling(2.0, offset=-1)], "0-1"),
        ([L.Rescaling(255.0)], "0-1"),
        ([L.Rescaling(0.5, offset=0.5)], "-1-1"),
        ([L.Rescaling(1.0)], None),
        ([normalization(129, 65)], "0-255"),
        ([normalization(0.508, 0.255)], "0-1"),
        ([normalization(0.016, 0.51)], "-1-1"),
        ([normalization(0.0, 1.0)], None),  # as a layer is that was never adapted
        ([batch_normalization(129, 65)], "0-255"),
        ([batch_normalization(0.0, 1.0)], None),
        ([L.RandomFlip(), L.Rescaling(1 / 255)], "0-255"),
        ([L.Rescaling(1 / 255), normalization(0.5, 0.25)], "0-255"),
        ([keras.Sequential([L.Rescaling(1 / 255), L.Conv2D(2, 3)])], "0-255"),
        ([L.Conv2D(2, 3), L.Rescaling(1 / 255)], None),  # behind the first weights it says nothing of the images
        ([L.Conv2D(2, 3), L.BatchNormalization()], None),
        ([], None),
    ],
)
def test_scale_is_known_from_the_layers_before_the_first_weights(stack, scale):
    assert input_scale.known(network(*stack)) == scale


SCALED = {
    "0-255": RAW,
    "0-1": RAW / 255,
    "-1-1": RAW / 127.5 - 1,
    "standardized": (RAW - RAW.mean((1, 2, 3), keepdims=True)) / RAW.std((1, 2, 3), keepdims=True),
}


@pytest.mark.parametrize("scale", SCALED)
def test_network_is_fed_the_scale_that_is_given(scale):
    keras.utils.set_random_seed(0)
    model = network(L.Conv2D(2, 3))
    model.class_names = tuple("abcdefg")
    given = input_scale.with_scale(model, scale)
    assert input_scale.known(given) == "0-255" and given.class_names == tuple("abcdefg")
    expected = model.predict(SCALED[scale], verbose=0)
    np.testing.assert_allclose(probabilities(given, IMAGES), expected, atol=1e-5)


def test_given_scale_counts_more_than_the_layers():
    model = network(normalization(129, 65))
    expected = model.predict(RAW / 255, verbose=0)
    np.testing.assert_allclose(probabilities(input_scale.with_scale(model, "0-1"), IMAGES), expected, atol=1e-5)


def test_adapted_normalization_on_unit_images_is_fed_those():
    model = network(normalization(0.508, 0.255))
    expected = model.predict(RAW / 255, verbose=0)
    np.testing.assert_allclose(probabilities(model, IMAGES), expected, atol=1e-6)


def test_even_image_is_standardized_to_zero():
    even = np.full((1, 48, 48, 1), 7.0, "float32")
    found = keras.ops.convert_to_numpy(input_scale.scaled(keras.ops.convert_to_tensor(even), "standardized"))
    np.testing.assert_allclose(found, 0, atol=1e-3)


def test_unknown_scale_is_refused():
    with pytest.raises(
        InputError, match="Unknown input scale '0..1'. Expected one of: 0-1, 0-255, -1-1, standard"
    ):
        input_scale.with_scale(network(), "0..1")

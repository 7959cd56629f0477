import re

import keras
import numpy as np
import pytest

from fer_keras.core.errors import InputError
from fer_keras.models.preprocessing import preprocessing


def run(layers, images, training):
    x = images
    for layer in layers:
        x = layer(x, training=training) if layer.name == "flip" else layer(x)
    return keras.ops.convert_to_numpy(x)


def faces(n, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, 48, 48, 1)).astype("uint8")


def test_scaling_divides_by_255():
    images = np.zeros((1, 48, 48, 1), "uint8")
    images[0, 0, :3, 0] = 0, 51, 255
    layers = preprocessing(images, normalization=False, augmentation=(), seed=0)
    assert [layer.name for layer in layers] == ["rescaling"]
    outputs = run(layers, images, training=True)
    assert outputs.dtype == "float32"
    np.testing.assert_allclose(outputs[0, 0, :3, 0], [0, 0.2, 1], atol=1e-7)


def test_normalization_by_one_mean_and_deviation_worked_out_by_hand():
    images = np.full((2, 48, 48, 1), 50, "uint8")
    images[1] = 150  # mean 100, deviation 50
    (layer,) = preprocessing(images, normalization=True, augmentation=(), seed=0)
    assert layer.name == "normalization"
    pixels = np.array([0, 50, 100, 255], "uint8").reshape(1, 2, 2, 1)
    np.testing.assert_allclose(run([layer], pixels, training=False).ravel(), [-2, -1, 0, 3.1], atol=1e-6)


def test_training_images_get_mean_0_and_deviation_1():
    images = faces(20)
    outputs = run(preprocessing(images, normalization=True, augmentation=(), seed=0), images, training=True)
    assert abs(outputs.mean()) < 1e-4 and abs(outputs.std() - 1) < 1e-4


def test_flip_gives_image_or_mirror_in_training_and_the_image_at_inference():
    images = faces(40)
    layers = preprocessing(images, normalization=False, augmentation=("flip",), seed=3)
    assert [layer.name for layer in layers] == ["rescaling", "flip"]
    scaled = images / np.float32(255)
    mirrored = 0
    for image, output in zip(scaled, run(layers, images, training=True), strict=True):
        turned = not np.allclose(image, output, atol=1e-6)
        mirrored += turned
        if turned:
            np.testing.assert_allclose(output, image[:, ::-1], atol=1e-6)
    assert 8 <= mirrored <= 32  # outside with probability 2e-4
    np.testing.assert_allclose(run(layers, images, training=False), scaled, atol=1e-6)


def test_contrast_spreads_each_image_about_its_mean_in_training_only():
    images = faces(20)
    layers = preprocessing(images, normalization=True, augmentation=("contrast",), seed=3)
    plain = keras.ops.convert_to_numpy(layers[0](images))
    found = keras.ops.convert_to_numpy(layers[1](plain, training=True))
    np.testing.assert_allclose(found.mean(axis=(1, 2, 3)), plain.mean(axis=(1, 2, 3)), atol=1e-5)
    factors = found.std(axis=(1, 2, 3)) / plain.std(axis=(1, 2, 3))
    assert 0.5 <= factors.min() < 0.8 and 1.2 < factors.max() <= 1.5
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layers[1](plain, training=False)), plain)


def test_seed_decides_which_images_are_flipped():
    images = faces(40)

    def outputs(seed):
        return run(preprocessing(images, normalization=False, augmentation=("flip",), seed=seed), images, True)

    np.testing.assert_array_equal(outputs(3), outputs(3))
    assert (outputs(3) != outputs(4)).any()


def test_unknown_augmentation_is_told():
    with pytest.raises(
        InputError,
        match=re.escape(
            "Unknown augmentation 'spin'. Expected one of: flip, affine, affine_half, affine_strong, contrast,"
        ),
    ):
        preprocessing(faces(1), normalization=False, augmentation=("flip", "spin"), seed=0)


def test_images_all_alike_do_not_divide_by_zero():
    images = np.full((3, 48, 48, 1), 7, "uint8")
    outputs = run(preprocessing(images, normalization=True, augmentation=(), seed=0), images, training=False)
    np.testing.assert_array_equal(outputs, 0)

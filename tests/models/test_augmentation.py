"""Rotation, zoom and shift worked out by hand on small images."""

import keras
import numpy as np
import pytest
from keras import ops

from fer_keras.models.augmentation import Crop, RandomAffine, RandomFlip, SeedGenerator, resample
from fer_keras.models.preprocessing import AUGMENTATIONS

IMAGE = np.arange(16, dtype="float32").reshape(1, 4, 4, 1)


def moved(angle=0.0, scale=1.0, shift_x=0.0, shift_y=0.0):
    values = (ops.convert_to_tensor(np.array([value], "float32")) for value in (angle, scale, shift_x, shift_y))
    return ops.convert_to_numpy(resample(ops.convert_to_tensor(IMAGE), *values))[0, :, :, 0]


def test_nothing_to_do():
    np.testing.assert_allclose(moved(), IMAGE[0, :, :, 0], atol=1e-5)


def test_shift_by_one_pixel_shows_what_is_right_of_it_and_repeats_the_border():
    np.testing.assert_allclose(moved(shift_x=0.25)[0], [1, 2, 3, 3], atol=1e-5)
    np.testing.assert_allclose(moved(shift_y=0.25)[:, 0], [4, 8, 12, 12], atol=1e-5)


def test_half_a_turn():
    np.testing.assert_allclose(moved(angle=np.pi), IMAGE[0, ::-1, ::-1, 0], atol=1e-4)


def test_quarter_turn():
    np.testing.assert_allclose(moved(angle=np.pi / 2), np.rot90(IMAGE[0, :, :, 0]), atol=1e-4)


def test_zoom_shows_the_middle_larger():
    # Pixel centers at -1.5, -0.5, 0.5, 1.5 from the middle are read at half of that, in rows and in columns.
    np.testing.assert_allclose(moved(scale=0.5)[0], 4 * 0.75 + np.array([0.75, 1.25, 1.75, 2.25]), atol=1e-5)


def seeds(generator, count):
    return [[int(word) for word in ops.convert_to_numpy(generator.next())] for _ in range(count)]


def test_seeds_are_keras_own_whoever_writes_the_state():
    ours, own = SeedGenerator(5), keras.random.SeedGenerator(5)
    assert seeds(ours, 3) == seeds(own, 3) == [[5, 0], [5, 1], [5, 2]]
    for generator in ours, own:
        generator.state.assign([7, 40])
    assert seeds(ours, 2) == seeds(own, 2) == [[7, 40], [7, 41]]
    assert ops.convert_to_numpy(ours.state.value).tolist() == [7, 42]
    with keras.StatelessScope(state_mapping=[(ours.state, ops.convert_to_tensor([9, 0], dtype=ours.state.dtype))]):
        assert seeds(ours, 2) == [[9, 0], [9, 1]]
    assert seeds(ours, 1) == [[7, 42]]


def test_layers_of_keras_draw_the_same_by_our_seeds():
    images = np.random.default_rng(0).normal(size=(16, 4, 4, 1)).astype("float32")
    ours, own = RandomFlip("horizontal", seed=1), keras.layers.RandomFlip("horizontal", seed=1)
    assert type(ours.generator) is SeedGenerator
    for _ in range(3):
        flipped = ops.convert_to_numpy(ours(images, training=True))
        np.testing.assert_array_equal(flipped, ops.convert_to_numpy(own(images, training=True)))
        assert not np.array_equal(flipped, images)


def test_every_image_moves_differently_and_only_in_training():
    layer = RandomAffine(seed=3)
    images = np.repeat(np.random.default_rng(0).normal(size=(1, 8, 8, 1)).astype("float32"), 3, axis=0)
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(images, training=False)), images)
    first = ops.convert_to_numpy(layer(images, training=True))
    assert not np.allclose(first[0], first[1]) and first.shape == images.shape
    again = ops.convert_to_numpy(RandomAffine(seed=3)(images, training=True))
    np.testing.assert_array_equal(first, again)


def test_amounts_stay_within_the_limits():
    layer = RandomAffine(degrees=0, zoom=0, shift=0.25, seed=0)
    ramp = np.tile(np.arange(8, dtype="float32")[:, None, None], (64, 1, 8, 1))  # the row's number
    shifts = ops.convert_to_numpy(layer(ramp, training=True))[:, 4, 4, 0] - 4
    assert 1.5 < np.abs(shifts).max() <= 2.0 + 1e-5


def test_strong_moves_are_half_as_large_again_as_the_plain_ones():
    plain, strong = (AUGMENTATIONS[name](0).get_config() for name in ("affine", "affine_strong"))
    for amount, expected in (
        ("degrees", (10, 15)),
        ("zoom", (0.1, 0.15)),
        ("shift", (0.1, 0.15)),
        ("chance", (1, 1)),
    ):
        assert (plain[amount], strong[amount]) == expected


def test_computes_in_float32_whatever_the_policy():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        assert RandomAffine().compute_dtype == "float32"
    finally:
        keras.config.set_dtype_policy(before)


def test_half_the_images_are_shifted_and_others_are_turned():
    images = np.repeat(np.random.default_rng(0).normal(size=(1, 9, 9, 1)).astype("float32"), 200, axis=0)
    for options in ({"degrees": 0, "shift": 0.3}, {"degrees": 30, "shift": 0}):
        moves = ops.convert_to_numpy(RandomAffine(zoom=0, chance=0.5, seed=1, **options)(images, training=True))
        still = np.isclose(moves, images, atol=1e-5).all(axis=(1, 2, 3)).sum()
        assert 72 <= still <= 128  # outside with probability 6e-5


def test_crop_cuts_each_image_at_its_own_place_in_training():
    numbers = np.arange(8 * 8, dtype="float32").reshape(1, 8, 8, 1).repeat(300, axis=0)
    found = ops.convert_to_numpy(Crop(1, seed=2)(numbers, training=True))
    assert found.shape == (300, 6, 6, 1)
    corners = found[:, 0, 0, 0]
    assert set(corners) == {0, 1, 2, 8, 9, 10, 16, 17, 18}
    inside = 8 * np.arange(6)[:, None] + np.arange(6)
    np.testing.assert_array_equal(found[..., 0], corners[:, None, None] + inside)
    np.testing.assert_array_equal(found, ops.convert_to_numpy(Crop(1, seed=2)(numbers, training=True)))
    in_training = Crop(1, at_inference=False, seed=2)
    np.testing.assert_array_equal(found, ops.convert_to_numpy(in_training(numbers, training=True)))
    np.testing.assert_array_equal(numbers, ops.convert_to_numpy(in_training(numbers)))


def test_crop_cuts_evenly_at_inference_as_its_layer_of_keras_does():
    images = np.random.default_rng(0).normal(size=(3, 8, 8, 2)).astype("float32")
    crop = Crop(2, name="crop")
    np.testing.assert_array_equal(ops.convert_to_numpy(crop(images)), images[:, 2:6, 2:6])
    np.testing.assert_array_equal(ops.convert_to_numpy(crop.middle()(images)), images[:, 2:6, 2:6])
    assert crop.middle().name == "crop" and crop.compute_output_shape((None, 8, 8, 2)) == (None, 4, 4, 2)
    assert Crop.from_config(crop.get_config()).get_config() == crop.get_config()


@pytest.mark.parametrize("options", [{}, {"degrees": 5.0, "zoom": 0.2, "shift": 0.0, "chance": 0.5, "seed": 1}])
def test_config_makes_the_same_layer(options):
    config = RandomAffine(**options).get_config()
    assert RandomAffine.from_config(config).get_config() == config

"""Probabilities of models made elsewhere, against what comes of feeding them by hand."""

import keras
import numpy as np
import pytest
from PIL import Image

from fer_keras.core.errors import InputError
from fer_keras.inference import prediction
from fer_keras.inference.input_scale import with_scale
from fer_keras.inference.prediction import probabilities

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 48, 48, 1)).astype("uint8")
L = keras.layers


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def model(*stack, shape=(48, 48, 1), activation="softmax"):
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input(shape), *stack, L.Flatten(), L.Dense(7, activation=activation)])


def test_model_that_scales_itself_gets_values_to_255():
    scaling = model(L.Rescaling(1 / 255))
    np.testing.assert_allclose(
        probabilities(scaling, IMAGES), scaling.predict(IMAGES.astype("float32"), verbose=0), atol=1e-6
    )
    nested = model(keras.Sequential([L.Normalization(mean=127.0, variance=4096.0), L.Conv2D(2, 3)]))
    found = probabilities(nested, IMAGES)
    np.testing.assert_allclose(found, nested.predict(IMAGES.astype("float32"), verbose=0), atol=1e-6)
    assert found.dtype == "float32"


def test_model_of_an_unknown_scale_is_refused_until_it_is_given():
    plain = model(L.Conv2D(2, 3))
    with pytest.raises(
        InputError, match="do not show which pixel values it expects. Give them with --input-scale"
    ):
        probabilities(plain, IMAGES)
    expected = plain.predict(IMAGES.astype("float32") / 255, verbose=0)
    np.testing.assert_allclose(probabilities(with_scale(plain, "0-1"), IMAGES), expected, atol=1e-6)


def test_grey_is_repeated_over_three_channels():
    colour = model(L.Conv2D(2, 3), shape=(48, 48, 3))
    expected = colour.predict(np.repeat(IMAGES, 3, axis=3).astype("float32") / 255, verbose=0)
    np.testing.assert_allclose(probabilities(with_scale(colour, "0-1"), IMAGES), expected, atol=1e-6)


def test_images_are_resized_to_what_the_model_takes():
    larger = model(L.Rescaling(1 / 255), shape=(64, 60, 3))
    # Pillow's bilinear enlargement of the same image, worked out in float.
    resized = np.stack(
        [
            Image.fromarray(image[..., 0].astype("float32")).resize((60, 64), Image.Resampling.BILINEAR)
            for image in IMAGES
        ]
    )
    expected = larger.predict(np.repeat(resized[..., None], 3, axis=3), verbose=0)
    np.testing.assert_allclose(probabilities(larger, IMAGES), expected, atol=1e-4)


def test_model_of_any_size_gets_images_as_they_are():
    free = keras.Sequential(
        [keras.Input((None, None, 1)), L.Rescaling(1 / 255), L.GlobalAveragePooling2D(), L.Dense(7, "softmax")]
    )
    weights, bias = (keras.ops.convert_to_numpy(w) for w in free.layers[-1].weights)
    expected = softmax(IMAGES.mean(axis=(1, 2)) / 255 @ weights + bias)
    np.testing.assert_allclose(probabilities(free, IMAGES), expected, atol=1e-5)


def test_logits_become_probabilities():
    logits = model(L.Rescaling(1 / 16), activation=None)
    raw = logits.predict(IMAGES.astype("float32"), verbose=0)
    found = probabilities(logits, IMAGES)
    np.testing.assert_allclose(found, softmax(raw), atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


def test_flip_averages_image_and_mirror():
    plain = model(L.Rescaling(1 / 255))
    raw = IMAGES.astype("float32")
    expected = (plain.predict(raw, verbose=0) + plain.predict(raw[:, :, ::-1].copy(), verbose=0)) / 2
    np.testing.assert_allclose(probabilities(plain, IMAGES, tta="flip"), expected, atol=1e-6)
    turned = probabilities(plain, IMAGES[:, :, ::-1], tta="flip")
    np.testing.assert_allclose(turned, expected, atol=1e-6)


def test_an_ensemble_gives_the_mean():
    one, other = model(L.Rescaling(1 / 255)), model(L.Rescaling(1 / 128))
    expected = (probabilities(one, IMAGES, tta="flip") + probabilities(other, IMAGES, tta="flip")) / 2
    np.testing.assert_allclose(probabilities([one, other], IMAGES, tta="flip"), expected, atol=1e-7)


def test_ten_crops_average_the_logits_of_corners_and_middle_and_their_mirror_images():
    cutting = model(L.Cropping2D(4), L.Rescaling(1 / 255), activation=None)
    dense = cutting.layers[-1]
    scaled = IMAGES.astype("float32") / 255
    logits = []
    for view in (scaled, scaled[:, :, ::-1]):
        for top, left in ((4, 4), (0, 0), (0, 8), (8, 0), (8, 8)):
            logits.append(dense(view[:, top : top + 40, left : left + 40].reshape(len(IMAGES), -1)))
    expected = softmax(np.mean([keras.ops.convert_to_numpy(values) for values in logits], axis=0))
    np.testing.assert_allclose(probabilities(cutting, IMAGES, tta="ten-crop"), expected, atol=1e-5)


def test_ten_crops_without_a_border_to_cut_repeat_the_edges():
    whole = model(L.Rescaling(1 / 255), activation=None)
    scaled = np.pad(IMAGES.astype("float32"), ((0, 0), (1, 1), (1, 1), (0, 0)), "edge")
    logits = [
        whole.predict(np.ascontiguousarray(view[:, top : top + 48, left : left + 48]), verbose=0)
        for view in (scaled, scaled[:, :, ::-1])
        for top, left in ((1, 1), (0, 0), (0, 2), (2, 0), (2, 2))
    ]
    expected = softmax(np.mean(logits, axis=0))
    np.testing.assert_allclose(probabilities(whole, IMAGES, tta="ten-crop"), expected, atol=1e-5)


def test_batches_do_not_change_the_result(monkeypatch):
    plain = model(L.Rescaling(1 / 255), L.Conv2D(2, 3))
    whole = probabilities(plain, IMAGES)
    monkeypatch.setattr(prediction, "BATCH_SIZE", 2)
    np.testing.assert_allclose(probabilities(plain, IMAGES), whole, atol=1e-6)


def test_large_networks_get_small_batches():
    """Keras keeps the values of all layers until a batch is done: 1 GiB of them at most."""
    images = keras.Input((48, 48, 1))
    large = keras.layers.UpSampling2D(64)(images)  # 9,437,184 values of an image; with the others 9,439,502
    outputs = L.Dense(7, "softmax")(L.GlobalAveragePooling2D()(large))
    assert prediction.batch_size(keras.Model(images, outputs), 512) == 268_435_456 // 9_439_502 == 28
    assert prediction.batch_size(model(L.Rescaling(1 / 255)), 512) == 512


def test_batches_of_a_large_network(monkeypatch):
    plain = model(L.Rescaling(1 / 255))  # 2304 values rescaled, 2304 flattened, and 7
    whole, sizes = probabilities(plain, IMAGES), []
    monkeypatch.setattr(prediction, "BATCH_VALUES", 3 * (2 * 2304 + 7) - 1)
    predict = plain.predict_on_batch
    monkeypatch.setattr(plain, "predict_on_batch", lambda batch: sizes.append(len(batch)) or predict(batch))
    np.testing.assert_allclose(probabilities(plain, IMAGES), whole, atol=1e-6)
    assert sizes == [2, 2, 1]


@pytest.mark.parametrize("pack", [lambda x: x, lambda x: [x], lambda x: {"face": x}])
def test_input_may_be_a_tensor_a_list_or_a_dict(pack):
    inputs = keras.Input((48, 48, 1), name="face")
    packed = keras.Model(pack(inputs), L.Dense(7, "softmax")(L.Flatten()(L.Rescaling(1 / 255)(inputs))))
    expected = packed.predict(pack(IMAGES.astype("float32")), verbose=0)
    np.testing.assert_allclose(probabilities(packed, IMAGES), expected, atol=1e-6)


def test_output_may_be_a_list_of_one():
    inputs = keras.Input((48, 48, 1))
    listed = keras.Model(inputs, [L.Dense(7, "softmax")(L.Flatten()(L.Rescaling(1 / 255)(inputs)))])
    expected = listed.predict(IMAGES.astype("float32"), verbose=0)
    np.testing.assert_allclose(probabilities(listed, IMAGES), expected, atol=1e-6)


def test_read_only_images_are_taken(tmp_path):
    np.save(tmp_path / "images.npy", IMAGES)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    plain = model(L.Rescaling(1 / 255))
    np.testing.assert_array_equal(probabilities(plain, mapped), probabilities(plain, IMAGES))


def test_unknown_test_time_augmentation_is_refused():
    with pytest.raises(
        InputError, match="Unknown test-time augmentation 'mirror'. Expected one of: none, flip, t"
    ):
        probabilities(model(L.Rescaling(1 / 255)), IMAGES, tta="mirror")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(value):
    broken = model(L.Rescaling(1 / 255), activation=None)
    kernel, bias = broken.layers[-1].get_weights()
    bias[2] = value
    broken.layers[-1].set_weights([kernel, bias])
    with pytest.raises(InputError, match="gives NaN or infinite values"):
        probabilities(broken, IMAGES)


def test_independent_scores_are_refused():
    with pytest.raises(InputError, match="values that are not negative but do not sum to 1"):
        probabilities(model(L.Rescaling(1 / 255), activation="sigmoid"), IMAGES)

"""Blended labels and images worked out by hand."""

import numpy as np
import pytest

from fer_keras.training.mixup import mix, smooth

IMAGES = np.stack([np.full((4, 4, 1), value, "uint8") for value in (0, 100, 200)])
TARGETS = np.eye(3, dtype="float32")


class Drawn:
    """A generator that draws what the test says."""

    def __init__(self, *, share, coin=0.0, corner=0):
        self.share, self.coin, self.corner = share, coin, corner

    def permutation(self, count):
        return np.roll(np.arange(count), -1)

    def beta(self, a, b):
        return self.share

    def random(self):
        return self.coin

    def integers(self, limit):
        return min(self.corner, limit - 1)


def test_smoothing_spreads_a_share_over_all_classes():
    np.testing.assert_allclose(
        smooth(np.eye(4, dtype="float32")[[1, 0]], 0.2), [[0.05, 0.85, 0.05, 0.05], [0.85, 0.05, 0.05, 0.05]]
    )
    np.testing.assert_array_equal(smooth(np.array([[0.0, 0.25, 0.75]]), 0.0), [[0, 0.25, 0.75]])


def test_without_options_nothing_changes():
    images, targets = mix(IMAGES, TARGETS, None)
    assert images is IMAGES and targets is TARGETS


def test_mixup_blends_images_and_targets_alike():
    images, targets = mix(IMAGES, TARGETS, Drawn(share=0.75), mixup=0.2)
    np.testing.assert_allclose(images[:, 0, 0, 0], [25, 125, 150])
    np.testing.assert_allclose(targets, [[0.75, 0.25, 0], [0, 0.75, 0.25], [0.25, 0, 0.75]])


def test_cutmix_pastes_a_rectangle_and_shares_by_its_area():
    images, targets = mix(IMAGES, TARGETS, Drawn(share=0.75, corner=1), cutmix=1.0)  # a quarter of the area: 2 x 2
    expected = np.zeros((4, 4))
    expected[1:3, 1:3] = 100
    np.testing.assert_array_equal(images[0, :, :, 0], expected)
    np.testing.assert_allclose(targets[0], [0.75, 0.25, 0])
    assert IMAGES[0].max() == 0, "the training images themselves stay"


@pytest.mark.parametrize("coin, blended", [(0.9, 50.0), (0.1, 100.0)])
def test_with_both_a_coin_decides(coin, blended):
    images, _ = mix(IMAGES, TARGETS, Drawn(share=0.5, coin=coin), mixup=1.0, cutmix=1.0)
    assert images[0, 0, 0, 0] == blended


def test_targets_sum_to_one_and_the_generator_decides():
    draws = [mix(IMAGES, TARGETS, np.random.default_rng(seed), mixup=0.4, cutmix=1.0) for seed in (1, 1, 2)]
    for _, targets in draws:
        np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(draws[0][0], draws[1][0])
    assert not np.array_equal(draws[0][1], draws[2][1])

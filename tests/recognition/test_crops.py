"""What the classifier sees of a photograph."""

import numpy as np
import pytest
from helpers.portraits import plain

from fer_keras.recognition.crops import crop


def steps(width=96, height=96):
    """A picture whose red, green and blue are the column's number, so that grey is."""
    return np.broadcast_to(np.arange(width, dtype=np.uint8)[None, :, None], (height, width, 3))


def test_a_face_of_fer_2013_stays_as_it_is():
    face = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
    np.testing.assert_array_equal(crop(np.repeat(face[..., None], 3, 2), (0, 0, 48, 48))[..., 0], face)


def test_the_box_is_cut_where_it_lies():
    np.testing.assert_array_equal(crop(steps(), (20, 30, 48, 48))[..., 0], steps()[:48, 20:68, 0])


def test_a_margin_shows_more_and_less():
    wide = crop(steps(), (24, 24, 48, 48), 0.5)  # columns 12 to 84
    assert wide[0, 0, 0] == pytest.approx(12.25, abs=1) and wide[0, 47, 0] == pytest.approx(83, abs=1)
    close = crop(steps(), (24, 24, 48, 48), -0.5)  # columns 36 to 60
    assert close[0, 0, 0] == pytest.approx(36, abs=1) and close[0, 47, 0] == pytest.approx(59.5, abs=1)


def test_a_narrow_box_is_widened_about_its_middle():
    np.testing.assert_array_equal(crop(steps(), (40, 0, 16, 48))[0, :, 0], np.arange(24, 72))


def test_beyond_the_image_its_edge_is_repeated():
    np.testing.assert_array_equal(crop(steps(), (-10, -10, 48, 48))[0, :, 0], np.clip(np.arange(-10, 38), 0, 95))
    assert crop(plain(7, 1, 1), (0, 0, 1, 1)).tolist() == np.full((48, 48, 1), 7).tolist()


def test_grey_weighs_the_colours():
    red, green, blue = (np.zeros((48, 48, 3), np.uint8) for _ in range(3))
    red[..., 0], green[..., 1], blue[..., 2] = 255, 255, 255
    greys = [crop(picture, (0, 0, 48, 48))[0, 0, 0] for picture in (red, green, blue)]
    assert greys == [76, 150, 29]  # 0.299, 0.587, 0.114 of 255

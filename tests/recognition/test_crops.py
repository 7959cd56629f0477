"""What the classifier sees of a photograph."""

import numpy as np
import pytest
from helpers.portraits import plain
from PIL import Image

from fer_keras.recognition.boxes import Landmarks, Point
from fer_keras.recognition.crops import crop, roll


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


def test_a_turned_face_is_turned_back():
    upright = np.full((200, 200, 3), 100, np.uint8)
    upright[40:160, 90:110] = 250  # a bar, upright
    expected = crop(upright, (52, 52, 96, 96)).astype(int)
    for angle in (-30, 10, 45, 90, 180):
        turned = np.asarray(Image.fromarray(upright).rotate(-angle, Image.Resampling.BICUBIC))  # clockwise
        found = crop(turned, (52, 52, 96, 96), angle=angle).astype(int)
        assert np.abs(found - expected).mean() < 4, angle
    assert np.abs(crop(turned, (52, 52, 96, 96), angle=40) - expected).mean() > 20


def test_a_turned_crop_has_the_same_size_and_middle():
    picture = steps(200, 200)
    found = crop(picture, (52, 52, 96, 96), angle=1e-3)[..., 0].astype(int)
    np.testing.assert_allclose(found, crop(picture, (52, 52, 96, 96))[..., 0], atol=1)
    assert crop(plain(7, 1, 1), (0, 0, 1, 1), angle=30).tolist() == np.full((48, 48, 1), 7).tolist()


def test_roll_is_that_of_the_line_through_the_eyes():
    def face(*right):
        return Landmarks(Point(10, 10), Point(*right), *[Point(0, 0)] * 3)

    assert roll(None) == roll(face(20, 10)) == 0
    assert roll(face(20, 20)) == pytest.approx(45) and roll(face(20, 0)) == pytest.approx(-45)
    assert abs(roll(face(0, 10))) == pytest.approx(180)

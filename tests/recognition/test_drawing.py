"""Boxes, labels, bars, colors, saliency maps."""

import os

import numpy as np
import pytest
from helpers.portraits import BOX, brightness, plain, portrait
from PIL import Image

from fer_keras.data import EMOTIONS
from fer_keras.recognition import FER, drawing, timelines
from fer_keras.recognition.faces import Face


def face(box, probabilities, track=None):
    return Face(box, 1.0, probabilities, np.zeros((48, 48, 1), np.uint8), track)


def test_boxes_and_bars_are_drawn_and_the_photograph_is_left_alone():
    before = portrait()
    (found,) = FER(brightness).analyze(before)
    image = drawing.annotate(before, [found])
    after = np.asarray(image)
    np.testing.assert_array_equal(before, portrait())
    x, y, width, height = BOX
    color = tuple(int(drawing.COLORS[found.emotion][i : i + 2], 16) for i in (1, 3, 5))
    assert tuple(after[y + height // 2, x]) == color and tuple(after[y + height, x + 5]) == color
    np.testing.assert_array_equal(after[300:], before[300:])
    assert (after != before).any(axis=2)[y : y + height, x - 120 : x - 15].mean() > 0.9  # bars
    assert drawing.annotate(before, []).tobytes() == before.tobytes()


@pytest.mark.parametrize("size", [(1, 1), (20, 300), (300, 20)])
def test_any_size_can_be_drawn_on(size):
    fer = FER(brightness, detector="none")
    picture = plain(90, *size)
    assert drawing.annotate(picture, fer.analyze(picture)).size == size


def test_labels_have_the_number_in_reading_order_or_the_track():
    happy = {"happy": 0.87, "sad": 0.13}
    assert drawing.labels([face((0, 0, 9, 9), happy)]) == [["happy 87 %", "happy"]]
    two = [face((50, 0, 9, 9), happy), face((0, 0, 9, 9), happy)]
    assert [options[0] for options in drawing.labels(two)] == ["2: happy 87 %", "1: happy 87 %"]
    assert drawing.labels([face((0, 0, 9, 9), happy, track=7)]) == [["7: happy 87 %", "7: happy", "7"]]


def test_classes_of_any_names_have_colors_of_their_own():
    names = [f"class {i}" for i in range(50)]
    found = drawing.colors(["happy", *names])
    assert found["happy"] == drawing.COLORS["happy"] and list(found) == ["happy", *names]
    assert len(set(found.values())) == 51
    assert drawing.ink("#332288") == "white" and drawing.ink("#F0E442") == "black"
    assert drawing.colors(EMOTIONS) == drawing.COLORS


@pytest.mark.parametrize(
    "names", [("a",), ("\u559c", "\u6012"), [f"a rather long name of class {i}" for i in range(50)]]
)
def test_classes_of_any_names_are_drawn(names, tmp_path):
    probabilities = dict.fromkeys(names, 1 / len(names))
    found = face((100, 100, 90, 90), probabilities, track=1)
    before = plain(200, 640, 480)
    assert (np.asarray(drawing.annotate(before, [found])) != before).any()
    assert drawing.saliency_map(found, np.zeros((48, 48))).size[1] == 288 + 2 * 20 + 10
    assert drawing.bars_size(probabilities, 10)[1] <= 10 * 1.25 * 8 + 5
    timelines.write(timelines.timeline("clip.mp4", [(0.0, found), (1.0, found)]), tmp_path / "timeline.png")
    assert (tmp_path / "timeline.png").is_file()


@pytest.mark.parametrize("name", ["100$_$x.mp4", "$x^$.mp4", "\u6f22.mp4", os.fsdecode(b"\xe9.mp4"), "_\n.mp4"])
def test_timelines_take_any_names(tmp_path, name):
    found = face((0, 0, 9, 9), {"$_$": 0.5, "_b": 0.5}, track=1)
    timelines.write(timelines.timeline(name, [(0.0, found)]), tmp_path / "timeline.png")
    with Image.open(tmp_path / "timeline.png") as image:
        assert image.text == {"Comment": "drawn by fer-keras"}


def test_a_timeline_shows_the_likeliest_classes_in_their_order():
    values = [{"a": 0.0, **{f"c{i}": i / 100 for i in range(10)}}]
    assert timelines.likeliest_classes(values) == [f"c{i}" for i in range(2, 10)]
    assert timelines.likeliest_classes([]) == []


def test_a_saliency_map_shows_orange_where_it_mattered_and_blue_against():
    (found,) = FER(brightness, detector="none").analyze(plain(100))
    heat = np.zeros((48, 48), np.float32)
    heat[:24], heat[24:] = 0.5, -0.5
    grey = np.repeat(found.crop, 3, axis=2)
    tinted = drawing.tinted(grey, heat)
    assert tinted[0, 0].tolist() == [191, 93, 30]  # 100 + 0.7 * (orange - 100)
    assert tinted[47, 0].tolist() == [30, 93, 170]
    np.testing.assert_array_equal(drawing.tinted(grey, 0 * heat), grey)

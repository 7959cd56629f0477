"""What a detector may return, and which boxes stay."""

import numpy as np
import pytest

from fer_keras.core.errors import InputError
from fer_keras.recognition.boxes import Box, Landmarks, Point, best, checked, visible

SHAPE = (100, 150, 3)
POINTS = [(1, 2), (3, 4), (5, 6), (7, 8), (9, 10)]


@pytest.mark.parametrize(
    "found",
    [
        [(10, 20, 30, 40)],
        ([10, 20, 30, 40, None],),
        [np.array([10, 20, 30, 40])],
        np.array([[10.2, 19.8, 30.4, 40]], np.float32),
        [Box(10, 20, 30, 40)],
        ((10, 20, 30, 40, None, None) for _ in range(1)),
        [tuple(map(np.int64, (10, 20, 30, 40)))],
    ],
)
def test_rows_of_any_kind_become_boxes(found):
    (box,) = checked(found, SHAPE)
    assert box == Box(10, 20, 30, 40, None, None)
    assert [type(value) for value in box[:4]] == [int] * 4


@pytest.mark.parametrize("found", [None, [], (), np.zeros((0, 4))])
def test_no_face_is_an_empty_list(found):
    assert checked(found, SHAPE) == []


def test_scores_and_landmarks_are_kept():
    (box,) = checked([(10, 20, 30, 40, np.float32(0.5), np.array(POINTS))], SHAPE)
    assert box.score == 0.5 and type(box.score) is float
    assert box.landmarks == Landmarks(*(Point(float(x), float(y)) for x, y in POINTS))
    assert type(box.landmarks.nose.x) is float


def test_the_largest_comes_first_and_boxes_end_with_the_image():
    found = [(0, 0, 10, 10, 1), (140, 90, 40, 40, 2), (-5, -5, 20, 20, 3), (50, 0, 10, 10, 4)]
    expected = [(0, 0, 15, 15, 3), (0, 0, 10, 10, 1), (140, 90, 10, 10, 2), (50, 0, 10, 10, 4)]
    assert [box[:5] for box in checked(found, SHAPE)] == expected


@pytest.mark.parametrize(
    "row",
    [
        (10, 20, 0, 40),
        (10, 20, 30, -1),
        (10, 20, 0.4, 40),
        (150, 20, 30, 40),
        (10, 100, 30, 40),
        (-30, 20, 30, 40),
        (10, -40, 30, 40),
    ],
)
def test_boxes_without_a_pixel_of_the_image_are_refused(row):
    with pytest.raises(InputError, match="without a pixel of the image, which has 150 x 100 pixels: x, y, width"):
        checked([(0, 0, 9, 9), row], SHAPE)


@pytest.mark.parametrize(
    "found",
    [
        5,
        "face",
        [7],
        (10, 20, 30, 40),
        [(10, 20, 30)],
        [(10, 20, 30, 40, 1, None, 2)],
        [(10, 20, 30, "x")],
        [(10, 20, 30, None)],
        [(10, 20, float("nan"), 40)],
        [(10, 20, float("inf"), 40)],
        [(10, 20, 30, 40, "sure")],
        [(10, 20, 30, 40, 1, POINTS[:4])],
        [(10, 20, 30, 40, 1, 3)],
        {"box": (10, 20, 30, 40)},
    ],
)
def test_other_answers_are_refused(found):
    with pytest.raises(InputError, match="A detector must return one row for each face: x, y, width, height"):
        checked(found, SHAPE)


@pytest.mark.parametrize(
    "more", [(np.nan,), (np.inf,), (1, [(np.nan, 2), *POINTS[1:]]), (None, [*POINTS[:4], (0, np.inf)])]
)
def test_scores_and_landmarks_that_are_no_numbers_are_refused(more):
    with pytest.raises(InputError, match="score and landmarks must be finite"):
        checked([(10, 20, 30, 40, *more)], SHAPE)


def test_of_overlapping_boxes_the_best_stays():
    corners = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [0, 5, 10, 15], [2, 2, 6, 6]])
    scores = np.array([0.8, 0.9, 0.7, 0.6])
    # The first shares 90/100 with the second, the third 40/150, the fourth 16/90.
    assert best(corners, scores, 0.5).tolist() == [1, 2, 3]
    assert best(corners, scores, 0.2).tolist() == [1, 3]
    assert best(corners, scores, 0.95).tolist() == [1, 0, 2, 3]
    assert best(corners, scores, 0.5, of_smaller=True).tolist() == [1, 2]  # the fourth lies in the second
    assert best(np.zeros((0, 4)), np.zeros(0), 0.5).tolist() == []


def test_visible_boxes_have_a_pixel_of_the_image():
    assert visible([-5, -5, 1, 1], SHAPE) and visible([149, 99, 200, 200], SHAPE)
    assert not visible([-5, 5, 0, 10], SHAPE)
    assert not visible([150, 5, 160, 10], SHAPE)
    assert not visible([5, 100, 9, 110], SHAPE)
    assert not visible([5, 5, 5.4, 9], SHAPE)

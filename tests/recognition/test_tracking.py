"""Faces followed from frame to frame."""

import math

import pytest
from helpers.portraits import brightness, plain

from fer_keras.recognition import FER
from fer_keras.recognition.detection import Box
from fer_keras.recognition.fer import Face
from fer_keras.recognition.tracking import MEMORY, Tracks, overlap


def face(x, happy=0.5):
    probabilities = dict.fromkeys(("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"), 0.0)
    return Face((x, 0, 10, 10), 1.0, probabilities | {"happy": happy, "neutral": 1 - happy}, None)


def numbers(faces):
    return [face.track for face in faces]


def test_overlap_is_intersection_over_union():
    assert overlap((0, 0, 10, 10), (0, 0, 10, 10)) == 1
    assert overlap((0, 0, 10, 10), (5, 0, 10, 10)) == pytest.approx(50 / 150)
    assert overlap((0, 0, 10, 10), (10, 0, 10, 10)) == overlap((0, 0, 10, 10), (20, 20, 5, 5)) == 0
    assert overlap((0, 0, 10, 10), (2, 2, 5, 5)) == pytest.approx(0.25)


def test_faces_keep_their_numbers_in_any_order():
    tracks = Tracks()
    assert numbers(tracks.update(0.0, [face(0), face(50)])) == [1, 2]
    assert numbers(tracks.update(0.1, [face(52), face(1)])) == [2, 1]
    assert numbers(tracks.update(0.2, [face(54), face(100)])) == [2, 3]


def test_each_track_takes_its_best_face_only():
    tracks = Tracks()
    tracks.update(0.0, [face(0)])
    assert numbers(tracks.update(0.1, [face(3), face(1)])) == [2, 1]


def test_a_face_out_of_sight_comes_back_within_a_second():
    tracks = Tracks()
    tracks.update(0.0, [face(0)])
    assert tracks.update(0.5, []) == []
    assert numbers(tracks.update(1.0, [face(0)])) == [1]
    assert numbers(tracks.update(2.5, [face(0)])) == [2]


def test_probabilities_forget_by_time():
    tracks = Tracks()
    assert tracks.update(0.0, [face(0, 1.0)])[0].probabilities["happy"] == 1
    (second,) = tracks.update(MEMORY, [face(0, 0.0)])
    assert second.probabilities["happy"] == pytest.approx(1 / math.e)
    assert second.probabilities["neutral"] == pytest.approx(1 - 1 / math.e)
    tracks = Tracks()  # the same in two steps as in one
    for time in (0.0, MEMORY / 2, MEMORY):
        (last,) = tracks.update(time, [face(0, float(time == 0))])
    assert last.probabilities["happy"] == pytest.approx(1 / math.e)


def test_frames_are_classified_together_and_come_in_order():
    sizes = []

    def counting(crops):
        sizes.append(len(crops))
        return brightness(crops)

    fer = FER(counting, detector=lambda rgb: [Box(0, 0, 48, 48, 1.0)] if rgb.max() > 9 else [])
    pictures = [(i / 10, plain(10 * i)) for i in range(5)]
    frames = list(fer.follow(pictures, batch_size=3))
    assert [frame.time for frame in frames] == [0.0, 0.1, 0.2, 0.3, 0.4]
    assert [numbers(frame.faces) for frame in frames] == [[], [1], [1], [1], [1]]
    assert sizes == [2, 2]
    happy = [frame.faces[0].probabilities["happy"] for frame in frames[1:]]
    assert happy == sorted(happy) and happy[-1] < 40 / 255

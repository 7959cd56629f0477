"""Faces tracked from frame to frame."""

import math

import pytest
from helpers.portraits import brightness, plain

from fer_keras.core.errors import InputError
from fer_keras.recognition import FER
from fer_keras.recognition.detection import Box
from fer_keras.recognition.faces import Face
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


def seen(times, absent=()):
    """Return the number of the track of one still face at each of `times` but the `absent` ones."""
    tracks = Tracks()
    updates = [tracks.update(time, [] if time in absent else [face(0)]) for time in times]
    return [faces[0].track for faces in updates if faces]


def test_a_face_out_of_sight_comes_back_within_a_second():
    assert seen([0.0, 0.5, 1.0, 2.5], absent=[0.5]) == [1, 1, 1]
    tenths = [i / 10 for i in range(40)]
    assert set(seen(tenths, absent=tenths[10:19])) == {1}
    assert seen(tenths, absent=tenths[10:21]) == [1] * 10 + [2] * 19


@pytest.mark.parametrize("every", [0.04, 0.2, 1, 2, 60, 3600])
def test_a_still_face_is_one_track_however_rare_the_frames(every):
    assert seen([i * every for i in range(10)]) == [1] * 10


def test_a_face_may_be_missed_in_two_frames_however_rare():
    assert seen([0, 10, 20, 30], absent=[10, 20]) == [1, 1]
    assert seen([0, 10, 20, 30, 40], absent=[10, 20, 30]) == [1, 2]


@pytest.mark.parametrize("times", [(0.0, 0.0), (1.0, 0.5), (0.0, math.nan)])
def test_times_that_do_not_rise_are_refused(times):
    tracks = Tracks()
    tracks.update(times[0], [face(0)])
    with pytest.raises(InputError, match=f"must rise. Received {times[1]} s after {times[0]} s"):
        tracks.update(times[1], [face(0)])


def test_probabilities_of_any_classes_are_smoothed():
    tracks = Tracks()
    before, after = (Face((0, 0, 9, 9), 1.0, {"calm": p, "tense": 1 - p}, None) for p in (1.0, 0.0))
    tracks.update(0, [before])
    (found,) = tracks.update(MEMORY, [after])
    assert found.probabilities == pytest.approx({"calm": 1 / math.e, "tense": 1 - 1 / math.e})


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

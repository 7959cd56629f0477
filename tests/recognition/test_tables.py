"""Faces as rows, CSV and text."""

import os

import pytest
from helpers.portraits import brightness, plain

from fer_keras.data import EMOTIONS
from fer_keras.recognition import FER, tables
from fer_keras.recognition.boxes import Landmarks, Point
from fer_keras.recognition.faces import Face, Frame, Result

CALM = {"calm": 0.25, "tense": 0.75}
POINTS = Landmarks(*(Point(i, i + 0.5) for i in range(5)))


def face(x=0, probabilities=CALM, track=None, landmarks=None):
    return Face((x, 0, 10, 10), 0.5, probabilities, None, track, landmarks)


def test_columns_are_named_after_the_classes():
    table = tables.table({"a.png": [face(50), face(10)], "b.png": []})
    assert list(table.columns) == [*tables.FIXED, "calm", "tense", *tables.POINTS]
    assert table["number"].tolist() == [2, 1] and table["x"].tolist() == [50, 10]
    assert table["emotion"].tolist() == ["tense", "tense"] and table["calm"].tolist() == [0.25, 0.25]


def test_a_table_without_faces_has_the_columns_of_fer2013():
    assert list(tables.table({"a.png": []}).columns) == [*tables.FIXED, *EMOTIONS, *tables.POINTS]


def test_classes_named_like_another_column_keep_their_probabilities():
    classes = {"time": 0.1, "X": 0.2, "class_time": 0.3, "abstains": 0.1, "nose_x": 0.3}
    columns = ["class_class_time", "class_X", "class_time", "class_abstains", "class_nose_x"]
    table = tables.table({"a.png": [face(7, classes)]})
    assert list(table.columns) == [*tables.FIXED, *columns, *tables.POINTS]
    assert table[columns].values.tolist() == [[0.1, 0.2, 0.3, 0.1, 0.3]]
    assert table["x"].tolist() == [7] and table["time"].isna().all()
    assert tables.as_csv([], tuple(classes)) == ",".join(table.columns) + "\n"
    row = tables.as_csv([Result("a.png", faces=[face(7, classes)])]).splitlines()[1]
    assert row == "a.png,,,1,7,0,10,10,0.5,class_time,0.1,0.2,0.3,0.1,0.3,,,,,,,,,,"


def test_frames_have_times_and_tracks():
    table = tables.table({"clip.mp4": iter([Frame(0.0, [], None), Frame(0.5, [face(track=3)], None)])})
    assert table[["time", "track"]].values.tolist() == [[0.5, 3]] and table["number"].isna().all()


@pytest.mark.parametrize("name", [os.fsdecode(b"latin\xe9.png"), "\ud800.png"])
def test_a_table_takes_names_that_are_not_utf8(name):
    text = tables.table({name: [face()]}).to_csv()
    assert ("latin\\udce9.png" in text or "\\ud800.png" in text) and text.encode()


def test_csv_is_that_of_the_table():
    results = [
        Result("a,b.png", faces=[face(50), face(10, landmarks=POINTS)]),
        Result("bad.png", error="no"),
        Result("clip.mp4", frames=[Frame(0.5, [face(track=3)], None)], error="cut short"),
    ]
    assert tables.as_csv(results) == (
        "image,time,track,number,x,y,width,height,score,emotion,calm,tense,left_eye_x,left_eye_y,right_eye_x,"
        "right_eye_y,nose_x,nose_y,mouth_left_x,mouth_left_y,mouth_right_x,mouth_right_y\n"
        '"a,b.png",,,2,50,0,10,10,0.5,tense,0.25,0.75,,,,,,,,,,\n'
        '"a,b.png",,,1,10,0,10,10,0.5,tense,0.25,0.75,0,0.5,1,1.5,2,2.5,3,3.5,4,4.5\n'
        "clip.mp4,0.5,3,,0,0,10,10,0.5,tense,0.25,0.75,,,,,,,,,,\n"
    )


def test_text_lines_up():
    fer = FER(brightness, detector="none")
    results = [Result("a.png", fer.analyze(plain(51))), Result("longer.png", [], min_face=40)]
    bad = Result("bad.png", error="no")
    assert tables.as_text([*results, bad]) == (
        "a.png       64x48 at 0,0                  neutral 80.0 %, happy 20.0 %, angry 0.0 %\n"
        "longer.png  no face of 40 pixels or more\n"
    )
    assert tables.as_text([Result("a.png", [])]) == "a.png  no face\n"
    assert tables.as_text([bad]) == ""


def test_text_of_a_video_shows_the_commonest_answer_of_each_track():
    def seen(names, abstains, time):
        return Frame(time, [Face((0, 0, 10, 10), 0.5, CALM, None, 1, None, names, abstains)], None)

    both, one = ("tense", "calm"), ("tense",)
    clip = Result("a.mp4", frames=[seen(one, None, 0.0), seen(both, None, 0.5), seen(both, None, 1.0)])
    mean = "tense 75.0 %, calm 25.0 % (mean of 3 frames)"
    assert tables.as_text([clip]) == f"a.mp4  face 1, 0.0-1.0 s  tense or calm in 2 of 3 frames: {mean}\n"
    unsure = Result("a.mp4", frames=[seen(None, True, 0.0)])
    assert tables.as_text([unsure]).endswith("unsure in 1 of 1 frames: tense 75.0 %, calm 25.0 % (1 frame)\n")


def test_faces_of_a_group_are_numbered_from_left_to_right():
    text = tables.as_text([Result("a.png", [face(50), face(10)])])
    assert text == (
        "a.png  face 1, 10x10 at 10,0  tense 75.0 %, calm 25.0 %\n"
        "a.png  face 2, 10x10 at 50,0  tense 75.0 %, calm 25.0 %\n"
    )

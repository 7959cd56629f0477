"""Many files: what is found in folders, what each gives, the pictures drawn."""

import json

import numpy as np
import pytest
from helpers.portraits import BOX, PORTRAIT, brightness, plain, portrait, write_video
from PIL import Image

from fer_keras.recognition import FER, batches, drawing, inputs, tables
from fer_keras.recognition.detection import Box


@pytest.fixture
def album(tmp_path):
    (tmp_path / "album" / "sub").mkdir(parents=True)
    for name, value in [("b.png", 51), ("a.JPG", 102), ("sub/a.png", 204)]:
        Image.fromarray(plain(value)).save(tmp_path / "album" / name)
    (tmp_path / "album" / "notes.txt").write_text("no picture")
    return tmp_path / "album"


def short(results):
    return [(r.path.rpartition("/")[2], r.faces and round(r.faces[0].probabilities["happy"], 2)) for r in results]


def test_one_bad_file_does_not_stop_the_others(album):
    (album / "bad.png").write_bytes(b"rubbish")
    (album / "bad.mp4").write_bytes(b"rubbish")
    moved = []
    fer = FER(brightness, detector="none")
    files = [*inputs.expand([album]).files, str(album / "gone.jpg")]
    results = list(batches.analyze(fer, files, advance=moved.append))
    assert short(results) == [
        *[("a.JPG", 0.4), ("b.png", 0.2), ("bad.mp4", None), ("bad.png", None), ("a.png", 0.8), ("gone.jpg", None)]
    ]
    assert [bool(r.error) for r in results] == [False, False, True, True, False, True]
    assert moved == [1] * 6
    assert "gone.jpg cannot be opened" in results[-1].as_dict()["error"]


def test_standard_input_is_a_picture():
    (result,) = batches.analyze(FER(brightness), ["-"], stdin=PORTRAIT.read_bytes())
    assert result.path == "-" and result.faces[0].box == BOX
    assert json.loads(json.dumps(result.as_dict()))["faces"][0]["box"] == list(BOX)


def test_pictures_are_drawn_under_names_of_their_own(album, tmp_path):
    fer = FER(brightness, detector="none")
    drawn, why = tmp_path / "drawn", tmp_path / "why"
    assert len(list(batches.analyze(fer, inputs.expand([album]).files, annotate=drawn, saliency=why))) == 3
    assert sorted(p.name for p in drawn.iterdir()) == ["a-2.png", "a.png", "b.png"]
    assert sorted(p.name for p in why.iterdir()) == ["a-2_face1.png", "a_face1.png", "b_face1.png"]
    with Image.open(drawn / "b.png") as image:
        assert image.size == (64, 48)


def test_a_video_has_frames_a_drawn_copy_and_a_timeline(tmp_path):
    clip = write_video(tmp_path / "clip.avi", [plain(0), plain(0), plain(102), plain(204)], rate=10)
    fer = FER(brightness, detector=lambda rgb: [Box(0, 0, 48, 48, 1.0)] if rgb.max() > 50 else [])
    moved = []
    (result,) = batches.analyze(fer, [str(clip)], every=0, annotate=tmp_path / "drawn", advance=moved.append)
    assert moved == pytest.approx([0, 0.25, 0.25, 0.25, 0.25])
    assert [round(frame.time, 3) for frame in result.frames] == [0, 0.1, 0.2, 0.3]
    assert all(frame.image is None for frame in result.frames)
    told = json.loads(json.dumps(result.as_dict()))["frames"]
    assert [len(frame["faces"]) for frame in told] == [0, 0, 1, 1]
    assert told[2]["faces"][0]["track"] == 1
    assert sorted(p.name for p in (tmp_path / "drawn").iterdir()) == ["clip.mp4", "clip_timeline.png"]
    assert tables.text([result]) == (
        f"{clip}  face 1, 0.2-0.3 s  neutral  mean of 2 frames: neutral 56.4 %, happy 43.6 %, angry 0.0 %\n"
    )  # steadied: 0.4, then 0.4 + (1 - exp(-0.1 / 0.5)) * 0.4 = 0.4725


def test_the_table_lines_up():
    fer = FER(brightness, detector="none")
    results = [batches.Result("a.png", fer.analyze(plain(51))), batches.Result("longer.png", [])]
    bad = batches.Result("bad.png", error="no")
    assert tables.text([*results, bad]) == (
        "a.png       64x48 at 0,0  neutral  neutral 80.0 %, happy 20.0 %, angry 0.0 %\nlonger.png  no face\n"
    )
    assert tables.text([bad]) == ""


def test_boxes_and_bars_are_drawn_and_the_photograph_is_left_alone():
    before = portrait()
    (face,) = FER(brightness).analyze(before)
    image = drawing.annotate(before, [face])
    after = np.asarray(image)
    np.testing.assert_array_equal(before, portrait())
    x, y, width, height = BOX
    color = tuple(int(drawing.COLORS[face.emotion][i : i + 2], 16) for i in (1, 3, 5))
    assert tuple(after[y + height // 2, x]) == color and tuple(after[y + height, x + 5]) == color
    np.testing.assert_array_equal(after[300:], before[300:])
    assert drawing.annotate(before, []).tobytes() == before.tobytes()


@pytest.mark.parametrize("size", [(1, 1), (20, 300), (300, 20)])
def test_any_size_can_be_drawn_on(size):
    fer = FER(brightness, detector="none")
    picture = plain(90, *size)
    assert drawing.annotate(picture, fer.analyze(picture)).size == size


def test_an_explanation_shows_orange_where_it_mattered_and_blue_against():
    (face,) = FER(brightness, detector="none").analyze(plain(100))
    heat = np.zeros((48, 48), np.float32)
    heat[:24], heat[24:] = 0.5, -0.5
    grey = np.repeat(face.crop, 3, axis=2)
    tinted = drawing.tinted(grey, heat)
    assert tinted[0, 0].tolist() == [191, 93, 30]  # 100 + 0.7 * (orange - 100)
    assert tinted[47, 0].tolist() == [30, 93, 170]
    np.testing.assert_array_equal(drawing.tinted(grey, 0 * heat), grey)
    assert drawing.explanation(face, heat).size[1] == 288 + 2 * 20 + 10

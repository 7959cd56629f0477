"""Many files: what is found in folders, what each gives, the pictures drawn."""

import json

import numpy as np
import pytest
from helpers.portraits import BOX, PORTRAIT, brightness, plain, write_video
from PIL import Image

from fer_keras.core.errors import InputError
from fer_keras.recognition import FER, batches, inputs, tables
from fer_keras.recognition.detection import Box
from fer_keras.recognition.faces import Face, Frame, Result
from fer_keras.recognition.videos import Video


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


def test_json_numbers_the_faces_in_reading_order():
    faces = [Face((x, 0, 9, 9), 1.0, {"happy": 1.0}, None) for x in (50, 10)]
    (told,) = json.loads(batches.as_json([Result("a.png", faces)]))
    assert [(face["number"], face["box"][0]) for face in told["faces"]] == [(2, 50), (1, 10)]


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
    assert moved == pytest.approx([0, *[0.125] * 3, 0, *[0.125] * 3, 0.25])  # once to analyze, once to draw
    assert [round(frame.time, 3) for frame in result.frames] == [0, 0.1, 0.2, 0.3]
    assert all(frame.image.size == 0 for frame in result.frames)
    told = json.loads(json.dumps(result.as_dict()))["frames"]
    assert [len(frame["faces"]) for frame in told] == [0, 0, 1, 1]
    assert told[2]["faces"][0]["track"] == 1
    assert sorted(p.name for p in (tmp_path / "drawn").iterdir()) == ["clip.mp4", "clip_timeline.png"]
    assert tables.as_text([result]) == (
        f"{clip}  face 1, 0.2-0.3 s  neutral 56.4 %, happy 43.6 %, angry 0.0 % (mean of 2 frames)\n"
    )  # smoothed: 0.4, then 0.4 + (1 - exp(-0.1 / 0.5)) * 0.4 = 0.4725


def test_the_part_of_a_video_that_could_be_read_is_answered(tmp_path):
    noise = list(np.random.default_rng(0).integers(0, 256, (20, 48, 64, 3), np.uint8))
    clip = write_video(tmp_path / "clip.avi", noise, codec="MJPG")
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    fer = FER(brightness, detector="none")
    (result,) = batches.analyze(fer, [str(clip)], every=0, annotate=tmp_path / "drawn")
    assert 2 <= len(result.frames) < 20 and "clip.avi was read for" in result.error and result.answered
    assert result.as_dict().keys() == {"path", "error", "min_face", "frames"}
    assert tables.as_text([result]).startswith(f"{clip}  face 1, 0.0-")
    assert (tmp_path / "drawn" / "clip.mp4").is_file()
    moments = fer.analyze_video(clip, every=0)
    assert [next(moments).time for _ in result.frames] == [frame.time for frame in result.frames]
    with pytest.raises(InputError, match="clip.avi was read for"):
        next(moments)


@pytest.mark.parametrize("rate, every", [(10, 0.2), (10, 0), (10, 3), (0.2, 0.2), (30, 1)])
def test_an_annotated_video_has_the_rate_and_length_of_its_source(tmp_path, rate, every):
    clip = write_video(tmp_path / "clip.avi", [plain(25 * i) for i in range(10)], rate=rate)
    fer = FER(brightness, detector="none")
    (result,) = batches.analyze(fer, [str(clip)], every=every, annotate=tmp_path / "drawn")
    assert {face.track for frame in result.frames for face in frame.faces} == {1}
    drawn = Video(tmp_path / "drawn" / "clip.mp4")
    assert [time for time, _ in drawn.frames()] == pytest.approx([i / rate for i in range(10)])
    assert drawn.rate == pytest.approx(rate) and drawn.length == pytest.approx(10 / rate)


def test_frames_between_the_analyzed_ones_have_the_faces_before():
    analyzed = [Frame(0.0, ["a"], None), Frame(0.2, ["b"], None)]
    frames = [(time, None) for time in (0.0, 0.1, 0.2, 0.3)]
    assert [faces for _, _, faces in batches.held(frames, analyzed)] == [["a"], ["a"], ["b"], ["b"]]


def test_a_drawing_that_fails_does_not_lose_the_faces(tmp_path, monkeypatch):
    Image.fromarray(plain(51)).save(tmp_path / "a.png")

    def full(*words):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(batches.Outputs, "save", full)
    (result,) = batches.analyze(
        FER(brightness, detector="none"), [str(tmp_path / "a.png")], annotate=tmp_path / "drawn"
    )
    assert len(result.faces) == 1
    assert result.error.endswith("a.png was read, but the drawing failed: [Errno 28] No space left on device.")

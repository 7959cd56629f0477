"""`fer-keras predict`: text, JSON, CSV, exit codes."""

import csv
import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from helpers.portraits import PORTRAIT, brightness, plain, write_video
from PIL import Image

from fer_keras.cli import cli, predict
from fer_keras.data import EMOTIONS


@pytest.fixture(autouse=True)
def own_classifier(monkeypatch):
    monkeypatch.setattr(predict, "classifier", lambda model, class_order, engine: brightness)


def call(*words, **options):
    return CliRunner().invoke(cli, ["predict", *map(str, words)], **options)


def test_a_table():
    result = call(PORTRAIT)
    assert result.exit_code == 0
    path, box, emotion, rest = result.stdout.split("  ", 3)
    assert (path, box) == (str(PORTRAIT), "95x95 at 177,66")
    assert emotion in ("happy", "neutral") and rest.startswith(emotion)


def test_json_of_standard_input():
    result = call("-", "--json", input=PORTRAIT.read_bytes())
    (told,) = json.loads(result.stdout)
    assert result.exit_code == 0
    assert told["path"] == "-" and told["faces"][0]["box"] == [177, 66, 95, 95]
    assert list(told["faces"][0]["probabilities"]) == list(EMOTIONS)


def test_csv_of_a_folder(tmp_path):
    Image.fromarray(plain(51, 48, 48)).save(tmp_path / "a.png")
    Image.fromarray(plain(255, 48, 48)).save(tmp_path / "b.png")
    result = call(tmp_path, "--csv", "--detector", "none")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [row["emotion"] for row in rows] == ["neutral", "happy"]
    assert rows[0]["happy"].startswith("0.2") and rows[0]["score"] == rows[0]["time"] == ""


def test_some_bad_files_end_with_1_and_all_bad_with_2(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"rubbish")
    result = call(PORTRAIT, tmp_path / "bad.png", tmp_path / "none.png", "--json")
    assert result.exit_code == 1
    assert "bad.png is not a readable image" in result.stderr and "none.png cannot be opened" in result.stderr
    faces, bad, none = json.loads(result.stdout)
    assert faces["faces"] and "error" in bad and "error" in none
    result = call(tmp_path / "bad.png")
    assert result.exit_code == 2 and result.stdout == ""


def test_a_part_of_a_video_is_answered_and_ends_with_1(tmp_path):
    noise = list(np.random.default_rng(0).integers(0, 256, (20, 48, 64, 3), np.uint8))
    clip = write_video(tmp_path / "clip.avi", noise, codec="MJPG")
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    result = call(clip, "--detector", "none")
    assert result.exit_code == 1 and "clip.avi was read for" in result.stderr and "cut short" in result.stderr
    assert "clip.avi  face 1, 0.0-" in result.stdout
    assert len(call(clip, "--csv", "--detector", "none").stdout.splitlines()) > 1
    (told,) = json.loads(call(clip, "--json", "--detector", "none").stdout)
    assert told["frames"] and "cut short" in told["error"]


def test_no_face_is_said_and_no_failure(tmp_path):
    Image.fromarray(plain(51)).save(tmp_path / "grey.png")
    result = call(tmp_path / "grey.png")
    assert result.exit_code == 0 and result.stdout.endswith("grey.png  no face\n")
    assert call(tmp_path / "grey.png", "--csv").stdout.startswith("image,time,track,x,y,")
    assert json.loads(call(tmp_path / "grey.png", "--json").stdout)[0]["faces"] == []


def test_annotated_and_explained(tmp_path):
    result = call(PORTRAIT, "--annotate", tmp_path / "drawn", "--explain", tmp_path / "why")
    assert result.exit_code == 0
    assert (tmp_path / "drawn" / "astronaut.png").is_file()
    assert (tmp_path / "why" / "astronaut_face1.png").is_file()


@pytest.mark.parametrize("words", [[], [PORTRAIT, "--camera", "0"]])
def test_paths_or_camera(words):
    result = call(*words)
    assert result.exit_code == 2 and "or give --camera, and not both" in result.stderr


def test_unusable_folders_and_detectors_are_one_line(tmp_path):
    result = call(tmp_path)
    assert result.exit_code == 2 and "has no pictures or videos" in result.stderr
    result = call(PORTRAIT, "--detector", "dlib")
    assert result.exit_code == 2 and "Unknown detector 'dlib'" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_camera_without_a_screen_is_told():
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    code = (
        "import numpy as np\nfrom fer_keras.recognition import FER, camera\n"
        "camera.show(FER(lambda crops: np.zeros((len(crops), 7))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert (
        "InputError: There is no screen to show the camera on" in done.stderr
        or "needs Python's tkinter" in done.stderr
    )

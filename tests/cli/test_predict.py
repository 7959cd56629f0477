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

from fer_keras.cli import cli
from fer_keras.data import EMOTIONS
from fer_keras.recognition import classifiers, headers


@pytest.fixture(autouse=True)
def own_classifier(monkeypatch):
    monkeypatch.setattr(classifiers, "classifier", lambda model, **options: brightness)


def call(*words, **options):
    return CliRunner().invoke(cli, ["predict", *map(str, words)], **options)


def test_a_table():
    result = call(PORTRAIT)
    assert result.exit_code == 0
    path, box, rest = result.stdout.split("  ", 2)
    assert (path, box) == (str(PORTRAIT), "85x109 at 182,64")
    assert rest.startswith(("happy ", "neutral ")) and rest.endswith(" %\n")


def test_json_of_standard_input():
    result = call("-", "--json", input=PORTRAIT.read_bytes())
    (told,) = json.loads(result.stdout)
    assert result.exit_code == 0
    assert told["path"] == "-" and told["faces"][0]["box"] == [182, 64, 85, 109]
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
    assert result.exit_code == 0 and result.stdout.endswith("grey.png  no face of 40 pixels or more\n")
    assert call(tmp_path / "grey.png", "--csv").stdout.startswith("image,time,track,number,x,y,")
    (answer,) = json.loads(call(tmp_path / "grey.png", "--json").stdout)
    assert answer["faces"] == [] and answer["min_face"] == 40
    assert call(tmp_path / "grey.png", "--min-face", "25").stdout.endswith("  no face of 25 pixels or more\n")
    assert call(tmp_path / "grey.png", "--min-face", "19").exit_code == 2


def test_large_pictures_are_read_when_asked(tmp_path):
    Image.fromarray(plain(51)).save(tmp_path / "grey.png")
    result = call(tmp_path / "grey.png", "--max-pixels", "3000")
    assert result.exit_code == 2 and "grey.png has 64 x 48 pixels, more than 3,000" in result.stderr
    assert call(tmp_path / "grey.png", "--max-pixels", "3072").exit_code == 0


def test_pictures_are_annotated_and_saliency_maps_drawn(tmp_path):
    result = call(PORTRAIT, "--annotate", tmp_path / "drawn", "--saliency", tmp_path / "why")
    assert result.exit_code == 0
    assert (tmp_path / "drawn" / "astronaut.png").is_file()
    assert (tmp_path / "why" / "astronaut_face1.png").is_file()


def test_old_options_name_the_new_ones(tmp_path):
    result = call(PORTRAIT, "--explain", tmp_path)
    assert result.exit_code == 2 and "--explain is now --saliency" in result.stderr


def test_one_form_of_output():
    result = call(PORTRAIT, "--json", "--csv")
    assert result.exit_code == 2 and "Give --json or --csv, not both." in result.stderr


def test_skipped_files_are_reported(tmp_path):
    Image.fromarray(plain(51)).save(tmp_path / "a.png")
    (tmp_path / "notes.txt").touch()
    for skipped in (
        "Skipped 1 file: 1 ending in .txt.",
        "Skipped 2 files: 1 drawn by fer-keras, 1 ending in .txt.",
    ):
        result = call(tmp_path, "--detector", "none", "--annotate", tmp_path / "drawn")
        assert result.exit_code == 0 and skipped in result.stderr
        assert len(result.stdout.splitlines()) == 1


def test_errors_are_json_where_events_are(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"rubbish")
    result = CliRunner().invoke(cli, ["--log-json", "predict", str(tmp_path / "bad.png")])
    (line,) = result.stderr.splitlines()
    assert json.loads(line)["level"] == "error" and "bad.png" in json.loads(line)["message"]


NAMES = [os.fsdecode(b"latin\xe9.png"), "\u6f22\u5b57.png", "\U0001f600.png", "line\nbreak.png", "\x1b[31mred.png"]


@pytest.mark.skipif(os.name != "posix", reason="names of any bytes")
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252", "latin-1", "utf-16"])
@pytest.mark.parametrize("form", ["", "--json", "--csv"])
def test_any_name_on_any_terminal(tmp_path, encoding, form):
    for name in NAMES:
        Image.fromarray(plain(51)).save(tmp_path / name, format="PNG")
    words = [*filter(None, [form]), str(tmp_path), "--detector", "none", "--annotate", str(tmp_path / "drawn")]
    result = CliRunner(charset=encoding).invoke(cli, ["predict", *words])
    assert result.exception is None and result.exit_code == 0, result.exception
    text = result.stdout_bytes.decode("utf-8" if encoding == "ascii" else encoding)  # as click corrects it
    assert len(list((tmp_path / "drawn").iterdir())) == 5
    if form == "":
        assert len(text.splitlines()) == 5 and "\x1b" not in text and "line\\nbreak" in text
    elif form == "--json":
        assert {os.path.basename(told["path"]) for told in json.loads(text)} == set(NAMES)
    else:
        assert len(list(csv.DictReader(io.StringIO(text, newline="")))) == 5


def test_errors_about_files_of_any_name_are_lines_without_control_characters(tmp_path):
    for name in ("line\nbreak.png", "\x1b[31mred.png"):
        (tmp_path / name).write_bytes(b"no image")
    result = call(tmp_path, "--detector", "none")
    assert result.exit_code == 2 and "\x1b" not in result.stderr
    assert [line for line in result.stderr.splitlines() if line.startswith("Error: ")] == [
        f"Error: {tmp_path}/{name}.png is not a readable image. Expected {', '.join(headers.FORMATS)}."
        for name in ("\\x1b[31mred", "line\\nbreak")
    ]
    result = call(tmp_path / "\x1b[31m*.jpg")
    assert "has no pictures or videos" in result.stderr and "\x1b" not in result.stderr


def test_a_name_that_begins_like_an_option(tmp_path):
    assert "Give a file whose name begins with - as ./-NAME." in call("-dash.jpg").stderr


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

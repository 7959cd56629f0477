"""Prediction sets and abstentions of `FER`, worked out by hand."""

import csv
import json
import zipfile

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from helpers.patterns import base_network

from fer_keras import FER
from fer_keras.cli import cli
from fer_keras.core.errors import InputError
from fer_keras.inference import conformal, engines, export
from fer_keras.model_files import safe_loading, saving

NAMES = ("angry", "glad", "sad")
CROP = np.full((48, 48), 128, np.uint8)
# 19 calibration images whose own class has p = 0.95, 0.90, … 0.05: the threshold of 50 % is the 10th score, 0.50,
# that of 90 % the 18th, 0.90, and for 99 % there are too few.
OWN = np.arange(19, 0, -1) / 20
CALIBRATION = conformal.calibrate(np.stack([OWN, 1 - OWN, 0 * OWN], axis=1), np.zeros(19, int))


class Fixed:
    """A classifier of the user's that always gives 0.35, 0.05 and 0.60."""

    class_names = NAMES
    name = "fixed"
    conformal = {"none": CALIBRATION}

    def __call__(self, crops):
        return np.tile(np.float32([0.35, 0.05, 0.60]), (len(crops), 1))


def face(**options):
    return FER(Fixed(), detector="none", tta="none", **options).analyze(CROP)[0]


@pytest.mark.parametrize(
    ("coverage", "expected", "words"),
    [
        (0.5, ("sad",), "sad"),  # 1 - p: 0.65, 0.95, 0.40
        (0.7, ("sad", "angry"), "sad or angry"),  # the 14th score, 0.70
        (0.9, ("sad", "angry"), "sad or angry"),
        (0.99, ("sad", "angry", "glad"), "sad or angry or glad"),
    ],
)
def test_sets_by_coverage(coverage, expected, words):
    found = face(coverage=coverage)
    assert (found.prediction_set, found.answer, found.emotion) == (expected, words, "sad")
    assert found.as_dict()["prediction_set"] == list(expected)


def test_too_few_calibration_images_are_reported_once(caplog):
    face(coverage=0.95)  # rank 19 of 19
    assert not caplog.messages
    fer = FER(Fixed(), detector="none", tta="none", coverage=0.96)  # rank 20 of 19; of 24 images it would be 24
    for _ in range(2):
        assert fer.analyze(CROP)[0].prediction_set == ("sad", "angry", "glad")
    assert caplog.messages == [
        "fixed has 19 calibration images, but a coverage of 0.96 needs 24: every prediction set is all classes."
    ]


@pytest.mark.parametrize("coverage", [0.5, 0.66, 0.67, 0.9, 0.95, 0.99])
def test_number_of_calibration_images_that_is_reported_is_enough(coverage, caplog):
    for count in range(1, 101):
        caplog.clear()
        fits = conformal.threshold(conformal.calibrate(np.eye(1)[[0] * count], [0] * count), coverage, "it")
        if fits is not None:
            break
        least = int(caplog.messages[0].split(" needs ")[1].split(":")[0])
    assert count == (1 if coverage == 0.5 else least)


def test_low_confidence_abstains():
    assert face(min_confidence=0.59).answer == "sad" and face(min_confidence=0.59).abstains is False
    unsure = face(min_confidence=0.61, coverage=0.9)
    assert (unsure.answer, unsure.abstains, unsure.prediction_set) == ("unsure", True, ("sad", "angry"))


def test_answers_are_as_before_where_nothing_is_asked_for():
    found = face()
    assert (found.prediction_set, found.abstains, found.answer) == (None, None, "sad")
    assert not {"prediction_set", "abstains"} & found.as_dict().keys()


def test_faces_of_a_video_have_sets_of_their_smoothed_probabilities():
    fer = FER(Fixed(), detector="none", tta="none", coverage=0.9)
    frames = list(fer.follow([(0.0, np.stack([CROP] * 3, axis=-1)), (1.0, np.stack([CROP] * 3, axis=-1))]))
    assert [frame.faces[0].prediction_set for frame in frames] == [("sad", "angry")] * 2


@pytest.mark.parametrize("model", ["best", "tiny", "ferplus"])
def test_networks_of_the_package_give_sets(model):
    (found,) = FER(model, detector="none", coverage=0.9).analyze(CROP)
    assert found.prediction_set[0] == found.emotion


def test_what_has_no_thresholds_for_the_view_gives_no_sets():
    with pytest.raises(InputError, match="fixed has no calibration"):
        FER(Fixed(), tta="flip", coverage=0.9)
    with pytest.raises(InputError, match="min_confidence must be from 0 to 1"):
        FER(Fixed(), min_confidence=1.5)


@pytest.fixture
def file(tmp_path):
    """A network of three classes with thresholds."""
    base = base_network()
    model = keras.Model(base.input, keras.layers.Dense(3, "softmax")(base.layers[-2].output))
    saving.save(model, tmp_path / "model.keras", NAMES, conformal={"none": CALIBRATION, "flip": CALIBRATION})
    return tmp_path / "model.keras"


def test_thresholds_travel_in_the_file(file):
    assert saving.load(file).conformal["flip"] == CALIBRATION
    assert engines.KerasEngine(file).conformal["none"] == CALIBRATION


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="ONNX is written on torch")
def test_thresholds_travel_in_an_onnx_file(file, tmp_path):
    export.export(saving.load(file), tmp_path / "model.onnx", "onnx")
    found = FER(str(tmp_path / "model.onnx"), detector="none", coverage=0.9).analyze(CROP)[0]
    assert len(found.prediction_set) >= 1 and set(found.probabilities) == set(NAMES)


@pytest.mark.parametrize(
    "wrong",
    [
        "text",
        {"front": CALIBRATION},
        {"none": {}},
        {"none": CALIBRATION | {"images": "19"}},
        {"none": CALIBRATION | {"thresholds": CALIBRATION["thresholds"] | {"90": 2}}},
        {"none": CALIBRATION | {"thresholds": {"90": 0.5}}},
    ],
)
def test_damaged_thresholds_are_refused(file, wrong):
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    metadata = json.loads(members[safe_loading.METADATA]) | {"conformal": wrong}
    members[safe_loading.METADATA] = json.dumps(metadata).encode()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(InputError, match="expected thresholds of prediction sets"):
        saving.load(file)


def predict(file, picture, *options):
    command = ["predict", str(picture), "--model", str(file), "--detector", "none", *options]
    result = CliRunner().invoke(cli, command)
    assert result.exit_code == 0, result.output
    assert ("has 19 calibration images, but a coverage of 0.99 needs 99" in result.stderr) == ("0.99" in options)
    return result.stdout


def test_the_command_gives_sets_in_each_of_its_forms(file, tmp_path):
    from PIL import Image

    Image.fromarray(CROP).save(tmp_path / "crop.png")
    (answer,) = json.loads(predict(file, tmp_path / "crop.png", "--coverage", "0.99", "--json"))
    found = answer["faces"][0]
    words = " or ".join(found["prediction_set"])
    assert set(found["prediction_set"]) == set(NAMES)
    (row,) = csv.DictReader(predict(file, tmp_path / "crop.png", "--coverage", "0.99", "--csv").splitlines())
    assert row["prediction_set"] == words
    assert f"{words} (" in predict(file, tmp_path / "crop.png", "--coverage", "0.99")
    assert "unsure (" in predict(file, tmp_path / "crop.png", "--min-confidence", "1")

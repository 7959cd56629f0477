"""Shipped networks: packed and loaded again, refused when touched, calibrated."""

import dataclasses
import hashlib
import inspect
import json
import shutil
import sys

import keras
import numpy as np
import pytest
from helpers.data_forms import tiny, write_csv

from fer_keras import Experiment, models
from fer_keras.backend import device
from fer_keras.backend.layers import plain
from fer_keras.core.errors import InputError
from fer_keras.data import load, split
from fer_keras.evaluation import scores
from fer_keras.inference.export import export
from fer_keras.inference.prediction import probabilities
from fer_keras.model_files.pretrained import FOLDER, card, class_names, pack, pretrained
from fer_keras.model_files.saving import publish
from fer_keras.recognition import FER
from fer_keras.runs import pipeline, records
from fer_keras.runs.release import SERVED, card_text, release, temperature
from fer_keras.training import fitting
from fer_keras.training.dataset import Batches

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 48, 48, 1)).astype("uint8")
TINY = Experiment(
    name="tiny",
    model="cnn",
    model_options={"filters": (4,), "units": (8,), "convolution_normalization": "batch"},
    normalization=True,
    augmentation=("flip",),
    epochs=1,
)


ON_TORCH = keras.backend.backend() == "torch"
on_torch = pytest.mark.skipif(not ON_TORCH, reason="ONNX files are written on torch")


@pytest.fixture
def small_faces(tmp_path):
    return write_csv(tmp_path / "faces.csv", tiny((30, 7, 7)))


def array(value):
    return keras.ops.convert_to_numpy(value)


@pytest.fixture
def packed(tmp_path):
    if not ON_TORCH:
        pytest.skip("ONNX files are written on torch")
    keras.utils.set_random_seed(0)
    normalization = keras.layers.Normalization(mean=120.0, variance=4000.0)
    model = plain(publish(models.build("cnn", {"filters": (4,), "units": (8,)}, [normalization])))
    export(model, tmp_path / "onnx" / "small.onnx", "onnx", half=True)
    about = {"experiment": {}, "data": {"class_names": list("abcdefg")}, "temperatures": {"flip": 2.0}}
    pack(model, tmp_path / "onnx" / "small.onnx", about, "small", tmp_path)
    return model, tmp_path


def test_packed_network_is_loaded_in_half_precision(packed):
    model, folder = packed
    found = pretrained("small", folder=folder)
    np.testing.assert_allclose(array(found(IMAGES)), array(model(IMAGES)), atol=2e-3)
    for ours, theirs in zip(found.weights, model.weights, strict=True):
        np.testing.assert_array_equal(array(ours), array(theirs).astype("float16").astype("float32"))
    assert found.class_names == tuple("abcdefg")
    plain_answers = probabilities(model, IMAGES, tta="flip") ** 0.5
    calibrated = plain_answers / plain_answers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities(found, IMAGES, tta="flip"), calibrated, atol=2e-3)
    np.testing.assert_allclose(probabilities(found, IMAGES), probabilities(model, IMAGES), atol=2e-3)


def test_interrupted_packing_leaves_the_older_network(packed, monkeypatch):
    model, folder = packed
    before = array(pretrained("small", folder=folder)(IMAGES))
    for variable in model.weights:
        variable.assign(2 * array(variable))

    def interrupted(path, value):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("fer_keras.model_files.pretrained.write_json", interrupted)
        pack(model, folder / "onnx" / "small.onnx", {"experiment": {}, "data": {}}, "small", folder)
    np.testing.assert_array_equal(array(pretrained("small", folder=folder)(IMAGES)), before)
    pack(model, folder / "onnx" / "small.onnx", {"experiment": {}, "data": {}}, "small", folder)
    assert np.abs(array(pretrained("small", folder=folder)(IMAGES)) - before).max() > 1e-3
    assert len(list(folder.glob("small-*.npz"))) == len(list(folder.glob("small-*.onnx"))) == 1


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.json")))
def test_card_names_what_ships_and_how_it_is_served(name):
    about = card(name)
    for file, digest in (("weights", "sha256"), ("onnx", "onnx_sha256")):
        assert hashlib.sha256((FOLDER / about[file]).read_bytes()).hexdigest() == about[digest]
    defaults = inspect.signature(FER).parameters
    assert about["served"] == {"tta": defaults["tta"].default, "detector": defaults["detector"].default} == SERVED
    assert (FOLDER / f"{name}.md").read_text(encoding="utf-8") == card_text(name, about)


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.json")))
def test_networks_of_the_package_load_and_are_small(name):
    answers = array(pretrained(name)(IMAGES))
    assert answers.shape == (5, len(class_names(card(name))))
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-5)
    for file in ("weights", "onnx"):
        assert (FOLDER / card(name)[file]).stat().st_size <= {"best": 6e6, "tiny": 1e6, "ferplus": 6e6}[name]
    assert card(name)["scores"]["test"]["none"]["images"] == (3199 if name == "ferplus" else 3589)


def test_touched_file_is_refused(packed):
    _, folder = packed
    path = folder / card("small", folder=folder)["weights"]
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match="is not the published file"):
        pretrained("small", folder=folder)


def test_unknown_name_is_told(packed):
    with pytest.raises(InputError, match="No trained network 'large'. Expected one of: small."):
        pretrained("large", folder=packed[1])


def test_temperature_of_probabilities_that_are_too_sure():
    """Three answers of four are right: 3/4 would be their best probability, a logit of log 3 instead of log 9."""
    answers = np.zeros((4, 7)) + 1e-12
    answers[:, 0], answers[:, 1] = 0.9, 0.1
    assert temperature(answers, np.array([0, 0, 0, 1])) == pytest.approx(2.0, abs=1e-3)
    shares = np.tile([0.75, 0.25, 0, 0, 0, 0, 0], (4, 1))
    assert temperature(answers, shares) == pytest.approx(2.0, abs=1e-3)


@on_torch
def test_release_of_a_run(tmp_path, small_faces):
    run, record = pipeline.run(TINY, data=small_faces, output=tmp_path / "runs", tracking="disabled")
    text, told = release(run, "tiny", tmp_path / "weights", data=small_faces)
    about = json.loads(text.read_text())
    assert about["experiment"] == record["experiment"]
    assert about["scores"]["test"]["none"]["images"] == record["scores"]["images"]
    accuracy = about["scores"]["test"]["none"]["accuracy"]
    assert f"| one view | {accuracy:.4f} |" in told.read_text()
    shipped = pretrained("tiny", folder=tmp_path / "weights")
    test = split(load(small_faces), TINY.seed)["test"]
    for how, row in (("flip", "image and mirror image"), ("ten-crop", "ten crops")):
        found = scores(test.labels, probabilities(shipped, test.images, tta=how))
        assert about["scores"]["test"][how]["loss"] == pytest.approx(found["loss"])
        assert f"| {row} | {found['accuracy']:.4f} |" in told.read_text()
    trained = keras.models.load_model(run / "model.keras")
    np.testing.assert_allclose(array(shipped(IMAGES)), array(trained(IMAGES)), atol=3e-3)
    for how, value in about["temperatures"].items():
        powers = probabilities(trained, IMAGES, tta=how).astype("float64") ** (1 / value)
        expected = powers / powers.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(probabilities(shipped, IMAGES, tta=how), expected, atol=3e-3)
    assert set(about["temperatures"]) == {"none", "flip", "ten-crop"}
    assert "FER-2013" not in told.read_text() and "`faces.csv`" in told.read_text()


@on_torch
def test_refit_learns_from_half_of_the_validation_images_and_calibrates_on_the_others(tmp_path, small_faces):
    run, record = pipeline.run(TINY, data=small_faces, output=tmp_path / "runs", tracking="disabled")
    chosen = json.loads(release(run, "chosen", tmp_path / "weights", data=small_faces)[0].read_text())
    text, told = release(run, "refit", tmp_path / "weights", data=small_faces, refit=True)
    about = json.loads(text.read_text())
    assert about["data"]["images"] == {"train": 34, "calibration": 3, "test": 7}
    assert about["experiment"] == record["experiment"]
    assert chosen["calibration"]["images"] == 7 and about["calibration"]["images"] == 3
    assert about["scores"]["validation"]["none"]["accuracy"] == record["history"][-1]["val_acc"]
    assert "before these weights were trained on half of those images too" in told.read_text()
    faces = load(small_faces)
    merged = split(faces, TINY.seed, merged=True)
    whole = merged["train"]
    with device.training_in(record["environment"]["precision"]):
        model = fitting.build(TINY, whole)
    fitting.fit(model, TINY, Batches(whole, TINY), None, on_epoch=lambda row: None)
    refit = keras.models.load_model(run / "refit/model.keras")
    for theirs, ours in zip(refit.weights, publish(model).weights, strict=True):
        np.testing.assert_array_equal(array(theirs), array(ours))
    shipped = pretrained("refit", folder=tmp_path / "weights")
    found = scores(faces.labels[37:], probabilities(shipped, faces.images[37:]))
    unseen = merged["calibration"]
    worst = 1 - probabilities(shipped, unseen.images, tta="flip")[np.arange(3), unseen.labels].min()
    assert about["calibration"]["digest"] == unseen.digest
    assert about["conformal"]["flip"]["thresholds"]["75"] == pytest.approx(worst, abs=3e-3)  # rank 3 of 3
    assert about["conformal"]["flip"]["thresholds"]["76"] is None
    assert shipped.conformal == about["conformal"]
    rows = about["risk_coverage"]["flip"]
    assert rows[0]["answered"] == 1 and "| confidence from | answered | wrong of these |" in told.read_text()
    assert about["scores"]["test"]["none"]["loss"] == pytest.approx(found["loss"])


@on_torch
def test_calibration_images_that_were_trained_on_are_refused(tmp_path, small_faces, monkeypatch):
    run, _ = pipeline.run(TINY, data=small_faces, output=tmp_path / "runs", tracking="disabled")

    def leaking(faces, seed=0, merged=False):
        parts = split(faces, seed)
        return parts | {"calibration": parts["train"]}

    monkeypatch.setattr(sys.modules["fer_keras.runs.release"], "split", leaking)
    with pytest.raises(InputError, match="30 of 30 calibration images are among the training images"):
        release(run, "refit", tmp_path / "weights", data=small_faces, refit=True)
    assert not (tmp_path / "weights").exists()


@pytest.mark.parametrize("name", ["best", "tiny", "ferplus"])
def test_cards_with_thresholds_name_the_images_they_are_of(name):
    about = card(name)
    assert ("conformal" in about) == ("calibration" in about)
    if about["refit"] and "conformal" in about:
        assert about["data"]["images"]["calibration"] == about["calibration"]["images"]


def test_refit_of_an_earlier_version_is_not_taken(tmp_path, small_faces):
    run, _ = pipeline.run(TINY, data=small_faces, output=tmp_path / "runs", tracking="disabled")
    pipeline.refit(run, data=small_faces)
    about = json.loads((run / "refit/run.json").read_text())
    about["data"]["images"] = {"train": 37, "test": 7}
    (run / "refit/run.json").write_text(json.dumps(about))
    with pytest.raises(InputError, match="is of another experiment, version or of other images"):
        pipeline.refit(run, data=small_faces)


def test_refit_of_a_record_is_that_of_its_run(tmp_path, small_faces, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run, record = pipeline.run(TINY, data=small_faces, output=tmp_path / "elsewhere", tracking="disabled")
    del record["experiment"]["model_options"]["dropout"]  # as if it were a later option, which has its default
    (tmp_path / "0.json").write_text(json.dumps(record))
    model, about = pipeline.refit("0.json", data=small_faces)
    pipeline.refit("0.json", data=small_faces)
    expected, _ = pipeline.refit(run, data=small_faces)
    np.testing.assert_array_equal(array(model(IMAGES)), array(expected(IMAGES)))
    assert about["data"]["images"] == {"train": 34, "calibration": 3, "test": 7}
    assert (tmp_path / "runs/refit" / f"{TINY.name}-0" / "model.keras").is_file()
    record["experiment"]["epochs"] = 3
    (tmp_path / "0.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match="is of another experiment, version or of other images. Remove it"):
        pipeline.refit("0.json", data=small_faces)
    assert records.find_unfinished("runs", record["experiment"], record["data"]) is None


def test_interrupted_refit_goes_on_and_a_finished_one_is_kept(tmp_path, small_faces, monkeypatch):
    longer = dataclasses.replace(TINY, epochs=3)
    run, _ = pipeline.run(longer, data=small_faces, output=tmp_path / "runs", tracking="disabled")
    whole, _ = pipeline.refit(run, data=small_faces)
    expected = array(whole(IMAGES))
    shutil.rmtree(run / "refit")
    append = records.append

    def interrupted(path, row):
        append(path, row)
        if row["epoch"] == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(records, "append", interrupted)
        pipeline.refit(run, data=small_faces)
    model, record = pipeline.refit(run, data=small_faces)
    np.testing.assert_array_equal(array(model(IMAGES)), expected)
    assert [row["epoch"] for row in record["history"]] == [1, 2, 3]
    with monkeypatch.context() as patch:
        patch.delattr(fitting, "fit")
        pipeline.refit(run, data=small_faces)


def test_release_refuses_synthetic_faces(tmp_path, monkeypatch):
    record = {"data": {"synthetic": True}, "experiment": {"seed": 0}}
    monkeypatch.setattr("fer_keras.runs.pipeline.finished", lambda run, data: (record, None))
    with pytest.raises(InputError, match="^runs/x was trained on synthetic faces, which is no network to release"):
        release("runs/x", "tiny", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_release_needs_the_same_data_and_a_finished_run(tmp_path, small_faces):
    run, _ = pipeline.run(TINY, data=small_faces, output=tmp_path / "runs", tracking="disabled")
    with pytest.raises(InputError, match="was trained on data with digest"):
        release(run, "tiny", tmp_path, data="synthetic")
    (run / "scores.json").unlink()
    with pytest.raises(InputError, match="is not finished"):
        release(run, "tiny", tmp_path, data=small_faces)
    assert records.read(run)["scores"] is None and not list(tmp_path.glob("tiny*"))

"""What teachers say of images, and what becomes of it; networks whose answers are worked out by hand."""

import dataclasses
import hashlib
import pathlib

import keras
import numpy as np
import pytest
from data_forms import tiny

from fer_keras import Experiment, teaching, training
from fer_keras.batches import training_targets
from fer_keras.data import EMOTIONS
from fer_keras.errors import InputError

FACES = tiny((8, 1, 1))
STUDENT = Experiment(name="x", model_options={"units": (4,)}, teachers=("a.keras",), distillation=0.25)


def teacher(path, bias, pixel=0.0, classes=EMOTIONS):
    """Write a network of one layer: `bias` to the logits, to the first also `pixel` x the upper left one."""
    softmax = keras.layers.Softmax(name="_".join(classes))
    layers = [keras.Input((48, 48, 1)), keras.layers.Flatten(), keras.layers.Dense(7, name="logits"), softmax]
    model = keras.Sequential(layers)
    kernel = np.zeros((2304, 7), "float32")
    kernel[0, 0] = pixel
    model.get_layer("logits").set_weights([kernel, np.array(bias, "float32")])
    model.save(path)
    return str(path)


def test_soft_labels_are_the_mean_over_image_mirror_and_teachers(tmp_path):
    images = np.zeros((3, 48, 48, 1), "uint8")
    images[1, 0, 0] = 255  # 8 / 14 for the first class as it is, 1 / 7 mirrored
    looks = teacher(tmp_path / "a.keras", [0] * 7, pixel=np.log(8))
    found = teaching.soft_labels([looks], images)
    assert found.dtype == "float32" and found.shape == (3, 7)
    np.testing.assert_allclose(found[[0, 2]], 1 / 7, atol=1e-6)
    np.testing.assert_allclose(found[1], [5 / 14, *[3 / 28] * 6], atol=1e-6)
    # Certain of "neutral", the fifth in its order and the last in ours.
    certain = teacher(tmp_path / "b.keras", [0, 0, 0, 0, 99, 0, 0], classes=sorted(EMOTIONS))
    both = teaching.soft_labels([looks, certain], images)
    np.testing.assert_allclose(both[1], [5 / 28, *[3 / 56] * 5, 3 / 56 + 1 / 2], atol=1e-6)


def test_chunks_do_not_show(tmp_path, monkeypatch):
    looks = teacher(tmp_path / "a.keras", range(7), pixel=3.0)
    whole = teaching.soft_labels([looks], FACES.images)
    monkeypatch.setattr(teaching, "CHUNK", 3)
    np.testing.assert_allclose(teaching.soft_labels([looks], FACES.images), whole, atol=1e-6)


def test_digests_are_those_of_the_files(tmp_path):
    (tmp_path / "a.keras").write_bytes(b"one")
    assert teaching.digests([tmp_path / "a.keras"]) == [hashlib.sha256(b"one").hexdigest()]
    with pytest.raises(InputError, match="Cannot read .*b.keras: No such file"):
        teaching.digests([tmp_path / "a.keras", tmp_path / "b.keras"])


def test_file_that_is_no_model_is_told(tmp_path):
    pathlib.Path(tmp_path / "a.keras").write_bytes(b"one")
    with pytest.raises(InputError, match="a.keras is no whole .keras file"):
        teaching.soft_labels([str(tmp_path / "a.keras")], FACES.images)


def test_target_is_the_label_but_for_the_share_of_the_teachers():
    taught = dataclasses.replace(FACES.take([1, 3]), soft_labels=np.full((2, 7), 1 / 7, "float32"))
    targets = training_targets(taught, STUDENT)
    assert targets.dtype == "float32"
    np.testing.assert_allclose(targets[0], np.eye(7)[1] * 0.75 + 0.25 / 7, atol=1e-7)
    np.testing.assert_allclose(targets[1], np.eye(7)[3] * 0.75 + 0.25 / 7, atol=1e-7)
    smoothed = training_targets(taught, dataclasses.replace(STUDENT, label_smoothing=0.2))
    np.testing.assert_allclose(smoothed[0], np.eye(7)[1] * 0.75 * 0.8 + (0.75 * 0.2 + 0.25) / 7, atol=1e-7)
    alone = training_targets(taught, dataclasses.replace(STUDENT, distillation=1.0))
    np.testing.assert_array_equal(alone, taught.soft_labels)


def test_without_teachers_targets_are_as_ever():
    plain = dataclasses.replace(STUDENT, teachers=(), distillation=0.0)
    assert training_targets(FACES, plain) is FACES.labels


def test_overfit_check_has_no_teachers(monkeypatch):
    monkeypatch.setattr(training, "OVERFIT_EPOCHS", 2)
    plain = dataclasses.replace(STUDENT, teachers=(), distillation=0.0)
    assert training.overfit_losses(STUDENT, FACES) == training.overfit_losses(plain, FACES)


def test_student_learns_what_its_teacher_says(tmp_path):
    """With the teachers' share at 1 the labels do not count: the student answers as the teacher, always sad."""
    sad = teacher(tmp_path / "a.keras", [0, 0, 0, 0, 9, 0, 0])
    experiment = dataclasses.replace(STUDENT, teachers=(sad,), distillation=1.0, epochs=12, learning_rate=0.01)
    train = dataclasses.replace(FACES, soft_labels=teaching.soft_labels(experiment.teachers, FACES.images))
    model = training.build(experiment, train)
    quiet = {"on_epoch": lambda row: None, "on_histograms": lambda *_: None, "checkpoint": tmp_path / "c.npz"}
    training.fit(model, experiment, train, FACES, **quiet)
    assert keras.ops.convert_to_numpy(model(FACES.images)).argmax(axis=1).tolist() == [4] * len(FACES)

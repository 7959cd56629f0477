"""What teachers say of images, and what becomes of it; networks whose answers are worked out by hand."""

import dataclasses
import hashlib
import pathlib

import keras
import numpy as np
import pytest
from helpers.data_forms import tiny

from fer_keras import Experiment
from fer_keras.core.errors import InputError
from fer_keras.data import EMOTIONS
from fer_keras.training import distillation, fitting
from fer_keras.training.dataset import DISTILLATION_DRAWS, Batches

FACES = tiny((8, 1, 1))
STUDENT = Experiment(
    name="x", model_options={"units": (4,)}, teachers=("a.keras",), distillation=0.25, batch_size=4
)
LABELLED = np.eye(7, dtype="float32")[FACES.labels]


def of(*teachers, **changes):
    return dataclasses.replace(STUDENT, teachers=teachers, **changes)


def soft_targets(experiment, faces):
    return distillation.soft_targets(Batches(faces, experiment))


def teacher(path, bias, pixel=0.0, classes=EMOTIONS):
    """Write a network of one layer: `bias` to the logits, to the first also `pixel` x the upper left one."""
    softmax = keras.layers.Softmax(name="_".join(classes))
    scaling, flatten = keras.layers.Rescaling(1 / 255), keras.layers.Flatten()
    layers = [keras.Input((48, 48, 1)), scaling, flatten, keras.layers.Dense(7, name="logits"), softmax]
    model = keras.Sequential(layers)
    kernel = np.zeros((2304, 7), "float32")
    kernel[0, 0] = pixel
    model.get_layer("logits").set_weights([kernel, np.array(bias, "float32")])
    model.save(path)
    return str(path)


def test_soft_targets_are_the_mean_over_image_mirror_and_teachers(tmp_path):
    images = np.zeros((3, 48, 48, 1), "uint8")
    images[1, 0, 0] = 255  # 8 / 14 for the first class as it is, 1 / 7 mirrored
    faces = dataclasses.replace(FACES.take(slice(3)), images=images)
    looks = teacher(tmp_path / "a.keras", [0] * 7, pixel=np.log(8))
    found = soft_targets(of(looks), faces)
    assert found.dtype == "float32" and found.shape == (1, 3, 7)
    np.testing.assert_allclose(found[0, [0, 2]], 1 / 7, atol=1e-6)
    np.testing.assert_allclose(found[0, 1], [5 / 14, *[3 / 28] * 6], atol=1e-6)
    # Certain of "neutral", the fifth in its order and the last in ours.
    certain = teacher(tmp_path / "b.keras", [0, 0, 0, 0, 99, 0, 0], classes=sorted(EMOTIONS))
    both = soft_targets(of(looks, certain), faces)
    np.testing.assert_allclose(both[0, 1], [5 / 28, *[3 / 56] * 5, 3 / 56 + 1 / 2], atol=1e-6)


def test_teachers_see_the_blended_images_that_the_student_sees_in_every_epoch(tmp_path):
    """One that names the share of the upper left pixel: its answer for a blend is not the blend of its answers."""
    looks = teacher(tmp_path / "a.keras", [0] * 7, pixel=3.0)
    student = of(looks, mixup=1.0, distillation=1.0)
    taught = soft_targets(student, FACES)
    assert taught.shape == (DISTILLATION_DRAWS, len(FACES), 7)
    batches = Batches(FACES, student, taught)
    for epoch in (0, 1, DISTILLATION_DRAWS + 1):
        batches.start(epoch)
        for images, targets in batches:
            corners = np.stack([images[:, 0, 0, 0], images[:, 0, -1, 0]]) / 255  # as it is and mirrored
            first = np.mean(np.exp(3 * corners) / (np.exp(3 * corners) + 6), axis=0)
            np.testing.assert_allclose(targets[:, 0], first, atol=1e-5)


def test_blends_come_again_after_some_epochs_where_there_are_teachers():
    def drawn(experiment, epoch):
        batches = Batches(FACES, experiment)
        batches.start(epoch)
        return np.concatenate([batches.mixed(step)[0] for step in range(batches.steps)])

    for mixup, teachers in ((0.5, ("a.keras",)), (0.5, ()), (0.0, ("a.keras",))):
        experiment = of(*teachers, mixup=mixup, distillation=0.5 if teachers else 0.0)
        assert (drawn(experiment, 1) != drawn(experiment, 2)).any()
        again = (drawn(experiment, 1) == drawn(experiment, 1 + DISTILLATION_DRAWS)).all()
        assert again == bool(mixup and teachers)


def test_digests_are_those_of_the_files(tmp_path):
    (tmp_path / "a.keras").write_bytes(b"one")
    assert distillation.digests([tmp_path / "a.keras"]) == [hashlib.sha256(b"one").hexdigest()]
    with pytest.raises(InputError, match="Cannot read .*b.keras: No such file"):
        distillation.digests([tmp_path / "a.keras", tmp_path / "b.keras"])


def test_file_that_is_no_model_is_told(tmp_path):
    pathlib.Path(tmp_path / "a.keras").write_bytes(b"one")
    with pytest.raises(InputError, match="a.keras is no whole .keras file"):
        soft_targets(of(str(tmp_path / "a.keras")), FACES)


def test_target_is_the_label_but_for_the_share_of_the_teachers():
    said = np.zeros((1, len(FACES), 7), "float32")
    said[0, np.arange(len(FACES)), np.arange(len(FACES)) % 7] = 1  # a class of its own for each image
    batches = Batches(FACES, STUDENT, said)
    images, targets = batches[1]
    rows = batches.order[4:8]
    assert targets.dtype == "float32"
    np.testing.assert_array_equal(images, FACES.images[rows])
    np.testing.assert_allclose(targets, LABELLED[rows] * 0.75 + np.eye(7)[rows % 7] * 0.25, atol=1e-7)
    smoothed = dataclasses.replace(STUDENT, label_smoothing=0.2)
    targets = Batches(FACES, smoothed, said)[1][1]
    expected = LABELLED[rows] * 0.75 * 0.8 + 0.75 * 0.2 / 7 + np.eye(7)[rows % 7] * 0.25
    np.testing.assert_allclose(targets, expected, atol=1e-7)
    alone = dataclasses.replace(STUDENT, distillation=1.0)
    np.testing.assert_array_equal(Batches(FACES, alone, said)[1][1], said[0, rows])


def test_without_teachers_targets_are_as_ever():
    plain = dataclasses.replace(STUDENT, teachers=(), distillation=0.0)
    assert Batches(FACES, plain).targets is FACES.labels


@pytest.mark.parametrize("step", [0, 1])
def test_climbing_part_of_a_step_is_taught_as_the_step_is(step):
    said = np.random.default_rng(0).random((DISTILLATION_DRAWS, len(FACES), 7), "float32")
    batches = Batches(FACES, dataclasses.replace(STUDENT, sam=0.1, mixup=0.4), said)
    (climbing, up), (images, targets) = batches[2 * step], batches[2 * step + 1]
    assert len(climbing) == 1 and len(images) == 4
    np.testing.assert_array_equal(climbing, images[:1])
    np.testing.assert_array_equal(up, targets[:1])


def test_overfit_check_has_no_teachers(monkeypatch):
    monkeypatch.setattr(fitting, "OVERFIT_EPOCHS", 2)
    plain = dataclasses.replace(STUDENT, teachers=(), distillation=0.0)
    assert fitting.overfit_losses(STUDENT, FACES) == fitting.overfit_losses(plain, FACES)


def test_student_learns_what_its_teacher_says(tmp_path):
    """With the teachers' share at 1 the labels do not count: the student answers as the teacher, always sad."""
    sad = teacher(tmp_path / "a.keras", [0, 0, 0, 0, 9, 0, 0])
    experiment = dataclasses.replace(STUDENT, teachers=(sad,), distillation=1.0, epochs=12, learning_rate=0.01)
    model = fitting.build(experiment, FACES)
    quiet = {"on_epoch": lambda row: None, "on_histograms": lambda *_: None, "checkpoint": tmp_path / "c.npz"}
    batches = Batches(FACES, experiment, soft_targets(experiment, FACES))
    fitting.fit(model, experiment, batches, FACES, **quiet)
    assert keras.ops.convert_to_numpy(model(FACES.images)).argmax(axis=1).tolist() == [4] * len(FACES)

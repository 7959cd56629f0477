"""Whole runs on a few random faces: what is written, repeated runs, interrupted runs."""

import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import keras
import numpy as np
import PIL.Image
import pytest
from helpers.data_forms import tiny, write_csv, write_votes
from helpers.wandb_reader import read_run

from fer_keras import Experiment, evaluation, run
from fer_keras.core.errors import InputError
from fer_keras.data import EMOTIONS, load, split
from fer_keras.data.votes import ORDER
from fer_keras.inference.prediction import probabilities
from fer_keras.model_files import saving
from fer_keras.runs import pipeline, records
from fer_keras.training import fitting
from fer_keras.training.dataset import Batches

TINY = Experiment(
    name="tiny",
    model_options={"units": (6,), "dropout": 0.2},
    normalization=True,
    augmentation=("flip",),
    schedule="one_cycle",
    batch_size=16,
    epochs=3,
)
SAMPLE = pathlib.Path(__file__).parent / "samples" / "0.1.0"  # a run as version 0.1.0 wrote it
PICTURES = [
    *("accuracy_progress.png", "confusion_matrix_curve.png", "gradient_to_weight_ratio_over_time.png"),
    *("loss_progress.png", "overfit_training_curve.png", "training_curve.png"),
]
FILES = ["histograms.jsonl", "history.jsonl", "model.keras", "overfit.json", "run.json", "scores.json"]


@pytest.fixture(autouse=True)
def quick(request, monkeypatch):
    """A short overfit check, and no pictures but where they are looked for."""
    monkeypatch.setattr(fitting, "OVERFIT_EPOCHS", 3)
    if request.function is not test_run_writes_every_file_of_the_record:
        monkeypatch.setattr(pipeline.plots, "draw", lambda record, folder: {})


@pytest.fixture
def csv(tmp_path):
    return write_csv(tmp_path / "faces.csv", tiny((42, 9, 9)))


def go(experiment, csv, output, **options):
    return run(experiment, data=csv, output=output, **{"tracking": "disabled", "precision": "float32"} | options)


changed = dataclasses.replace


def untimed(record):
    """The record without what differs between two runs of the same."""
    history = [{key: value for key, value in row.items() if key != "epoch_time"} for row in record["history"]]
    return record | {"history": history, "environment": None}


def visible(folder):
    return sorted(name for name in os.listdir(folder) if not name.startswith("."))


def test_run_writes_every_file_of_the_record(tmp_path, csv):
    folder, record = go(TINY, csv, tmp_path / "runs")
    assert folder.parent == tmp_path / "runs" / "tiny"
    assert visible(folder) == sorted([*FILES, *PICTURES])
    assert record == records.read(folder)
    assert record["experiment"] == json.loads(json.dumps(dataclasses.asdict(TINY))) | {
        "model_options": {"units": [6], "normalization": None, "activation": "relu", "dropout": 0.2, "l2": 0.0}
        | {"initialization": "pytorch", "momentum": 0.9, "epsilon": 1e-5, "negative_slope": 0.01}
    }
    faces = load(csv)
    assert record["data"] == {
        "source": "faces.csv",
        "digest": faces.digest,
        "synthetic": False,
        "class_names": ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"],
        "images": {"train": 42, "validation": 9, "test": 9},
    }
    assert record["environment"]["backend"] == keras.backend.backend()
    assert record["environment"]["precision"] == "float32"
    assert [row["epoch"] for row in record["history"]] == [1, 2, 3]
    assert [row["epoch"] for row in records.rows(folder / records.HISTOGRAMS)] == [1, 2, 3]
    assert set(record["overfit"]) >= {"text"}


def test_scores_are_those_of_the_saved_model_on_the_test_images(tmp_path, csv):
    folder, record = go(TINY, csv, tmp_path / "runs")
    test = split(load(csv))["test"]
    found = probabilities(saving.load(folder / "model.keras"), test.images)
    expected = evaluation.scores(test.labels, found, np.ones(9, bool))
    assert record["scores"]["accuracy"] == expected["accuracy"]
    assert record["scores"]["loss"] == pytest.approx(expected["loss"], rel=1e-4)


def test_same_seed_gives_the_same_record_and_another_directory(tmp_path, csv):
    first, one = go(TINY, csv, tmp_path / "runs")
    second, two = go(TINY, csv, tmp_path / "runs")
    assert first != second and first.parent == second.parent
    assert untimed(one) == untimed(two)
    _, other = go(dataclasses.replace(TINY, seed=1), csv, tmp_path / "runs")
    assert untimed(other)["history"] != untimed(one)["history"]


def interrupt(monkeypatch, file, epoch):
    """Ctrl-C while the row of `epoch` is to be written into `file`."""
    append = records.append

    def interrupted(path, row):
        if path.name == file and row["epoch"] == epoch:
            raise KeyboardInterrupt
        append(path, row)

    monkeypatch.setattr(records, "append", interrupted)


@pytest.mark.parametrize("file, epoch", [("history.jsonl", 1), ("history.jsonl", 2), ("histograms.jsonl", 3)])
def test_interrupted_run_goes_on_to_the_same_record(tmp_path, csv, monkeypatch, file, epoch):
    _, whole = go(TINY, csv, tmp_path / "whole")
    with monkeypatch.context() as patch:
        interrupt(patch, file, epoch)
        with pytest.raises(KeyboardInterrupt):
            go(TINY, csv, tmp_path / "runs")
    (folder,) = (tmp_path / "runs" / "tiny").iterdir()
    assert not records.is_complete(folder) and len(records.read(folder)["history"]) == epoch - 1
    overfit = (folder / "overfit.json").stat().st_mtime_ns
    again, record = go(TINY, csv, tmp_path / "runs")
    assert again == folder
    assert untimed(record) == untimed(whole)
    assert (folder / "overfit.json").stat().st_mtime_ns == overfit  # not done twice
    assert [row["epoch"] for row in records.rows(folder / records.HISTOGRAMS)] == [1, 2, 3]
    assert visible(folder) == FILES


def test_run_interrupted_after_the_row_but_before_the_checkpoint_repeats_the_epoch(tmp_path, csv, monkeypatch):
    _, whole = go(TINY, csv, tmp_path / "whole")
    append = records.append

    def interrupted(path, row):
        append(path, row)
        if path.name == "history.jsonl" and row["epoch"] == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(records, "append", interrupted)
        go(TINY, csv, tmp_path / "runs")
    folder, record = go(TINY, csv, tmp_path / "runs")
    assert untimed(record) == untimed(whole)


def test_checkpoint_beyond_the_history_is_told(tmp_path, csv, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, "history.jsonl", 3)
        go(TINY, csv, tmp_path / "runs")
    (folder,) = (tmp_path / "runs" / "tiny").iterdir()
    (folder / "history.jsonl").write_text('{"epoch": 1}\n')
    with pytest.raises(InputError, match="its checkpoint is of epoch 2, its history has 1 epochs. Delete the run"):
        go(TINY, csv, tmp_path / "runs")


def test_run_that_another_process_finished_meanwhile_is_left_as_it_is(tmp_path, csv, monkeypatch):
    folder, record = go(TINY, csv, tmp_path / "runs")
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir() if path.name != ".lock"}
    monkeypatch.setattr(records, "find_unfinished", lambda *_: folder)
    assert go(TINY, csv, tmp_path / "runs") == (folder, record)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir() if path.name != ".lock"} == before


def test_leftovers_of_a_killed_process_are_removed(tmp_path, csv, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, "history.jsonl", 2)
        go(TINY, csv, tmp_path / "runs")
    (folder,) = (tmp_path / "runs" / "tiny").iterdir()
    (folder / ".checkpoint-abcd1234.npz").write_bytes(b"half")
    go(TINY, csv, tmp_path / "runs")
    assert visible(folder) == FILES and not list(folder.glob(".*-*"))


@pytest.mark.parametrize("step", ["save", "evaluate_split", "draw"])
def test_run_interrupted_after_training_is_not_trained_again(tmp_path, csv, monkeypatch, step):
    place = {"save": pipeline.saving, "evaluate_split": evaluation, "draw": pipeline.plots}[step]

    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(place, step, interrupted)
        go(TINY, csv, tmp_path / "runs")
    (folder,) = (tmp_path / "runs" / "tiny").iterdir()
    assert not records.is_complete(folder)
    history = (folder / "history.jsonl").read_bytes()
    again, record = go(TINY, csv, tmp_path / "runs")
    assert again == folder and (folder / "history.jsonl").read_bytes() == history
    assert record["scores"] and visible(folder) == FILES


KILLED = """
import os, signal, sys
from fer_keras import Experiment
from fer_keras.runs import pipeline, records
from fer_keras.training import fitting
from fer_keras.training.dataset import Batches
fitting.OVERFIT_EPOCHS = 3
append = records.append
def killed(path, row):
    append(path, row)
    if path.name == "history.jsonl" and row["epoch"] == 3:
        os.kill(os.getpid(), signal.SIGKILL)
records.append = killed
csv, output, settings = sys.argv[1:]
pipeline.run(Experiment(**eval(settings)), data=csv, output=output, tracking="disabled", precision="float32")
"""


@pytest.mark.slow
def test_run_of_a_killed_process_goes_on_in_another_to_the_same_record(tmp_path, csv):
    _, whole = go(TINY, csv, tmp_path / "whole")
    command = [sys.executable, "-c", KILLED, csv, tmp_path / "runs", repr(dataclasses.asdict(TINY))]
    assert subprocess.run(command, capture_output=True, timeout=120).returncode == -signal.SIGKILL
    (folder,) = (tmp_path / "runs" / "tiny").iterdir()
    assert records.read(folder)["scores"] is None
    again, record = go(TINY, csv, tmp_path / "runs")
    assert again == folder and untimed(record) == untimed(whole)


@pytest.mark.slow
def test_wandb_gets_every_epoch_and_the_scores(tmp_path, csv, monkeypatch):
    for name in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR"):  # the tracker sets these
        monkeypatch.setenv(name, "")
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_RUN_GROUP"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "config"))
    folder, record = go(TINY, csv, tmp_path / "runs", tracking="offline")
    rows, config, about = read_run(folder)
    assert config["experiment"] == record["experiment"] and config["data"] == record["data"]
    assert (about.project, about.display_name) == ("fer-keras", "tiny")
    for key in ("train_loss", "val_acc", "grad_ratio", "weight_norm/dense_1", "learning_rate"):
        logged = [row[key] for row in rows if key in row]
        assert logged == pytest.approx([row[key] for row in record["history"]])
    assert [row["accuracy"] for row in rows if "accuracy" in row] == [record["scores"]["accuracy"]]
    assert sum("gradients/logits" in row for row in rows) == 3


def test_other_settings_or_data_do_not_go_on_with_an_unfinished_run(tmp_path, csv, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, "history.jsonl", 2)
        go(TINY, csv, tmp_path / "runs")
    (folder,) = (tmp_path / "runs" / "tiny").iterdir()
    others = [
        go(dataclasses.replace(TINY, epochs=1), csv, tmp_path / "runs")[0],
        go(TINY, write_csv(tmp_path / "other.csv", tiny((42, 9, 9), seed=1)), tmp_path / "runs")[0],
    ]
    assert folder not in others and not records.is_complete(folder)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"model": "vgg99"}, "Unknown model 'vgg99'"),
        ({"model_options": {"unit": 3}}, "Model 'nn' has no option 'unit'"),
        ({"model_options": {"units": 3}}, "cannot be built with units=3"),
        ({"augmentation": ("spin",)}, "Unknown augmentation 'spin'"),
        ({"optimizer_options": {"beta": 1}}, "optimizer_options do not fit 'adam'"),
        ({"teachers": ("no.keras",), "distillation": 0.5}, "Cannot read no.keras: No such file"),
        ({"teachers": (__file__,), "distillation": 0.5}, "test_pipeline.py does not end in .keras"),
        ({"teachers": (__file__,)}, r"or neither. Received teachers=\('.*',\), distillation=0.0"),
        ({"distillation": 0.5}, r"or neither. Received teachers=\(\), distillation=0.5"),
        ({"labels": "fer+"}, r"labels='fer\+' needs FER\+ votes, and there are none beside .*faces.csv"),
    ],
)
def test_wrong_experiment_leaves_no_directory(tmp_path, csv, changes, message):
    with pytest.raises(InputError, match=message):
        go(dataclasses.replace(TINY, **changes), csv, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_locked_directory_is_told(tmp_path, csv, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, "history.jsonl", 2)
        go(TINY, csv, tmp_path / "runs")
    (folder,) = (tmp_path / "runs" / "tiny").iterdir()
    with records.locked(folder), pytest.raises(InputError, match="in use by another process"):
        go(TINY, csv, tmp_path / "runs")


def test_evaluation_leaves_out_copies_of_earlier_splits_from_the_leak_free_figures(tmp_path):
    faces = tiny((42, 9, 9))
    faces.images[51] = faces.images[0]  # the first test image is a training image
    parts = split(load(write_csv(tmp_path / "faces.csv", faces)))
    stack = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(7)]
    model = keras.Sequential([keras.Input((48, 48, 1)), *stack])
    scores = evaluation.evaluate_split(model, parts, "test")
    found = probabilities(model, parts["test"].images).argmax(axis=1) == parts["test"].labels
    assert scores["accuracy"] == pytest.approx(found.mean())
    assert scores["leak_free_accuracy"] == pytest.approx(found[1:].mean())
    train = evaluation.evaluate_split(model, parts, "train", tta="flip")
    mirrored = probabilities(model, parts["train"].images, tta="flip").argmax(axis=1) == parts["train"].labels
    assert train["accuracy"] == pytest.approx(mirrored.mean())


def test_distilled_run_names_its_teachers_by_content_and_goes_on_with_the_same_only(tmp_path, csv, monkeypatch):
    teachers = tuple(str(tmp_path / f"{seed}.keras") for seed in (1, 2))
    for seed, path in enumerate(teachers, 1):
        saving.save(saving.publish(fitting.build(changed(TINY, seed=seed), load(csv))), path)
    experiment = changed(TINY, name="student", teachers=teachers, distillation=0.7, label_smoothing=0.1)
    _, whole = go(experiment, csv, tmp_path / "whole")
    assert whole["experiment"]["teachers"] == list(teachers)
    digests = [hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest() for path in teachers]
    assert whole["data"]["teachers"] == digests
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, "history.jsonl", 2)
        go(experiment, csv, tmp_path / "runs")
    (folder,) = (tmp_path / "runs" / "student").iterdir()
    shutil.copy(teachers[1], tmp_path / "kept.keras")
    shutil.copy(teachers[0], teachers[1])
    other, record = go(experiment, csv, tmp_path / "runs")
    assert other != folder and record["data"]["teachers"] == [digests[0]] * 2
    assert record["history"][0]["train_loss"] != whole["history"][0]["train_loss"]
    shutil.copy(tmp_path / "kept.keras", teachers[1])
    again, record = go(experiment, csv, tmp_path / "runs")
    assert again == folder and untimed(record) == untimed(whole)


def test_cleaned_run_trains_without_the_images_and_is_judged_like_any_other(tmp_path):
    faces = tiny((42, 9, 9))
    faces.images[51] = faces.images[0]  # the first test image is a training image
    faces.images[41] = faces.images[40]  # of other classes
    faces.images[7] = faces.images[14]  # of the same class
    csv = write_csv(tmp_path / "faces.csv", faces)
    _, record = go(changed(TINY, deduplicate=True), csv, tmp_path / "runs")
    assert record["data"]["left_out"] == {"in_other_splits": 1, "conflicting": 2, "copies": 1}
    assert record["data"]["images"] == {"train": 38, "validation": 9, "test": 9}
    assert record["scores"]["images"] == 9 and record["scores"]["leak_free_images"] == 8
    _, plain = go(TINY, csv, tmp_path / "runs")
    assert plain["scores"]["leak_free_images"] == 8
    assert untimed(plain)["history"] != untimed(record)["history"]


def test_run_on_ferplus_labels(tmp_path):
    faces = tiny((42, 9, 9))
    votes = np.zeros((60, 10), int)
    votes[np.arange(60), np.array(ORDER)[(faces.labels + 1) % 7]] = 10  # everyone sees the next emotion
    votes[[0, 59]] = [5, 5, *[0] * 8]  # a tie
    write_votes(tmp_path / "fer2013new.csv", faces, votes)
    csv = write_csv(tmp_path / "faces.csv", faces)
    folder, record = go(changed(TINY, labels="fer+"), csv, tmp_path / "runs")
    assert record["data"]["images"] == {"train": 41, "validation": 9, "test": 8}
    assert record["data"]["digest"] == load(csv, labels="fer+").digest != load(csv).digest
    found = probabilities(saving.load(folder / "model.keras"), faces.images[51:59])
    expected = evaluation.scores((faces.labels[51:59] + 1) % 7, found)
    assert record["scores"]["confusion"] == expected["confusion"]


def test_run_on_distributions_of_votes(tmp_path):
    faces = tiny((42, 9, 9))
    votes = np.zeros((60, 10), int)
    votes[:] = np.eye(10, dtype=int)[7] * 6 + np.eye(10, dtype=int)[0] * 4  # contempt and neutral, 6 to 4
    write_votes(tmp_path / "fer2013new.csv", faces, votes)
    csv = write_csv(tmp_path / "faces.csv", faces)
    folder, record = go(changed(TINY, labels="fer+8", epochs=1), csv, tmp_path / "runs")
    assert record["data"]["class_names"] == [*EMOTIONS, "contempt"]
    assert saving.load(folder / "model.keras").class_names == (*EMOTIONS, "contempt")
    targets = Batches(split(load(csv, labels="fer+8"))["train"], changed(TINY, labels="fer+8")).targets
    np.testing.assert_allclose(targets[0], [0, 0, 0, 0, 0, 0, 0.4, 0.6])
    assert evaluation.evaluate(folder / "model.keras", csv).labels == "fer+8"


def test_drawn_faces_are_kept_apart(tmp_path):
    about = evaluation.describe_data(dataclasses.replace(tiny(), source="here", synthetic=True), split(tiny()))
    assert about["synthetic"] and about["source"] == "here"
    assert about["images"] == {"train": 14, "validation": 7, "test": 7}


@pytest.mark.parametrize("settings", [{}, {"label_smoothing": 0.1, "mixup": 0.2}])
def test_run_on_classes_of_ones_own(tmp_path, settings):
    names = ("bored", "délighté", "other")
    random = np.random.default_rng(0)
    for part, count in (("train", 30), ("val", 9), ("test", 9)):
        for number in range(count):
            path = tmp_path / "faces" / part / names[number % 3] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            PIL.Image.fromarray(random.integers(0, 256, (48, 48), "uint8")).save(path)
    faces = load(tmp_path / "faces", classes="own")
    folder, record = go(changed(TINY, **settings), faces, tmp_path / "runs")
    assert record["data"]["class_names"] == list(names)
    assert np.shape(record["scores"]["confusion"]) == (3, 3)
    model = saving.load(folder / "model.keras")
    assert model.class_names == names and model.output_shape == (None, 3)
    with pytest.raises(
        InputError, match="teacher .* has the classes bored, délighté, other, but the data has angry"
    ):
        student = changed(TINY, teachers=(str(folder / "model.keras"),), distillation=0.5)
        go(student, write_csv(tmp_path / "faces.csv", tiny((42, 9, 9))), tmp_path / "runs")


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "torch", reason="the kept run is of torch")
def test_kept_run_of_0_1_0_is_repeated(tmp_path):
    """Bit for bit with the same processor, versions and threads; elsewhere sums are rounded in another order."""
    kept = records.read(SAMPLE)
    environment = kept["environment"]
    _, record = pipeline.run(
        Experiment(**kept["experiment"]),
        data="synthetic",
        output=tmp_path,
        tracking="disabled",
        precision=environment["precision"],
    )
    same = ("processor", "backend_version", "keras", "numpy", "threads")
    exact = all(environment[key] == record["environment"][key] for key in same)
    for old, new in zip(kept["history"], record["history"], strict=True):
        figures = {key: value for key, value in old.items() if key != "epoch_time"}
        assert {key: new[key] for key in figures} == (figures if exact else pytest.approx(figures, rel=0.05))
    assert record["scores"]["loss"] == pytest.approx(kept["scores"]["loss"], rel=1e-12 if exact else 0.05)

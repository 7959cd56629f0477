"""A network for classes of the user's: what is learned, written, left out and refused."""

import contextlib
import dataclasses
import json
import re
import shutil

import keras
import numpy as np
import pytest
from helpers.patterns import CLASSES, base_network, pattern, write_folders
from helpers.portraits import PORTRAIT
from PIL import Image

import fer_keras
from fer_keras import data, evaluation
from fer_keras.core.errors import InputError
from fer_keras.data import EMOTIONS
from fer_keras.inference import engines, export, input_scale
from fer_keras.inference.prediction import probabilities
from fer_keras.model_files import saving
from fer_keras.runs import own_faces
from fer_keras.runs.finetune import finetune
from fer_keras.training import finetuning


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(finetuning, "EPOCHS", 1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The run directory and record of a network for three patterns, and their folder."""
    home = tmp_path_factory.mktemp("finetune")
    folder = write_folders(home / "patterns", (20, 15, 15))
    (folder / "rows" / "broken.png").write_bytes(b"no image")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finetuning, "EPOCHS", 2)
        return *fer_keras.finetune(folder, base=base_network(), output=home / "runs"), folder


def test_it_learns_the_patterns_and_scores_them(trained):
    directory, record, _ = trained
    assert record["scores"]["accuracy"] >= 0.9
    assert record["data"]["class_names"] == list(CLASSES)
    assert record["data"]["images"] == {"train": 30, "validation": 10, "test": 10}
    assert np.sum(record["scores"]["confusion"], axis=1).tolist() == [4, 3, 3], "a fifth of each class"
    assert [row["images"] for row in record["finetune"]["learning_curve"]] == [8, 15, 30]
    assert record["experiment"]["name"] == "Finetune-patterns"


def test_images_that_cannot_be_read_are_counted(trained):
    directory, record, folder = trained
    broken = {"images": 1, "example": str(folder / "rows" / "broken.png")}
    assert record["data"]["skipped"] == {"not a readable image": broken}
    assert "1 (not a readable image" in (directory / "card.md").read_text(encoding="utf-8")


def test_directory_holds_the_network_its_faces_and_figures(trained):
    directory, record, _ = trained
    names = {path.name for path in directory.iterdir()} - {".lock"}
    pictures = {"confusion_matrix_curve.png", "learning_curve.png", "training_curve.png"}
    files = {"card.md", "faces", "finetune.json", "history.jsonl", "model.keras", "run.json", "scores.json"}
    assert names == pictures | files
    faces = data.load(directory / "faces", classes="own")
    parts = data.split(faces)
    assert {name: len(part) for name, part in parts.items()} == record["data"]["images"]
    network = saving.load(directory / "model.keras")
    assert network.class_names == CLASSES
    right = probabilities(network, parts["test"].images).argmax(axis=1) == parts["test"].labels
    assert right.mean() == record["scores"]["accuracy"]


def test_evaluated_on_its_own_faces_it_has_the_figures_of_its_record(trained, caplog):
    directory, record, _ = trained
    found = evaluation.evaluate(directory / "model.keras", directory / "faces")
    assert found.scores["accuracy"] == record["scores"]["accuracy"]
    assert found.data["digest"] == record["data"]["digest"]
    assert [row.getMessage() for row in caplog.records if row.name == "fer_keras"] == []


def test_images_that_it_was_trained_on_are_no_test(trained, tmp_path, caplog):
    directory, _, folder = trained
    shutil.copytree(folder, tmp_path / "patterns")
    (tmp_path / "patterns" / "rows" / "broken.png").unlink()
    with pytest.raises(InputError, match=r"of the \d images are training or validation images of .*model.keras"):
        evaluation.evaluate(directory / "model.keras", tmp_path / "patterns")
    new = write_folders(tmp_path / "new", (10, 10, 10), "test", seed=5)
    write_folders(tmp_path / "new", (10, 10, 10), "train", seed=6)
    known = sorted((directory / "faces" / "train" / "rows").iterdir())[0]
    shutil.copy(known, new / "test" / "rows")
    found = evaluation.evaluate(directory / "model.keras", new)
    assert found.scores["images"] == 31
    assert f"1 of the 31 images are training or validation images of {directory / 'model.keras'}." in caplog.text


def test_emotions_of_a_run_are_found_again_in_fer2013s_order(tmp_path):
    """A network of the seven emotions gives them in that order, folders in the order of their names."""
    for code, name in enumerate(sorted(EMOTIONS)):
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(6):
            grey = np.full((48, 48), 10 * code + number, np.uint8)
            Image.fromarray(grey).save(tmp_path / "set" / name / f"{number}.png")
    directory, record = finetune(tmp_path / "set", base=base_network(), output=tmp_path / "runs")
    assert (
        evaluation.evaluate(directory / "model.keras", directory / "faces").data["digest"]
        == record["data"]["digest"]
    )


def test_thresholds_are_those_of_the_validation_images(trained):
    directory, record, _ = trained
    calibration = record["finetune"]["conformal"]["none"]
    parts = data.split(data.load(directory / "faces", classes="own"))
    found = probabilities(saving.load(directory / "model.keras"), parts["validation"].images)
    scores = np.sort(1 - found[np.arange(len(found)), parts["validation"].labels])
    assert calibration["images"] == len(found)
    assert calibration["thresholds"]["90"] == pytest.approx(scores[-1], abs=1e-6)  # rank ceil(11 * 0.9) = 10 of 10
    assert calibration["thresholds"]["95"] is None  # rank 11 of 10


def test_card_shows_how_errors_fall_as_the_network_abstains(trained):
    directory, record, _ = trained
    first = record["finetune"]["risk_coverage"]["none"][0]
    assert first == {"min_confidence": 0, "answered": 1, "accuracy": record["scores"]["accuracy"]}
    wrong = 1 - record["scores"]["accuracy"]
    assert f"| 0.0 | 1.000 | {wrong:.3f} |" in (directory / "card.md").read_text(encoding="utf-8")


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="ONNX is written on torch")
def test_names_are_in_the_exported_network(trained, tmp_path):
    network = saving.load(trained[0] / "model.keras")
    export.export(network, tmp_path / "model.onnx", "onnx")
    assert engines.OnnxEngine(tmp_path / "model.onnx").class_names == CLASSES


def test_equal_seeds_give_equal_networks(tmp_path):
    folder = write_folders(tmp_path / "patterns", (10, 10, 10))
    runs = [finetune(folder, base="tiny", output=tmp_path / str(i)) for i in range(2)]  # it has dropout
    losses = [[row["train_loss"] for row in record["history"]] for _, record in runs]
    assert losses[0] == losses[1]
    weights = [saving.load(run / "model.keras").get_weights() for run, _ in runs]
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_two_classes_with_splits_that_stand(tmp_path):
    folder = tmp_path / "set"
    for seed, split in enumerate(("train", "val", "test")):
        write_folders(folder, (6, 4), split, seed)
    base = base_network()
    before = [weight.copy() for weight in base.get_weights()]
    _, record = finetune(folder, base=base, output=tmp_path / "runs")
    assert record["data"]["images"] == {"train": 10, "validation": 10, "test": 10}
    assert np.shape(record["scores"]["confusion"]) == (2, 2)
    for one, other in zip(before, base.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other, "the network of the caller stays as it is")


def test_head_is_the_best_network_where_training_does_not_help(monkeypatch):
    monkeypatch.setattr(finetuning, "LEARNING_RATE", 5.0)
    random = np.random.default_rng(0)
    labels = np.arange(12) % 2
    images = np.stack([pattern(code, random) for code in labels])
    faces = data.faces.make_faces(images, labels, np.zeros(12), "", ("a", "b"))
    body = finetuning.body_of(base_network())
    features = finetuning.features_of(body, faces, faces, lambda count: None)
    model = finetuning.with_head(body, finetuning.fit_head(features, np.arange(12), 2))
    before = [weight.copy() for weight in model.get_weights()]
    finetuning.fit_all(model, faces, faces, seed=0)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_two_class_head_gives_the_logits_of_the_regression():
    random = np.random.default_rng(0)
    labels = np.arange(40) % 2
    train = random.normal(labels[:, None], 1, (40, 3)).astype("float32")
    features = finetuning.Features(train, train, train, labels, labels)
    head = finetuning.fit_head(features, np.arange(40), 2)
    logits = train @ head.kernel + head.bias
    np.testing.assert_allclose(logits[:, 0], -logits[:, 1], atol=1e-5)
    assert head.accuracy == (logits.argmax(axis=1) == labels).mean() > 0.6
    assert head.loss == pytest.approx(
        np.log1p(np.exp(logits[:, 0] - logits[:, 1]))[labels == 1].mean() / 2
        + np.log1p(np.exp(logits[:, 1] - logits[:, 0]))[labels == 0].mean() / 2
    )


def test_faces_are_cut_out_of_photographs(tmp_path):
    folder = write_folders(tmp_path / "set", (1, 1))
    for name in ("rows", "stripes"):
        shutil.copy(PORTRAIT, folder / name / "portrait.png")
        Image.fromarray(np.full((60, 80), 90, np.uint8)).save(folder / name / "wall.png")
    faces = own_faces.read(folder)
    assert len(faces) == 4
    assert faces.skipped["no face found"]["images"] == 2
    portraits = np.flatnonzero([name.endswith("portrait.png") for name in faces.names])
    expected = fer_keras.FER().find(PORTRAIT)[0].crop
    np.testing.assert_array_equal(np.asarray(faces.images)[portraits[0]], expected)


def faces_of(labels, names, images):
    faces = data.faces.make_faces(images, labels, np.full(len(labels), -1), "set", ("a", "b"))
    return dataclasses.replace(faces, names=np.array(names, object))


def test_images_of_a_person_and_copies_stay_on_one_side():
    labels = np.arange(80) % 2
    persons = [f"p{row // 4}" for row in range(80)]  # 20 persons with 4 images each
    images = np.arange(80)[:, None] + np.zeros((1, 2304))
    images[4] = images[0]  # a copy joins the persons p0 and p1
    faces = faces_of(labels, [f"{p}_{i}.png" for i, p in enumerate(persons)], images)
    assert own_faces.persons_by_name(faces.names, labels, "ab") == persons
    parts, left_out = own_faces.split(faces, persons, seed=0)
    sides = {name: {n.partition("_")[0] for n in part.names} for name, part in parts.items()}
    assert sum(map(len, sides.values())) == 20 and all(len(found) >= 3 for found in sides.values())
    assert any({"p0", "p1"} <= found for found in sides.values())
    assert left_out["in_other_splits"] == 0


@pytest.mark.parametrize(
    "name",
    [
        *("img_{}.png", "{}.png", "{}_face.png", "2024010{}_1.png"),
        *("19{:02}-1.png", "a/{}.png", "p{}{}x_1.png"),
    ],
)
def test_names_that_cannot_be_of_persons_are_not_taken_for_any(name, caplog):
    names = [name.format(i, "") for i in range(20)]
    assert own_faces.persons_by_name(names, np.arange(20) % 2, "ab") is None
    assert not caplog.messages


@pytest.mark.parametrize("separator", "_-. ")
def test_prefixes_of_persons(separator):
    names = [f"a/p{i % 10}{separator}{i}.png" for i in range(20)]
    assert own_faces.persons_by_name(names, np.arange(20) // 10, "ab") == [f"p{i % 10}" for i in range(20)]


def test_folders_of_persons_in_each_class():
    names = [f"{'ab'[i // 10]}/p{i % 5}/{i}.png" for i in range(20)]
    assert own_faces.persons_by_name(names, np.arange(20) // 10, "ab") == [f"p{i % 5}" for i in range(20)]


def test_too_few_persons_to_split_by_are_told(caplog):
    names = [f"p{i % 4}_{i}.png" for i in range(20)]
    assert own_faces.persons_by_name(names, np.arange(20) // 10, "ab") is None
    assert caplog.messages == [
        "The file names begin with 4 different words, such as 'p0'. If these are persons, 'a' has only 4, fewer "
        "than 5 to split by, and images of one person come to several splits."
    ]


def test_persons_in_several_of_the_splits_that_stand_are_told(caplog):
    images = np.arange(40)[:, None] + np.zeros((1, 2304))
    faces = dataclasses.replace(faces_of(np.arange(40) % 2, [""] * 40, images), usages=np.repeat([0, 2], 20))
    persons = ["ann"] * 2 + [f"p{i}" for i in range(2, 38)] + ["ann"] * 2
    own_faces.split(faces, persons, seed=0)
    assert caplog.messages == [
        "1 of 37 persons, such as 'ann', have images in train and in validation or test, so scores may be too "
        "high."
    ]


def test_a_validation_split_without_a_test_split_is_told(caplog):
    images = np.arange(40)[:, None] + np.zeros((1, 2304))
    faces = dataclasses.replace(faces_of(np.arange(40) % 2, [""] * 40, images), usages=np.repeat([0, 1], 20))
    parts, _ = own_faces.split(faces, None, seed=0)
    assert {name: len(part) for name, part in parts.items()} == {"train": 16, "validation": 4, "test": 20}
    assert "set has no test split: its validation split is the test split" in caplog.text


def test_images_left_out_are_told(caplog, tmp_path):
    folder = tmp_path / "set"
    for seed, (split, count) in enumerate((("train", 10), ("val", 4), ("test", 4))):
        write_folders(folder, (count, count), split, seed)
    shutil.copy(folder / "test" / "rows" / "0.png", folder / "train" / "rows" / "copy.png")
    shutil.copy(folder / "train" / "rows" / "9.png", folder / "train" / "stripes" / "other.png")
    directory, record = finetune(folder, base=base_network(), output=tmp_path / "runs")
    words = "1 copies of validation or test images, 2 copies with another class"
    assert f"Training images left out: {words}." in caplog.messages
    assert f"Training images left out: {words}." in (directory / "card.md").read_text(encoding="utf-8")


def test_a_class_that_is_left_out_as_a_whole_says_why():
    images = np.arange(19)[:, None] + np.zeros((1, 2304))
    images[12:15] = images[:3]
    labels = [0] * 12 + [1] * 3 + [0, 1, 0, 1]
    faces = dataclasses.replace(faces_of(labels, [""] * 19, images), usages=np.repeat([0, 1, 2], [15, 2, 2]))
    with pytest.raises(
        InputError, match="No image of 'b' is left for train .left out: 6 copies with another class"
    ):
        own_faces.split(faces, None, seed=0)


def test_a_known_face_set_is_read_by_its_own_names(tmp_path):
    for i, code in enumerate(("AN", "HA", "SA")):
        for person in range(6):
            grey = np.full((48, 48), 20 * i + person, np.uint8)
            Image.fromarray(grey).save(tmp_path / f"P{'ABCDEF'[person]}.{code}1.{person}.tiff")
    faces = own_faces.read(tmp_path)
    assert faces.class_names == ("angry", "happy", "sad") and np.bincount(faces.labels).tolist() == [6, 6, 6]
    persons = own_faces.persons_by_name(faces.names, faces.labels, faces.class_names)
    assert set(persons) == {"PA", "PB", "PC", "PD", "PE", "PF"}


def test_faces_are_cut_by_the_boxes_of_a_list(tmp_path):
    photograph = np.zeros((100, 120), np.uint8)
    photograph[10:58, 20:68], photograph[40:88, 70:118] = 100, 200
    Image.fromarray(photograph).save(tmp_path / "a.png")
    lines = ["a.png 0 10 20 68 58 90.5 3", "a.png 1 40 70 118 88 90.5 4"]
    (tmp_path / "label.lst").write_text("\n".join(lines) + "\n")
    faces = own_faces.read(tmp_path)
    assert faces.class_names == ("happy", "sad")
    assert [int(np.median(image)) for image in faces.images] == [100, 200]


def test_persons_of_a_file(tmp_path):
    path = tmp_path / "persons.csv"
    path.write_text("file,person\na/1.png,ann\nb/2.png,bob\n", encoding="utf-8")
    assert own_faces.read_persons(path, ["b/2.png", "a/1.png"]) == ["bob", "ann"]
    path.write_text("file,person\na/1.png,ann\na/1.png,ann\nb/2.png,bob\nb/2.png,eve\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"names two persons for b/2\.png. Give each file one row"):
        own_faces.read_persons(path, ["b/2.png", "a/1.png"])
    path.write_text("file,person\na/1.png,ann\nb/2.png,bob\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"does not name the person of b/3\.png \(1 such files\)"):
        own_faces.read_persons(path, ["b/2.png", "b/3.png"])
    path.write_text("name\nann\n", encoding="utf-8")
    with pytest.raises(InputError, match="must be CSV with the columns file"):
        own_faces.read_persons(path, ["b/2.png"])


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ((9,), "expected 2 to 50 different names"),
        ((9, 4), "'stripes' in .* has 4 different images to draw splits from, expected at least 5"),
    ],
)
def test_too_few_classes_or_images(tmp_path, counts, message):
    with pytest.raises(InputError, match=message):
        finetune(write_folders(tmp_path / "set", counts), base=base_network(), output=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_folders_that_are_no_data(tmp_path):
    with pytest.raises(InputError, match="There is no folder"):
        own_faces.read(tmp_path / "none")
    with pytest.raises(InputError, match="holds no images"):
        own_faces.read(tmp_path)
    folder = write_folders(tmp_path / "set", (2, 2))
    (folder / "empty").mkdir()
    with pytest.raises(InputError, match="The folder .*empty holds no images. Put images into it, or remove it"):
        own_faces.read(folder)
    (folder / "empty" / "film.mp4").write_bytes(b"film")
    with pytest.raises(InputError, match="The folder .*empty holds no images"):
        own_faces.read(folder)
    for name in ("__pycache__", "__MACOSX", ".git"):
        (folder / name).mkdir()
    (folder / "rows" / "notes").mkdir()
    (folder / "rows" / "notes" / "1.txt").write_text("about these rows")
    shutil.rmtree(folder / "empty")
    assert len(own_faces.read(folder)) == 4


@pytest.mark.parametrize("path", ["", None])
def test_no_folder_is_not_the_working_directory(path):
    with pytest.raises(InputError, match="There is no folder ''"):
        own_faces.read(data.FaceSet(path))


def test_more_than_fifty_classes(tmp_path):
    for number in range(51):
        (tmp_path / f"c{number}").mkdir()
        Image.fromarray(np.zeros((48, 48), np.uint8)).save(tmp_path / f"c{number}" / "1.png")
    with pytest.raises(InputError, match="expected 2 to 50 different names"):
        own_faces.read(tmp_path)


def test_class_without_a_usable_image(tmp_path):
    folder = write_folders(tmp_path, (2, 2))
    (folder / "étoile").mkdir()
    (folder / "étoile" / "1.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"has no image of 'étoile' that can be used \(1 not a readable image\)"):
        own_faces.read(folder)


def test_numbered_folders_chosen_classes_and_the_depth_of_the_whole_set(tmp_path):
    for number, values in ((1, (100, 200)), (2, (300, 4095)), (4, (50, 60))):
        (tmp_path / str(number)).mkdir()
        for i, value in enumerate(values):
            grey = np.full((48, 48), value, np.uint16)
            Image.fromarray(grey).save(tmp_path / str(number) / f"{i}.png")
    given = data.FaceSet(tmp_path, classes=("fear", "surprise"), label_codes="raf-db")
    faces = own_faces.read(given)
    assert faces.class_names == ("fear", "surprise") and faces.labels.tolist() == [1, 0, 1, 0]
    assert faces.images[:, 0, 0, 0].tolist() == [6, 18, 12, 255]  # by 4095, 12 bits: 100 / 16, 300 / 16, …
    assert "4 integer images of up to 16 bits were read as 12-bit by the largest value of all" in faces.notes[0]
    deep = own_faces.read(dataclasses.replace(given, bit_depth=16))
    assert deep.images[:, 0, 0, 0].tolist() == [0, 1, 0, 15]
    with pytest.raises(InputError, match="has no image of 'neutral' that can be used"):
        own_faces.read(dataclasses.replace(given, classes=("fear", "neutral")))


def test_networks_that_cannot_be_a_base():
    images = keras.Input((64, 64, 1))
    larger = keras.Model(images, keras.layers.Dense(3)(keras.layers.Flatten()(images)))
    with pytest.raises(InputError, match=r"Only networks for \(48, 48, 1\)"):
        finetuning.body_of(larger)
    images = keras.Input((48, 48, 1))
    convolution = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(3, 3)(images))
    with pytest.raises(InputError, match="ends in Conv2D, expected a Dense layer"):
        finetuning.body_of(keras.Model(images, convolution))


def test_base_of_another_input_scale_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(input_scale, "known", lambda model: "0-1")
    with pytest.raises(InputError, match="expects the input scale 0-1"):
        finetune(tmp_path, base=base_network(), output=tmp_path / "runs")
    monkeypatch.setattr(input_scale, "known", lambda model: None)
    with pytest.raises(InputError, match="expects the input scale that its layers do not show"):
        finetune(tmp_path, base=base_network(), output=tmp_path / "runs")


def test_base_whose_classes_have_no_names(tmp_path):
    """They are not needed: the last layer is replaced."""
    base_network().save(tmp_path / "own.keras")
    directory, _ = finetune(
        write_folders(tmp_path / "set", (6, 6)), base=tmp_path / "own.keras", output=tmp_path / "runs"
    )
    assert saving.load(directory / "model.keras").class_names == CLASSES[:2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed must be a whole number from 0 to 2147483646. Received -1."),
        ({"seed": 2**31}, "seed must be a whole number from 0 to 2147483646."),
        ({"seed": 1.5}, "seed must be a whole number"),
        ({"base": None}, "base must be a network's name, a .keras file or a keras.Model. Received None."),
        ({"folder": 7}, "folder must be a path or a FaceSet. Received 7."),
        ({"folder": data.FaceSet(".", bit_depth=20)}, "bit_depth must be from 8 to 16. Received 20."),
    ],
)
def test_arguments_of_other_types(tmp_path, arguments, message):
    write_folders(tmp_path / "set", (6, 6))
    with pytest.raises(InputError, match=re.escape(message)), contextlib.chdir(tmp_path):
        finetune(**{"folder": "set", "base": base_network(), **arguments})


def test_largest_seed(tmp_path):
    finetune(write_folders(tmp_path / "set", (6, 6)), base=base_network(), output=tmp_path, seed=2**31 - 2)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_what_fails_leaves_no_directory(tmp_path, monkeypatch, error):
    def fail(*args):
        raise error

    monkeypatch.setattr(finetuning, "fit_all", fail)
    folder = write_folders(tmp_path / "set", (6, 6))
    with pytest.raises(error):
        finetune(folder, base=base_network(), output=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
    (tmp_path / "runs").mkdir()
    with pytest.raises(error):
        finetune(folder, base=base_network(), output=tmp_path / "runs")
    assert not list((tmp_path / "runs").iterdir())


def test_record_is_json_without_paths_of_the_user(trained):
    directory, _, folder = trained
    run = json.loads((directory / "run.json").read_text(encoding="utf-8"))
    assert run["data"]["source"] == folder.name

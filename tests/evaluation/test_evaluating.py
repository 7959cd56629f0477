"""The Python side of `fer-keras evaluate`: what it takes, what it refuses to report."""

import dataclasses
import logging

import keras
import numpy as np
import pytest
from helpers import data_forms

import fer_keras
from fer_keras import evaluation
from fer_keras.core.errors import InputError
from fer_keras.data import EMOTIONS, load, split
from fer_keras.data.faces import make_faces
from fer_keras.model_files import saving

L = keras.layers


def stripes(count, names=EMOTIONS):
    """Faces of which class c has its brightest row in 6 c: one dense layer tells them apart."""
    labels = np.arange(count) % len(names)
    images = np.random.default_rng(0).integers(0, 60, (count, 48, 48, 1)).astype("uint8")
    images[np.arange(count), 6 * labels] = 255
    return make_faces(images, labels, np.repeat([0, 1], [count - 70, 70]), "stripes", names)


FACES = stripes(350)


def reader(*stack, names=EMOTIONS, temperature=1.0, offset=0.0):
    """A network that reads the stripes from the values behind `stack`, if they are about 0 to 1."""
    images = keras.Input((48, 48, 1))
    x = images
    for layer in stack:
        x = layer(x)
    kernel = np.zeros((48, 48, len(names)), "float32")
    for code in range(len(names)):
        kernel[6 * code, :, code] = 1 / 48 / temperature
    dense = L.Dense(len(names), activation="softmax")
    model = keras.Model(images, dense(L.Flatten()(x)), name="reader")
    dense.set_weights([kernel.reshape(2304, -1), np.full(len(names), offset, "float32")])
    return model


SEES = [L.Rescaling(1 / 255)]


def test_scores_of_a_network_and_what_is_said_of_them():
    found = fer_keras.evaluate(reader(*SEES), FACES)
    assert found.scores["accuracy"] == 1 and found.scores["images"] == 70
    assert found.models == ("keras.Model('reader')",) and found.class_names == EMOTIONS
    assert (found.split, found.tta, found.seed, found.labels) == ("test", "none", 0, "original")
    assert found.data["images"] == {"train": 252, "validation": 28, "test": 70}
    assert found.data["class_names"] == list(EMOTIONS) and found.data["digest"] == FACES.digest
    assert found.table().startswith("images              70\naccuracy            1.0000\n")
    about = found.as_dict()
    assert about["model"] == "keras.Model('reader')" and about["scores"] is found.scores


def test_groups_of_rows_with_what_the_sets_cover(tmp_path):
    network = reader(*SEES)
    network.conformal = {"none": {"images": 99, "thresholds": {"90": 0.0}}}
    lines = [f"{row},{'left' if row < 300 else 'right'}" for row in range(350)]
    (tmp_path / "groups.csv").write_text("\n".join(["file,side", *lines]), encoding="utf-8")
    found = fer_keras.evaluate(network, FACES, groups=tmp_path / "groups.csv")
    left, right = found.groups["side"]["groups"]
    assert (left["group"], left["images"], left["accuracy"], left["covered"]) == ("left", 20, 1, 1)
    assert (right["group"], right["images"]) == ("right", 50)
    assert "Smallest group: left." in found.table() and found.as_dict()["groups"] is found.groups


def test_groups_of_rows_are_those_of_the_users_table(tmp_path):
    data_forms.write_csv(tmp_path / "faces.csv", FACES)
    lines = [f"{row},{EMOTIONS[row % 7]}" for row in range(350)]  # the class of row r is r % 7
    (tmp_path / "groups.csv").write_text("\n".join(["file,expression", *lines]), encoding="utf-8")
    faces = load(tmp_path / "faces.csv", classes=("happy", "fear"))  # 2 of 7 rows
    network = reader(*SEES, names=("happy", "fear"))
    network.class_names = ("happy", "fear")
    found = evaluation.evaluate(network, faces, class_order=("happy", "fear"), groups=tmp_path / "groups.csv")
    assert [(row["group"], row["images"]) for row in found.groups["expression"]["groups"]] == [
        ("fear", 10),
        ("happy", 10),
    ]


def test_sets_of_more_classes_than_the_data_has_are_not_scored(tmp_path):
    wider = reader(*SEES, names=("rot", "grün", "blau", "schwarz"))
    wider.conformal = {"none": {"images": 99, "thresholds": {"90": 0.0}}}
    wider.class_names = ("rot", "grün", "blau", "schwarz")
    faces = stripes(350, ("rot", "grün", "blau"))
    (tmp_path / "groups.csv").write_text("file,side\n" + "".join(f"{row},left\n" for row in range(350)))
    found = evaluation.evaluate(wider, faces, class_order=wider.class_names, groups=tmp_path / "groups.csv")
    assert "covered" not in found.groups["side"]["groups"][0]


def test_networks_of_other_classes_are_scored_by_their_names():
    names = ("rot", "grün", "青")
    faces = stripes(350, names)
    found = evaluation.evaluate(reader(*SEES, names=names[::-1]), faces, class_order=names[::-1])
    assert found.scores["accuracy"] == pytest.approx(1 / 3, abs=0.01)  # the network calls row 0 by the last name
    right = reader(*SEES, names=names)
    assert evaluation.evaluate(right, faces, class_order=names).scores["accuracy"] == 1
    assert "1 grün" in evaluation.evaluate(right, faces, class_order=names).table()
    with pytest.raises(InputError, match="has the classes rot, grün, blau, but the data has rot, grün, 青"):
        evaluation.evaluate(right, faces, class_order=("rot", "grün", "blau"))
    with pytest.raises(InputError, match="has 3 outputs, but 7 class names"):
        evaluation.evaluate(right, faces)


def test_emotions_match_under_any_alias():
    faces = stripes(350, ("anger", "joy", "none"))
    names = ("angry", "happiness", "none")
    network = reader(*SEES, names=names)
    assert evaluation.evaluate(network, faces, class_order=names).scores["accuracy"] == 1
    turned = reader(*SEES, names=names)
    turned.class_names = names[::-1]
    network.class_names = names
    assert evaluation.evaluate([network, turned], faces).scores["accuracy"] == pytest.approx(2 / 3, abs=0.34)


def test_all_images_are_a_split(caplog):
    drawn = dataclasses.replace(FACES, usages=np.full(350, -1))
    found = evaluation.evaluate(reader(*SEES), drawn, split="all")
    assert found.data["images"] == {"all": 350} and found.scores["images"] == 350
    assert "leak_free_accuracy" not in found.scores
    assert "splits" not in caplog.text
    evaluation.evaluate(reader(*SEES), drawn)
    assert "stripes has no splits: its test split is a random one of 35 of its 350 images." in caplog.text
    evaluation.evaluate(reader(*SEES), FACES, split="all")
    assert "All images of stripes are evaluated, its training split too." in caplog.text


def test_labels_of_the_network_need_votes(tmp_path, caplog):
    """`ferplus` was trained on FER+'s labels; data without votes are scored by their own."""
    data = data_forms.write_csv(tmp_path / "faces.csv", stripes(350))
    found = evaluation.evaluate("ferplus", data)
    assert found.labels == "original" and found.scores["images"] == 70
    assert f"There are no FER+ votes beside {data}, so its own labels are used." in caplog.text
    with pytest.raises(InputError, match="needs FER. votes"):
        evaluation.evaluate("ferplus", data, labels="fer+8")


def test_classes_that_the_data_lacks_are_left_out(caplog):
    wider = reader(*SEES, names=("rot", "grün", "青", "blau"))
    kernel, bias = wider.layers[-1].get_weights()
    wider.layers[-1].set_weights([kernel, bias + np.array([0, 0, 0, 9], "float32")])  # it says blau every time
    wider.class_names = ("rot", "grün", "青", "blau")
    parts = split(stripes(350, ("grün", "rot", "青")))
    scores = evaluation.evaluate_split(wider, parts, "test")
    # The network calls the first row rot and the second grün; the data the other way round.
    assert scores["recall_0"] == scores["recall_1"] == 0 and scores["recall_2"] == 1
    assert "classes that the data lacks are left out: blau" in caplog.text


def test_ensemble_is_the_mean():
    one, other = reader(*SEES), reader(*SEES, temperature=2.0)
    other = keras.Model(other.inputs, other.outputs, name="other")
    found = evaluation.evaluate([one, other], FACES, tta="flip")
    assert found.as_dict()["model"] == ["keras.Model('reader')", "keras.Model('other')"]
    alone = [evaluation.evaluate(model, FACES, tta="flip").scores["loss"] for model in (one, other)]
    assert min(alone) < found.scores["loss"] < max(alone)


BRIGHT = [L.ReLU(threshold=100.0)]  # shows no scale, and nothing is left of images in any but 0-255


def test_scale_that_is_clearly_best_is_found_and_said(caplog):
    with caplog.at_level(logging.INFO, "fer_keras"):
        found = evaluation.evaluate(reader(*BRIGHT), FACES)
    assert found.scores["accuracy"] == 1
    message = (
        "expects the input scale 0-255 (accuracy on 252 training images by input scale: 0-1: 0.14, 0-255: 1.00,"
    )
    assert any(message in line for line in caplog.messages)


def test_no_figure_is_reported_when_another_scale_is_clearly_better():
    with pytest.raises(InputError, match="was given the input scale 0-1, but is clearly better with 0-255"):
        evaluation.evaluate(reader(*BRIGHT), FACES, input_scale="0-1")
    with pytest.raises(InputError, match="seems to expect the input scale 0-1, but is clearly better with 0-255"):
        evaluation.evaluate(reader(L.Rescaling(2.0), L.ReLU(threshold=200.0)), FACES)


def test_scale_that_does_not_show_must_be_given():
    with pytest.raises(InputError, match="nor do its results .* Give them with --input-scale"):
        evaluation.evaluate(reader(L.ReLU()), FACES)


def test_outputs_that_are_no_probabilities_at_any_scale_are_the_reason():
    network = reader(L.ReLU())
    outputs = L.Activation("sigmoid")(network.outputs[0])
    with pytest.raises(InputError, match="end the network in a softmax or a linear layer"):
        evaluation.evaluate(keras.Model(network.inputs[0], outputs), FACES)


@pytest.mark.parametrize("option", [{"class_order": EMOTIONS[::-1]}, {"input_scale": "0-1"}])
def test_options_for_networks_of_the_package_alone_are_refused(option):
    with pytest.raises(InputError, match="tiny (names|states) its own"):
        evaluation.evaluate(["tiny", "best"], FACES, **option)


def test_unknown_split_is_refused():
    with pytest.raises(InputError, match="Unknown split 'dev'. Expected one of: train, validation, test."):
        evaluation.evaluate("tiny", FACES, split="dev")


def test_damaged_record_beside_a_model_is_an_input_error(tmp_path):
    saving.save(saving.named(reader(*SEES)), tmp_path / "model.keras")
    (tmp_path / "run.json").write_text("[")
    with pytest.raises(InputError, match="run.json is damaged"):
        evaluation.evaluate(tmp_path / "model.keras", FACES)


def test_images_seen_in_training_are_left_out_of_the_leak_free_figures():
    images = FACES.images.copy()
    images[340] = images[0]
    faces = dataclasses.replace(FACES, images=images)
    assert evaluation.evaluate(reader(*SEES), faces).scores["leak_free_images"] == 69

import json
import os

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from fer_keras.data import audit, audit_picture, audit_text, load, synthetic
from fer_keras.data.contact_sheet import draw_counts
from fer_keras.data.faces import make_faces
from fer_keras.data.votes import COLUMNS


def small():
    """Ten images: 0 = 1 = 8, 2 = 3, 4 = 9 in pixels; 5 is blank, 6 nearly so."""
    random = np.random.default_rng(0).integers(0, 256, (10, 2304)).astype(np.uint8)
    random[1] = random[8] = random[0]
    random[3], random[9] = random[2], random[4]
    random[5], random[6] = 7, 100
    random[6, :1152] = 80  # Standard deviation 10.
    labels = [0, 0, 1, 2, 3, 4, 5, 6, 0, -1]
    return make_faces(random, labels, [0] * 8 + [1, 1], "here")


def test_audit_of_a_data_set_made_by_hand():
    report = json.loads(json.dumps(audit(small())))
    none = {"groups": 0, "images": 0}
    assert report["images"] == 10 and report["source"] == "here" and not report["synthetic"]
    assert report["counts"]["Training"] == {
        "angry": 2, "disgust": 1, "fear": 1, "happy": 1, "sad": 1, "surprise": 1, "neutral": 1,
    }  # fmt: skip
    assert report["unlabelled"] == {"PublicTest": 1}
    assert report["duplicates"] == {
        "within": {
            "Training": {"unique": 6, "surplus": 2, "groups": 2},
            "PublicTest": {"unique": 2, "surplus": 0, "groups": 0},
        },
        "all": {"unique": 6, "surplus": 4, "groups": 3},
        "across": {"PublicTest in Training": {"images": 2, "share": 1.0, "same_label": 1}},
    }
    conflict = {"groups": 1, "images": 2}
    assert report["conflicts"] == {"Training": conflict, "PublicTest": none, "all": conflict, "examples": [[2, 3]]}
    assert report["blank"] == [5] and report["near_blank"] == [6] and report["agreement"] is None


def test_a_class_may_be_called_unlabelled(tmp_path):
    faces = make_faces(np.arange(3 * 2304).reshape(3, 2304) % 251, [0, 1, -1], [0] * 3, "x", ("sad", "unlabelled"))
    report = audit(faces)
    assert report["counts"] == {"Training": {"sad": 1, "unlabelled": 1}}
    assert "Training: 3 images: 1 sad, 1 unlabelled, 1 without a label" in audit_text(report)
    axes = Figure().add_subplot()
    draw_counts(axes, report["counts"])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["sad", "unlabelled"]


def test_agreement_with_ferplus():
    votes = np.zeros((10, 10), int)
    for row, column in enumerate(["anger", "neutral", "disgust", "neutral", "happiness", "sadness", "contempt"]):
        votes[row, COLUMNS.index(column)] = 10 if row else 4
    faces = small()
    report = audit(type(faces)(**{**vars(faces), "votes": votes}))["agreement"]
    # Angry, disgust, happy and sad of the seven images with votes; the first has no clear majority.
    assert (report["images"], report["overall"], report["clear_images"]) == (7, round(4 / 7, 4), 6)
    assert report["clear"] == 0.5 and report["classes"]["angry"] == 0.5 and report["classes"]["surprise"] == 0.0
    assert report["said_instead"]["fear"] == "neutral" and report["said_instead"]["surprise"] == "contempt"


def test_picture_and_text(tmp_path):
    for faces in (small(), synthetic.faces().take(slice(70)), make_faces(np.zeros((1, 2304)), [-1], [3], "one")):
        report = audit(faces)
        audit_picture(report, faces, tmp_path / "audit.png")
        with Image.open(tmp_path / "audit.png") as image:
            assert image.size == (1320, 1430)
        assert f"{len(faces):,} images from {faces.source}" in audit_text(report)
    assert "conflicting labels: 2 images in 1 groups" in audit_text(audit(small()))
    assert [file.name for file in tmp_path.iterdir()] == ["audit.png"]


@pytest.mark.real
@pytest.mark.skipif(not os.environ.get("FER_DATA"), reason="FER_DATA names no data")
def test_known_faults_of_fer2013():
    faces = load(progress=False)
    if (faces.usages == 0).sum() != 28_709:
        pytest.skip("FER_DATA is not all of FER-2013")
    report = audit(faces)
    assert list(report["counts"]["Training"].values()) == [3995, 436, 4097, 7215, 4830, 3171, 4965]
    assert list(report["counts"]["PublicTest"].values()) == [467, 56, 496, 895, 653, 415, 607]
    assert report["duplicates"]["within"]["Training"]["unique"] == 27_479
    assert report["duplicates"]["within"]["PublicTest"]["unique"] == 3563
    copies = report["duplicates"]["across"]["PublicTest in Training"]
    assert (copies["images"], copies["same_label"]) == (280, 270)
    assert report["conflicts"]["Training"] == {"groups": 38, "images": 101}
    blank = [633, 1303, 1648, 3177, 3549, 18337, 25603, 32257]
    assert [row for row in report["blank"] if row < 32_298] == blank
    assert len([row for row in report["near_blank"] if row < 32_298]) == 5
    if faces.votes is not None:
        assert report["agreement"]["overall"] == pytest.approx(0.626, abs=0.001)
        assert report["agreement"]["clear"] == pytest.approx(0.672, abs=0.001)
        assert report["agreement"]["classes"]["fear"] == pytest.approx(0.13, abs=0.005)

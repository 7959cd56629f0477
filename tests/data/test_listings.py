"""Face sets by their own layout, on small trees made here."""

import numpy as np
import pytest
from helpers import data_forms as forms
from PIL import Image

from fer_keras.core.errors import InputError
from fer_keras.data import EMOTIONS, load, split


def picture(path, value, size=(48, 48)):
    """Write a grey picture of one value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, value).save(path)


def by_name(faces):
    """Return {file: (emotion, usage code, value of its first pixel)}."""
    values = faces.images[:, 0, 0, 0].tolist()
    rows = zip(faces.names, faces.labels, faces.usages.tolist(), values, strict=True)
    return {name.split("/")[-1]: (EMOTIONS[label], usage, value) for name, label, usage, value in rows}


def test_raf_db_basic_by_its_list(tmp_path):
    images = tmp_path / "basic" / "Image"
    for i in range(1, 8):
        picture(images / "aligned" / f"train_0000{i}_aligned.jpg", 10 * i, (100, 100))
        picture(images / "original" / f"train_0000{i}.jpg", 200, (300, 200))
    picture(images / "aligned" / "test_0001_aligned.jpg", 100, (100, 100))
    lines = [f"train_0000{i}.jpg {i}" for i in range(1, 8)] + ["test_0001.jpg 4"]
    (tmp_path / "basic" / "EmoLabel").mkdir()
    (tmp_path / "basic" / "EmoLabel" / "list_patition_label.txt").write_text("\n".join(lines))
    faces = load(tmp_path)
    found = by_name(faces)
    assert [found[f"train_0000{i}_aligned.jpg"][0] for i in range(1, 8)] == [
        "surprise", "fear", "disgust", "happy", "sad", "angry", "neutral",
    ]  # fmt: skip
    assert found["test_0001_aligned.jpg"] == ("happy", 3, 100) and faces.usages.tolist() == [0] * 7 + [3]
    assert faces.skipped["not in the list"]["images"] == 7  # the photographs that the aligned faces come from
    assert faces.notes == ("8 images of 100 x 100 pixels were resized to 48 x 48.",)


def test_raf_db_in_numbered_folders(tmp_path):
    for i in range(1, 8):
        picture(tmp_path / "train" / str(i) / f"train_0000{i}_aligned.jpg", 10 * i, (100, 100))
        picture(tmp_path / "test" / str(i) / f"test_000{i}_aligned.jpg", 10 * i, (100, 100))
    (tmp_path / "train_labels.csv").write_text("image,label\ntrain_00001_aligned.jpg,1\n")
    found = by_name(load(tmp_path))
    assert found["train_00001_aligned.jpg"] == ("surprise", 0, 10)
    assert found["test_0007_aligned.jpg"] == ("neutral", 3, 70) and len(found) == 14


AFFECTNET = (
    "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal\n"
)


def test_affectnet_by_its_csv_with_boxes_and_classes_without_counterpart(tmp_path):
    names = "neutral happy sad surprise fear disgust angry".split()
    rows = []
    for i in range(11):
        image = np.full((120, 200), 250, np.uint8)
        image[30:78, 100:148] = 20 * i  # the face: the box is a little lower than wide
        path = tmp_path / "Manually_Annotated_Images" / "689" / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
        rows.append(f"689/{i}.png,100,31,48,46,1;2,{i},0.1,0.2")
    (tmp_path / "training.csv").write_text(AFFECTNET + "\n".join(rows[:10]) + "\n")
    (tmp_path / "validation.csv").write_text(AFFECTNET + rows[10] + "\n" + rows[1] + "\n")
    faces = load(tmp_path)
    assert by_name(faces) == {f"{i}.png": (name, 0 if i != 1 else 1, 20 * i) for i, name in enumerate(names)}
    assert {reason: entry["images"] for reason, entry in faces.skipped.items()} == {
        "class 'contempt' is not among the classes": 1,
        "class 'none' is not among the classes": 1,
        "class 'uncertain' is not among the classes": 1,
        "class 'no face' is not among the classes": 1,
    }
    assert all(
        (face == face[0, 0]).all() for face in faces.images
    )  # the square around the box holds the face alone


def annotate(folder, number, label):
    """Write the picture and the annotations of one face as AffectNet's smaller version has them."""
    picture(folder / "images" / f"{number}.jpg", 10 * int(label), (224, 224))
    (folder / "annotations").mkdir(exist_ok=True)
    np.save(folder / "annotations" / f"{number}_exp.npy", label)
    for kind, value in (("aro", "0.25"), ("val", "-0.5"), ("lnd", np.zeros(136))):
        np.save(folder / "annotations" / f"{number}_{kind}.npy", value)


def test_affectnet_by_its_annotations(tmp_path):
    """The same numbers stand in both splits; labels are text, as the authors wrote them, or numbers."""
    for number, label in enumerate("01234567"):
        annotate(tmp_path / "train_set", number, label)
        annotate(tmp_path / "val_set", number, np.int64(7 - int(label)))
    picture(tmp_path / "train_set" / "images" / "99.jpg", 5, (224, 224))
    faces = load(tmp_path, progress=False)
    names = "neutral happy sad surprise fear disgust angry".split()
    assert [faces.class_names[label] for label in faces.labels] == [*names, *names[::-1]]
    assert faces.usages.tolist() == [0] * 7 + [1] * 7
    assert np.abs(faces.images[:, 0, 0, 0].astype(int) // 10 * 10 - 10 * np.r_[:7, 6:-1:-1]).max() <= 10
    assert {reason: entry["images"] for reason, entry in faces.skipped.items()} == {
        "class 'contempt' is not among the classes": 2,
        "not in the list": 1,
    }
    assert len(load(tmp_path, classes=(*EMOTIONS, "contempt"), progress=False)) == 16
    assert load(tmp_path / "train_set", progress=False).usages.tolist() == [-1] * 7


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "0_exp.npy is not an array of one number"),
        (b"no array", "0_exp.npy is not an array of one number"),
        (np.array(["1", "2"]), "0_exp.npy is not an array of one number"),
        (np.array([{}], object), "0_exp.npy is not an array of one number"),
        (np.array("11"), "0_exp.npy has expression '11', expected 0 to 10"),
    ],
)
def test_annotations_that_are_none(tmp_path, content, complaint):
    annotate(tmp_path, 0, "1")
    path = tmp_path / "annotations" / "0_exp.npy"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content, allow_pickle=True)
    with pytest.raises(InputError, match=complaint):
        load(tmp_path, progress=False)


def test_annotations_of_pictures_that_are_not_there(tmp_path):
    for number in range(5):
        annotate(tmp_path / "train_set", number, "1")
        (tmp_path / "train_set" / "images" / f"{number}.jpg").rename(tmp_path / f"{number}.jpg")
    with pytest.raises(InputError, match="0_exp.npy, .*1_exp.npy, .*2_exp.npy and 2 more lists are not there"):
        load(tmp_path, progress=False)


def test_affectnet_in_eight_folders_of_names(tmp_path):
    for name in "Anger Contempt Disgust Fear Happy Neutral Sad Surprise".split():
        picture(tmp_path / "train" / name / "1.png", 9, (224, 224))
        picture(tmp_path / "val" / name / "1.png", 9, (224, 224))
    (tmp_path / "labels.csv").write_text(",pth,label,relFCs\n0,Anger/1.png,anger,0.8\n")
    faces = load(tmp_path)
    assert len(faces) == 14 and faces.skipped["class 'contempt' is not among the classes"]["images"] == 2
    eight = load(tmp_path, classes=(*EMOTIONS, "contempt"))
    assert np.bincount(eight.labels).tolist() == [2] * 8 and not eight.skipped


def test_expw_by_its_list_with_several_faces_in_a_photograph(tmp_path):
    image = np.full((100, 150), 250, np.uint8)
    image[10:58, 20:68], image[50:98, 90:138] = 30, 60
    (tmp_path / "image" / "origin").mkdir(parents=True)
    Image.fromarray(image).save(tmp_path / "image" / "origin" / "a b.png")
    # name, face, top, left, right, bottom, confidence, label
    lines = ["a b.png 0 10 20 68 58 87.4 3", "a b.png 1 50 90 138 98 12.0 0", "gone.png 0 1 1 2 2 50.0 6"]
    (tmp_path / "label.lst").write_text("\n".join(lines[:2]) + "\n")
    faces = load(tmp_path)
    assert [EMOTIONS[label] for label in faces.labels] == ["happy", "angry"]
    assert faces.images[0].min() == faces.images[0].max() == 30 and faces.images[1].max() == 60
    assert faces.usages.tolist() == [-1, -1]
    (tmp_path / "label.lst").write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match="lacks 1 of the images that label.lst lists, such as gone.png .*line 3"):
        load(tmp_path)
    (tmp_path / "label.lst").write_text(lines[0] + "\nsomething else\n")
    with pytest.raises(InputError, match="label.lst, line 2 is 'something else', unlike line 1"):
        load(tmp_path)


def test_a_box_outside_its_picture(tmp_path):
    picture(tmp_path / "a.png", 7, (100, 100))
    (tmp_path / "label.lst").write_text("a.png 0 200 200 300 300 50.0 3\n")
    with pytest.raises(
        InputError, match=r"a.png has the box \(200, 200, 300, 300\), outside its 100 x 100 pixels"
    ):
        load(tmp_path)


def test_jaffe_by_its_names(tmp_path):
    for i, code in enumerate(("AN", "DI", "FE", "HA", "SA", "SU", "NE")):
        picture(tmp_path / "jaffe" / f"KA.{code}1.{39 + i}.tiff", 10 * i, (256, 256))
    (tmp_path / "jaffe" / "README").write_text("hello")
    faces = load(tmp_path)
    assert [by_name(faces)[f"KA.{code}1.{39 + i}.tiff"][0] for i, code in enumerate(("AN", "DI", "FE"))] == [
        "angry", "disgust", "fear",
    ]  # fmt: skip
    assert sorted(faces.labels.tolist()) == list(range(7)) and set(faces.usages.tolist()) == {-1}


def test_ck_plus_in_folders_and_as_csv(tmp_path):
    for name in ("anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise"):
        picture(tmp_path / "CK+48" / name / "S010_004_00000017.png", 9)
    faces = load(tmp_path)
    assert sorted(EMOTIONS[label] for label in faces.labels) == sorted(EMOTIONS[:6])
    assert faces.skipped["class 'contempt' is not among the classes"]["images"] == 1
    rows = [(code, forms.text(np.full(2304, code)), "Training" if code else "PublicTest") for code in range(8)]
    table = load(forms.write_rows(tmp_path / "ckextended.csv", ["emotion", "pixels", "Usage"], rows))
    assert table.labels.tolist() == list(range(7)) and table.images[3].max() == 3
    assert table.skipped == {
        "class 'contempt' is not among the classes": {
            "images": 1,
            "example": f"{tmp_path / 'ckextended.csv'}, line 9",
        }
    }
    eight = load(tmp_path / "ckextended.csv", classes=(*EMOTIONS, "contempt"))
    assert eight.labels.tolist() == list(range(8)) and len(eight.class_names) == 8


def test_codes_of_another_set_in_a_csv(tmp_path):
    rows = [
        (code, forms.text(np.full(2304, code)), "Training" if code > 1 else "PublicTest") for code in range(1, 8)
    ]
    path = forms.write_rows(tmp_path / "raf.csv", ["emotion", "pixels", "Usage"], rows)
    with pytest.raises(
        InputError, match="labels above 6 and none of 0: its codes are not FER-2013's. Give label_codes"
    ):
        load(path)
    assert load(path, label_codes="raf-db").labels.tolist() == [5, 2, 1, 3, 4, 0, 6]
    with pytest.raises(InputError, match="Unknown label codes 'rafdb'. Expected one of: fer2013, ferplus, raf-db"):
        load(path, label_codes="rafdb")


def test_lists_of_two_sets(tmp_path):
    (tmp_path / "label.lst").write_text("a.png 0 10 20 68 58 87.4 3\n")
    (tmp_path / "list.txt").write_text("train_00001.jpg 5\n")
    with pytest.raises(InputError, match="holds the lists of several data sets: list.txt, label.lst"):
        load(tmp_path)


def test_splits_of_a_set_without_usages(tmp_path):
    for i in range(200):
        picture(tmp_path / f"KA.{('AN', 'HA')[i % 2]}{i % 9}.{i}.tiff", i)
    assert {name: len(part) for name, part in split(load(tmp_path)).items()} == {
        "train": 160,
        "validation": 20,
        "test": 20,
    }

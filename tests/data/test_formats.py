import json

import numpy as np
import pytest
from helpers import data_forms as forms

from fer_keras.core.errors import InputError
from fer_keras.data import EMOTIONS, FaceSet, load
from fer_keras.data.faces import USAGES, make_faces

FACES = forms.tiny()


def same(path):
    for _ in range(2):  # Parsed, then from the cache.
        faces = load(path)
        assert np.array_equal(faces.images, FACES.images)
        assert np.array_equal(faces.labels, FACES.labels)
        assert np.array_equal(faces.usages, FACES.usages)
        assert faces.digest == FACES.digest and faces.source == str(path) and not faces.synthetic
        assert (faces.images.dtype, faces.labels.dtype, faces.usages.dtype) == (np.uint8, np.int64, np.int8)


def test_csv(tmp_path):
    path = forms.write_csv(tmp_path / "any name", FACES)
    first = path.read_text().splitlines()[1].split(",")
    assert FACES.images[0, 2, 5, 0] == int(first[1].split()[2 * 48 + 5])  # Row by row, from the top left.
    same(path)
    same(tmp_path)


def test_icml_csv_with_byte_order_mark(tmp_path):
    path = forms.write_icml(tmp_path / "icml_face_data.csv", FACES)
    same(path)
    path.write_text(path.read_text(), encoding="utf-8-sig")
    same(path)


def test_pair_of_csvs(tmp_path):
    forms.write_pair(tmp_path, FACES, ("a.csv", "b.csv"))
    faces = load(tmp_path)
    assert np.array_equal(faces.images, FACES.images)
    assert faces.labels.tolist() == [*FACES.labels[:14], *[-1] * 14]
    assert faces.usages.tolist() == [0] * 14 + [3] * 14


def test_csv_for_each_split(tmp_path):
    forms.write_three(tmp_path, FACES)
    same(tmp_path)


def test_labelled_csvs_whose_names_say_nothing(tmp_path):
    forms.write_rows(tmp_path / "one.csv", ["emotion", "pixels"], [])
    forms.write_rows(tmp_path / "two.csv", ["emotion", "pixels"], [])
    with pytest.raises(InputError, match="holds 2 labelled CSV files without a Usage column: one.csv, two.csv"):
        load(tmp_path)


def test_image_folders(tmp_path):
    forms.write_folders(tmp_path, FACES)
    same(tmp_path)


def test_image_folders_without_prefix_in_any_letter_case(tmp_path):
    forms.write_three_folders(tmp_path, FACES)
    same(tmp_path)


def test_colour_images_turn_grey(tmp_path):
    forms.write_folders(tmp_path, FACES, mode="RGB")
    same(tmp_path)


def test_jpg_folders(tmp_path):
    from PIL import Image

    place = tmp_path / "train" / "happy"
    place.mkdir(parents=True)
    Image.new("L", (48, 48), 200).save(place / "Training_7.JPG", "JPEG")
    faces = load(tmp_path)
    assert faces.images.shape == (1, 48, 48, 1) and np.all(faces.images == 200)
    assert faces.labels.tolist() == [3] and faces.usages.tolist() == [0]


def test_test_folder_without_validation_is_test(tmp_path):
    for split, name in (("train", "1.png"), ("test", "2.png"), ("test", "PublicTest_3.png")):
        place = tmp_path / split / "sad"
        place.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(forms.png(FACES.images[0]))
    assert load(tmp_path).usages.tolist() == [0, 1, 3]


def test_emotion_folders_alone_have_no_usage(tmp_path):
    (tmp_path / "fear").mkdir()
    (tmp_path / "fear" / "1.png").write_bytes(forms.png(FACES.images[0]))
    assert load(tmp_path).usages.tolist() == [-1]


def test_second_copy_inside_the_folder_is_left_out(tmp_path):
    forms.write_folders(tmp_path / "images", FACES)
    forms.write_folders(tmp_path / "images" / "images", FACES)
    same(tmp_path)


@pytest.mark.parametrize("write", [forms.write_three, forms.write_folders, forms.write_three_folders])
def test_archives(tmp_path, write):
    write(tmp_path / "in" / "fer2013", FACES)
    same(forms.pack_zip(tmp_path / "data.zip", tmp_path / "in"))
    same(forms.pack_tar(tmp_path / "data.tar.gz", tmp_path / "in"))
    same(forms.pack_tar(tmp_path / "data", tmp_path / "in", "w"))
    assert {path.name for path in tmp_path.iterdir()} == {"in", "data.zip", "data.tar.gz", "data"}


def test_archived_csv_in_a_folder(tmp_path):
    forms.write_csv(tmp_path / "in" / "fer2013" / "fer2013.csv", FACES)
    (tmp_path / "out").mkdir()
    forms.pack_tar(tmp_path / "out" / "fer2013.tar.gz", tmp_path / "in")
    (tmp_path / "out" / "README").write_text("as Kaggle serves it")
    same(tmp_path / "out")


def test_parquet_of_hugging_face(tmp_path):
    pytest.importorskip("pyarrow")
    names = ["neutral", "happy", "sad", "angry", "fear", "disgust", "surprise"]  # Not FER's order.
    note = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
    for code, split in ((0, "train"), (1, "validation"), (2, "test")):
        part = FACES.take(FACES.usages == code)
        images = [{"bytes": forms.png(image), "path": "x.png"} for image in part.images]
        labels = [names.index(EMOTIONS[label]) for label in part.labels]
        name = tmp_path / "data" / f"{split}-00000-of-00001.parquet"
        forms.parquet(name, {"image": images, "label": labels}, {"huggingface": json.dumps(note)})
    same(tmp_path)
    same(forms.pack_zip(tmp_path / "data.zip", tmp_path / "data"))


@pytest.mark.parametrize("column", ["bytes", "nested", "flat", "pixels"])
def test_parquet_with_usage_column(tmp_path, column):
    pytest.importorskip("pyarrow")
    images = {
        "bytes": [forms.png(image) for image in FACES.images],
        "nested": FACES.images[..., 0].tolist(),
        "flat": FACES.images.reshape(len(FACES), -1).tolist(),
        "pixels": [forms.text(image) for image in FACES.images],
    }[column]
    usage = [USAGES[code].lower() for code in FACES.usages]
    columns = {"emotion": FACES.labels, "pixels" if column == "pixels" else "image": images, "usage": usage}
    same(forms.parquet(tmp_path / "all.parquet", columns))
    columns["emotion"] = [EMOTIONS[label] for label in FACES.labels]
    same(forms.parquet(tmp_path / "all.parquet", columns))


def test_of_the_competitions_own_copies_the_first_is_read_and_the_others_are_named(tmp_path):
    forms.write_csv(tmp_path / "fer2013" / "fer2013.csv", FACES)
    forms.write_icml(tmp_path / "icml_face_data.csv", FACES)
    forms.write_pair(tmp_path, FACES)
    same(tmp_path)
    assert load(tmp_path).notes == (
        "Read fer2013/fer2013.csv; not read, as other copies of the same data: icml_face_data.csv, test.csv, "
        "train.csv.",
    )


def test_a_stray_csv_is_not_chosen_among(tmp_path):
    forms.write_csv(tmp_path / "fer2013.csv", FACES)
    forms.write_csv(tmp_path / "mine.csv", forms.tiny(seed=1))
    with pytest.raises(InputError, match="holds several CSV files of images: fer2013.csv, mine.csv. Give one"):
        load(tmp_path)
    (tmp_path / "fer2013.csv").unlink()
    assert len(load(tmp_path)) == 28
    forms.write_folders(tmp_path, FACES)
    with pytest.raises(InputError, match="several data sets in different formats: mine.csv, train/angry/Tr"):
        load(tmp_path)


def test_synthetic_is_asked_for_or_announced(tmp_path, caplog, monkeypatch):
    asked = load("synthetic")
    assert asked.synthetic and asked.source == "synthetic" and not caplog.records
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    silent = load()
    assert silent.digest == asked.digest
    assert "SYNTHETIC" in caplog.text and caplog.records[0].levelname == "WARNING"


def test_real_data_in_a_folder_named_demo_or_synthetic_is_not_synthetic(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="--data demo is now --data synthetic"):
        load("demo")
    for name in ("demo", "synthetic"):
        forms.write_csv(tmp_path / name / "fer2013.csv", FACES)
    for given in ("demo", "./synthetic", tmp_path / "synthetic"):
        assert load(given).digest == FACES.digest and not load(given).synthetic
    caplog.clear()
    assert load("synthetic").synthetic
    assert "The generated faces are read, not the folder synthetic. For that one give ./synthetic." in caplog.text


@pytest.mark.parametrize("most, dark", [(1, True), (30, True), (60, False)])
def test_a_data_set_that_is_almost_black_is_reported(tmp_path, most, dark):
    faces = make_faces(FACES.images.astype(int) * most // 255, FACES.labels, FACES.usages, "dark")
    brightest = int(faces.images.max())
    notes = load(forms.write_csv(tmp_path / "fer2013.csv", faces)).notes
    expected = f"The largest value of all pixels is {brightest} of 255: the images may be on another scale."
    assert notes == ((expected,) if dark else ())


def test_where_data_is_looked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    forms.write_csv(tmp_path / "fer-keras" / "fer2013" / "fer2013.csv", FACES)
    assert load().digest == FACES.digest
    other = forms.tiny(seed=1)
    monkeypatch.setenv("FER_DATA", str(forms.write_csv(tmp_path / "other.csv", other)))
    assert load().digest == other.digest
    assert load(tmp_path / "fer-keras" / "fer2013").digest == FACES.digest
    monkeypatch.setenv("FER_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="There is no .*nowhere, which FER_DATA names"):
        load()
    with pytest.raises(InputError, match="There is no missing.csv. Give"):
        load("missing.csv")


def test_a_face_set_holds_how_it_is_read(tmp_path):
    for name in ("1", "4"):
        path = tmp_path / "set" / name / "a.png"
        path.parent.mkdir(parents=True)
        path.write_bytes(forms.png(forms.tiny().images[0]))
    faces = load(FaceSet(tmp_path / "set", label_codes="raf-db"), progress=False)
    assert faces.labels.tolist() == [5, 3] and faces.class_names == EMOTIONS
    chosen = FaceSet(tmp_path / "set", ("happy", "surprise"), "raf-db")
    assert load(chosen, classes=("fear", "surprise"), progress=False).class_names == ("happy", "surprise")
    with pytest.raises(InputError, match="bit_depth must be from 8 to 16. Received 7"):
        load(FaceSet(tmp_path / "set", bit_depth=7), progress=False)

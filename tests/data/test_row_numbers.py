"""The row of each image in its table, which left-out rows do not move."""

import io

import numpy as np
import pytest
from helpers import data_forms as forms
from PIL import Image

from fer_keras.data import EMOTIONS, load, split

FACES = forms.tiny()  # 28 rows, the classes 0 to 6 in turn
FOUR = ("happy", "sad", "surprise", "neutral")  # 3 to 6


def test_rows_of_a_csv_whose_other_classes_are_skipped(tmp_path):
    path = forms.write_csv(tmp_path / "faces.csv", FACES)
    assert load(path).row_numbers.tolist() == list(range(28))
    for _ in range(2):  # the second time from the cache
        faces = load(path, classes=FOUR)
        assert faces.row_numbers.tolist() == [row for row in range(28) if row % 7 >= 3]
        assert split(faces)["test"].row_numbers.tolist() == [24, 25, 26, 27]
        assert faces.names is None


def test_rows_without_a_ferplus_label(tmp_path):
    votes = np.zeros((28, 10), int)
    votes[:, 0] = 10
    votes[[0, 5]] = 5  # no majority
    forms.write_votes(tmp_path / "fer2013new.csv", FACES, votes)
    forms.write_csv(tmp_path / "fer2013.csv", FACES)
    assert load(tmp_path, labels="fer+").row_numbers.tolist() == [1, 2, 3, 4, *range(6, 28)]


def test_rows_of_several_csvs_count_on_from_train_to_test(tmp_path):
    forms.write_three(tmp_path, FACES)
    faces = load(tmp_path, classes=FOUR)
    assert faces.row_numbers.tolist() == [row for row in range(28) if row % 7 >= 3]


def test_rows_of_parquet_with_a_damaged_image_at_the_end_of_the_first_file(tmp_path):
    pytest.importorskip("pyarrow")
    whole = io.BytesIO()
    Image.fromarray(FACES.images[0, ..., 0]).save(whole, "PNG")
    content = [{"bytes": whole.getvalue()}] * 150
    forms.parquet(tmp_path / "train.parquet", {"image": [*content[:-1], {"bytes": b"no"}], "label": [0] * 150})
    forms.parquet(tmp_path / "test.parquet", {"image": [{"bytes": b"no"}, *content], "label": [1] * 151})
    faces = load(tmp_path)
    assert faces.row_numbers.tolist() == [*range(149), *range(151, 301)]


def test_files_have_names_instead(tmp_path):
    forms.write_folders(tmp_path, FACES, EMOTIONS)
    faces = load(tmp_path)
    assert faces.row_numbers is None and len(faces.names) == 28

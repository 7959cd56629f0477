"""Parts of images without copies, and how much memory the way from file to training takes."""

import tracemalloc

import numpy as np
import pytest
from helpers import data_forms as forms

from fer_keras import Experiment
from fer_keras.data import audit, load, quality_checks, split
from fer_keras.data import rows as module
from fer_keras.data.faces import digest, fingerprints, make_faces
from fer_keras.data.formats import recognize
from fer_keras.data.reading import Options
from fer_keras.data.rows import Rows, chunks, select
from fer_keras.data.sources import open_source

TABLE = np.arange(12).reshape(6, 2)  # row i is 2i, 2i + 1


def test_rows_gather_what_an_index_asks_for():
    rows = Rows(TABLE, np.array([4, 1, 3]))
    assert (len(rows), rows.shape, rows.dtype) == (3, (3, 2), TABLE.dtype)
    assert rows[0].tolist() == [8, 9] and rows[-1].tolist() == [6, 7]
    assert rows[1:].tolist() == [[2, 3], [6, 7]]
    assert rows[[2, 0]].tolist() == [[6, 7], [8, 9]]
    assert rows[np.array([True, False, True])].tolist() == [[8, 9], [6, 7]]
    assert rows[:, 1].tolist() == [9, 3, 7] and rows[..., 0].tolist() == [8, 2, 6] and rows[1, 0] == 2
    assert np.asarray(rows, "float32").tolist() == [[8, 9], [2, 3], [6, 7]]
    assert [row.tolist() for row in rows] == [[8, 9], [2, 3], [6, 7]]


def test_rows_that_follow_each_other_are_a_view():
    for first, last in ((1, 4), (2, 2), (0, 5)):
        part = select(TABLE, np.arange(first, last + 1))
        assert np.shares_memory(part, TABLE) and part[:, 0].tolist() == list(range(2 * first, 2 * last + 1, 2))
    assert select(TABLE, np.arange(0)).shape == (0, 2)


@pytest.mark.parametrize("order", [[3, 2, 1], [0, 2, 3], [1, 1], [5, 0]])
def test_others_are_rows(order):
    part = select(TABLE, np.array(order))
    assert isinstance(part, Rows) and part.array is TABLE and part[:, 0].tolist() == [2 * i for i in order]


def test_rows_of_rows_are_rows_of_the_same_array():
    rows = Rows(TABLE, np.array([4, 1, 2, 5]))
    assert select(rows, np.array([3, 1])).array is TABLE
    assert np.asarray(select(rows, np.array([3, 1]))).tolist() == [[10, 11], [2, 3]]
    assert np.shares_memory(select(rows, np.array([1, 2])), TABLE)


def test_chunks_are_contiguous_and_all_of_it(monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 4)
    assert [chunk[:, 0].tolist() for chunk in chunks(TABLE)] == [[0, 2, 4, 6], [8, 10]]
    assert [chunk.tolist() for chunk in chunks(Rows(TABLE, np.array([5, 0])))] == [[[10, 11], [0, 1]]]
    assert all(chunk.flags.c_contiguous for chunk in chunks(TABLE[:, ::-1]))


def test_taken_rows_are_as_good_as_copied_ones():
    faces, order = forms.tiny(), [5, 20, 3]
    part, copied = faces.take(order), faces.images[order]
    assert part.digest == digest(copied, faces.labels[order], faces.usages[order])
    assert np.array_equal(fingerprints(part.images), fingerprints(copied))
    assert audit(part)["near_blank"] == [] and np.array_equal(part.take([2, 0]).images, copied[[2, 0]])


@pytest.fixture
def peak():
    """Returns the most bytes that a call had allocated at once."""

    def of(function, *arguments):
        tracemalloc.start()
        try:
            function(*arguments)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    return of


def training_start(images, usages):
    from fer_keras.models.preprocessing import preprocessing
    from fer_keras.training.dataset import Batches

    parts = split(make_faces(images, np.arange(len(images)) % 7, usages, "mapped"))
    quality_checks(parts)
    train = parts["train"]
    preprocessing(train.images, normalization=True, augmentation=(), seed=0)
    batches = Batches(train, Experiment(name="x", batch_size=16))
    for index in range(3):
        rows = batches.order[16 * index : 16 * (index + 1)]
        np.testing.assert_array_equal(batches[index][0], np.asarray(train.images[rows]))


@pytest.mark.parametrize("usages", [(0, 1, 2), (-1, -1, -1)], ids=["official", "drawn"])
def test_training_starts_without_a_copy_of_a_mapped_set(tmp_path, monkeypatch, peak, usages):
    monkeypatch.setattr(module, "CHUNK", 64)
    count = 2000
    images = np.random.default_rng(0).integers(0, 256, (count, 48, 48, 1), np.uint8)
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    codes = np.repeat(usages, [count - 400, 200, 200])
    training_start(mapped[::20], codes[::20])  # imports
    assert peak(training_start, mapped, codes) < images.nbytes / 2


@pytest.mark.parametrize("write", [forms.write_csv, forms.write_folders])
def test_a_file_is_parsed_into_one_copy(tmp_path, peak, write):
    faces = forms.tiny((300, 100, 100))
    write(tmp_path / "data", faces)
    found = recognize(open_source(tmp_path / "data"), Options())
    found.read(lambda amount: None)
    assert peak(found.read, lambda amount: None) < 1.5 * faces.images.nbytes + (1 << 20)


def test_official_split_of_cached_data_stays_mapped(tmp_path):
    path = forms.write_csv(tmp_path / "fer2013.csv", forms.tiny())
    load(path)
    assert all(isinstance(part.images, np.memmap) for part in split(load(path)).values())

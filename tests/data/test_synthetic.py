import time

import numpy as np

from fer_keras.data import split, synthetic
from fer_keras.data.faces import fingerprints


def test_drawn_faces_are_balanced_and_split():
    faces = synthetic.faces()
    assert faces.synthetic and faces.images.shape == (3500, 48, 48, 1) and faces.images.dtype == np.uint8
    assert np.bincount(faces.labels).tolist() == [500] * 7
    assert {name: len(part) for name, part in split(faces).items()} == {
        "train": 2800,
        "validation": 350,
        "test": 350,
    }
    assert len(np.unique(fingerprints(faces.images))) == 3500
    spread = faces.images.reshape(3500, -1).std(axis=1)
    assert spread.min() > 5 and 80 < faces.images.mean() < 170


def test_drawing_follows_the_seed():
    (first, labels), (again, _), (other, _) = (synthetic.draw(60, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert np.bincount(labels).max() == 9


def test_expressions_differ_where_they_should(monkeypatch):
    # Light and person average out over many faces: a happy mouth shows teeth, a surprised one is dark and open.
    images, labels = synthetic.draw(1400, 0)
    mean = np.stack([images[labels == code, ..., 0].mean(axis=0) for code in range(7)])
    mouth = mean[:, 34:42, 20:28].mean(axis=(1, 2)) - mean.mean(axis=(1, 2))
    assert mouth[5] < mouth[3] - 5 and mouth[5] < mouth[6] - 5


def test_drawing_is_fast():
    start = time.process_time()
    synthetic.draw(350)
    assert time.process_time() - start < 2

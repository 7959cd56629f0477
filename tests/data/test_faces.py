import numpy as np
import pytest
from helpers import data_forms as forms

from fer_keras.core.errors import InputError
from fer_keras.data import Faces, deduplicate, leak_free, split
from fer_keras.data.faces import digest, fingerprints, make_faces


def of_labels(labels, usages=-1, images=None):
    """Return faces with these labels and usages; image i is all its own unless given."""
    numbers = np.arange(len(labels)) if images is None else np.asarray(images)
    pixels = np.zeros((len(labels), 2304), np.uint8)
    pixels[:, 0], pixels[:, 1] = numbers % 256, numbers // 256
    return make_faces(pixels, labels, np.broadcast_to(usages, len(labels)), "here")


def numbers(faces):
    return (faces.images[:, 0, 0, 0] + 256 * faces.images[:, 0, 1, 0].astype(int)).tolist()


def test_take_keeps_rows_together_and_has_its_own_digest():
    faces = forms.tiny()
    part = faces.take([3, 20])
    assert part.labels.tolist() == [3, 6] and part.usages.tolist() == [0, 1] and len(part) == 2
    assert np.array_equal(part.images, faces.images[[3, 20]])
    assert part.digest == digest(part.images, part.labels, part.usages) != faces.digest
    assert faces.take(slice(None)).digest == faces.digest


def test_digest_is_the_hash_of_the_content():
    # Worked out with hashlib over 2,304 zeros, the label 1 as eight little-endian bytes, and the usage -1.
    import hashlib

    wanted = hashlib.sha256(bytes(2304) + b"\x01" + bytes(7) + b"\xff").hexdigest()
    assert make_faces(np.zeros(2304), [1], [-1], "here").digest == wanted


def test_fingerprints_tell_images_apart():
    images = np.zeros((3, 48, 48, 1), np.uint8)
    images[1, 47, 47] = 1
    first, second, third = fingerprints(images)
    assert first == third != second


def test_official_split():
    faces = of_labels([0, 1, 2, 3, -1], [0, 1, 2, 0, 0])
    parts = split(faces)
    assert list(parts) == ["train", "validation", "test"]
    assert [numbers(part) for part in parts.values()] == [[0, 3], [1], [2]]


def test_merged_split_trains_on_half_of_the_validation_images_of_each_class():
    faces = of_labels(np.arange(24) % 2, [0] * 10 + [1] * 12 + [2] * 2)
    merged = {name: numbers(part) for name, part in split(faces, merged=True).items()}
    assert list(merged) == ["train", "calibration", "test"]
    assert merged["test"] == [22, 23] and merged["train"][:10] == list(range(10))
    assert sorted(merged["train"] + merged["calibration"]) == list(range(22))
    assert [number % 2 for number in merged["calibration"]].count(0) == 3  # of 6 images of each class
    assert len(merged["calibration"]) == 6
    assert merged == {name: numbers(part) for name, part in split(faces, merged=True).items()}


def test_calibration_images_have_no_copy_among_the_training_images():
    faces = of_labels(np.arange(30) % 2, [0] * 10 + [1] * 18 + [2] * 2)
    images = faces.images.copy()
    images[10:15] = images[:5]  # of validation, in training too
    images[15:20] = images[20:25]  # twice in validation
    faces = make_faces(images, faces.labels, faces.usages, "copies")
    merged = split(faces, merged=True)
    assert leak_free(merged["calibration"], merged["train"]).all()
    prints = fingerprints(merged["calibration"].images)
    assert 0 < len(prints) == len(set(prints.tolist()))


def test_too_few_validation_images_to_calibrate_on():
    with pytest.raises(InputError, match="no images are left for calibration"):
        split(of_labels([0, 1, 2, 3, -1], [0, 1, 2, 0, 0]), merged=True)


@pytest.mark.parametrize("usage", [1, 2, 3])
def test_one_test_usage_is_the_test_and_validation_a_tenth_of_training(usage):
    labels = np.repeat([0, 1, 2, 5], [100, 30, 5, 1])
    faces = of_labels([*labels, 3, 4], [*[0] * 136, usage, usage])
    parts = split(faces, seed=1)
    assert numbers(parts["test"]) == [136, 137]
    assert sorted(numbers(parts["train"]) + numbers(parts["validation"])) == list(range(136))
    counts = np.bincount(parts["validation"].labels, minlength=7)
    assert counts[0] == 10 and counts[1] == 3 and counts[2] in (0, 1) and counts[5] == 0


@pytest.mark.parametrize(
    "usages, named",
    [
        ([1, 2], "PublicTest and PrivateTest"),
        ([3], "Test"),
        ([0, 2, 3], "PrivateTest and Test"),
        ([0], None),
        ([-1], None),
        ([0, 1, 2], None),
        ([0, 3], None),
    ],
)
def test_a_random_split_that_ignores_the_usages_is_reported(usages, named, caplog):
    split(of_labels([0, 1] * 60, usages * (120 // len(usages))))
    assert (f"here has images of {named}, but not all splits" in caplog.text) == bool(named)
    assert bool(caplog.records) == bool(named)


def test_unlabelled_images_are_in_no_split():
    labels = [0, 1] * 20 + [-1] * 20
    parts = split(of_labels(labels, [0] * 40 + [3] * 20))
    assert sum(map(len, parts.values())) == 40
    assert max(numbers(parts["train"])) < 40


def test_split_without_usages_is_stratified_and_keeps_copies_together():
    labels = np.repeat([0, 1], [800, 200])
    parts = split(of_labels(labels, images=np.concatenate([np.arange(1000) // 2])))
    sizes = {name: np.bincount(part.labels).tolist() for name, part in parts.items()}
    assert sizes == {"train": [640, 160], "validation": [80, 20], "test": [80, 20]}
    shown = [set(numbers(part)) for part in parts.values()]
    assert not (shown[0] & shown[1] or shown[0] & shown[2] or shown[1] & shown[2])


def test_split_follows_the_seed():
    faces = of_labels(np.arange(300) % 7)
    first, again, other = split(faces, 3), split(faces, 3), split(faces, 4)
    assert all(first[name].digest == again[name].digest for name in first)
    assert first["test"].digest != other["test"].digest


def test_too_few_images_to_split():
    with pytest.raises(
        InputError, match="too small to split: no images are left for validation and test. It has 3 "
    ):
        split(of_labels([0, 1, 2]))
    with pytest.raises(InputError, match="It has no labelled images"):
        split(of_labels([-1] * 50))
    assert min(map(len, split(of_labels([0] * 20)).values())) == 2


def test_leak_free_leaves_out_exact_copies():
    test = of_labels([0, 0, 0], images=[1, 2, 3])
    assert leak_free(test, of_labels([1], images=[2]), of_labels([0], images=[9])).tolist() == [True, False, True]
    assert leak_free(test).tolist() == [True] * 3


def test_deduplicate_leaves_out_copies_of_other_splits_conflicts_and_further_copies():
    labels = [0, 0, 0, 1, 2, 3, 3, 4, 5, 0, 1]
    parts = {
        "train": of_labels(labels, images=[1, 1, 1, 2, 2, 3, 4, 5, 6, 7, 7]),
        "validation": of_labels([0, 6], images=[4, 8]),
        "test": of_labels([4, 1, 1], images=[5, 7, 8]),
    }
    kept, counts = deduplicate(parts)
    # 4, 5 and both of 7 stand elsewhere; 2 is disgust and fear; two more copies of 1.
    assert counts == {"in_other_splits": 4, "conflicting": 2, "copies": 2}
    assert numbers(kept["train"]) == [1, 3, 6] and kept["train"].labels.tolist() == [0, 3, 5]
    assert kept["validation"] is parts["validation"] and kept["test"] is parts["test"]
    assert deduplicate(kept)[1] == {"in_other_splits": 0, "conflicting": 0, "copies": 0}


def test_deduplicate_leaves_an_image_to_train_on():
    only = of_labels([0, 1])
    with pytest.raises(InputError, match="deduplicate leaves no training image of here: {'in_other_splits': 2, "):
        deduplicate({"train": only, "validation": only, "test": only})


def test_faces_are_frozen():
    with pytest.raises(AttributeError):
        forms.tiny().labels = None
    assert [field for field in Faces.__dataclass_fields__][:6] == [
        "images", "labels", "usages", "source", "digest", "votes",
    ]  # fmt: skip

"""What makes figures doubtful, on faces made for it."""

import dataclasses

import numpy as np
import pytest
from helpers.data_forms import tiny

from fer_keras.core.errors import InputError
from fer_keras.data import quality_checks, split

PARTS = split(tiny((14, 7, 7)))


def with_images(part, images):
    return dataclasses.replace(part, images=images)


def test_clean_splits_raise_no_doubt():
    assert quality_checks(PARTS) == []


def test_absent_classes_are_named():
    few = PARTS | {
        "train": PARTS["train"].take(PARTS["train"].labels != 1),
        "test": PARTS["test"].take(PARTS["test"].labels < 5),
    }
    assert quality_checks(few) == [
        "The train split has no image of disgust: a model cannot learn it.",
        "The test split has no image of surprise, neutral: macro F1 leaves it out.",
    ]


def test_copies_between_splits_are_counted():
    images = PARTS["test"].images.copy()
    images[:2] = PARTS["train"].images[3]
    images[4] = PARTS["validation"].images[0]
    assert quality_checks(PARTS | {"test": with_images(PARTS["test"], images)}) == [
        "2 of 7 test images are exact copies of train images; the leak-free figures leave them out.",
        "1 of 7 test images are exact copies of validation images; the leak-free figures leave them out.",
    ]


@pytest.mark.parametrize("name, earlier", [("validation", "train"), ("test", "train"), ("test", "validation")])
def test_split_given_twice_is_refused(name, earlier):
    again = with_images(PARTS[name], PARTS[earlier].images[:7])
    with pytest.raises(InputError, match=f"Every image of the {name} split is also in the {earlier} split"):
        quality_checks(PARTS | {name: again})


@pytest.mark.parametrize("label", [7, -1])
def test_label_out_of_range_is_refused(label):
    labels = np.full_like(PARTS["train"].labels, label)
    with pytest.raises(InputError, match=f"The train split has labels from {label} to {label}, expected 0 to 6."):
        quality_checks(PARTS | {"train": dataclasses.replace(PARTS["train"], labels=labels)})

"""A copy of FER-2013 that lacks images, in any format."""

import logging

import numpy as np
import pytest

from fer_keras import data
from fer_keras.data import official
from fer_keras.data.faces import USAGES


def usages(**counts):
    return np.repeat([USAGES.index(name) for name in counts], list(counts.values()))


@pytest.mark.parametrize(
    "counts",
    [
        {"Training": 28_709, "PublicTest": 3_589, "PrivateTest": 3_589},
        {"Training": 28_709, "PublicTest": 3_589},
        {"Training": 28_709, "Test": 7_178},
        {"Training": 27_300, "PublicTest": 3_500, "PrivateTest": 3_500},  # without blank images and copies
        {"Training": 1_000, "PublicTest": 100, "PrivateTest": 100},  # a sample
        {"Training": 30_000, "Test": 100},  # another data set
    ],
)
def test_whole_copies_and_other_data_sets_lack_nothing(counts):
    assert official.shortfall(usages(**counts)) is None


@pytest.mark.parametrize(
    ("counts", "lacks"),
    [
        (
            {"Training": 28_709, "PublicTest": 1_200},
            "1,200 of the 3,589 PublicTest images and 0 of the 3,589",
        ),
        ({"Training": 28_700, "PublicTest": 3_580, "PrivateTest": 9}, "9 of the 3,589 PrivateTest images"),
        ({"Training": 15_000, "PublicTest": 3_589, "PrivateTest": 3_589}, "15,000 of the 28,709 Training images"),
        (
            {"Training": 28_709, "Test": 1_200},
            "1,200 of the 7,178 Test images of FER-2013, beside 28,709",
        ),
        ({"Training": 28_709}, "0 of the 3,589 PublicTest images and 0 of the 3,589 PrivateTest images"),
    ],
)
def test_what_a_copy_lacks_is_said(counts, lacks):
    assert lacks in official.shortfall(usages(**counts))


def test_load_and_audit_say_it(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(official, "SIZES", {"Training": 3, "PublicTest": 3, "PrivateTest": 3, "Test": 6})
    pixels = " ".join(["7"] * 2304)
    rows = [f"{i % 7},{pixels},{usage}" for i, usage in enumerate(["Training"] * 2 + ["PublicTest"] * 3)]
    (tmp_path / "a.csv").write_text("\n".join(["emotion,pixels,Usage", *rows, ""]))
    expected = (
        "It has 2 of the 3 Training images and 0 of the 3 PrivateTest images of FER-2013, beside 3 PublicTest"
    )
    for _ in "12":  # the second time from the cache
        with caplog.at_level(logging.WARNING):
            faces = data.load(tmp_path / "a.csv", progress=False)
        assert expected in caplog.text
        caplog.clear()
    assert expected in data.audit_text(data.audit(faces))

"""Accuracy by groups, worked out by hand."""

import numpy as np
import pytest

from fer_keras.core.errors import InputError
from fer_keras.evaluation import groups

RIGHT = np.array([True] * 8 + [False] * 2 + [True, False])


def test_figures_of_each_group():
    of = ["day"] * 10 + ["night"] * 2
    found = groups.by_group({"light": of}, RIGHT, np.array([True] * 9 + [False] * 3))["light"]
    day, night = found["groups"]
    # Wilson (1927) for 8 of 10, z = 1.96: (0.8 + 0.192) / 1.384 -+ 1.96 sqrt(0.016 + 0.0096) / 1.384.
    assert day == {
        **{"group": "day", "images": 10, "accuracy": 0.8, "covered": 0.9},
        **{"low": pytest.approx(0.490, abs=1e-3), "high": pytest.approx(0.943, abs=1e-3)},
    }
    assert (night["images"], night["accuracy"], night["covered"]) == (2, 0.5, 0.0)
    assert (found["smallest"], found["lowest"], found["highest"]) == ("night", "night", "day")
    assert found["largest_difference"] == pytest.approx(0.3)
    text = groups.groups_table({"light": found})
    assert "Smallest group: night. Largest difference of accuracy: 0.300, night below day." in text


def test_images_without_a_group_are_left_out():
    found = groups.by_group({"light": ["day"] * 10 + [""] * 2, "none": [""] * 12}, RIGHT)
    assert list(found) == ["light"]
    assert [row["group"] for row in found["light"]["groups"]] == ["day"]
    assert found["light"]["largest_difference"] == 0


def test_groups_are_read_by_file(tmp_path):
    path = tmp_path / "groups.csv"
    path.write_text("file,person,light\n1.png,ann,day\n2.png,bob,\n", encoding="utf-8")
    assert groups.read_groups(path, ["2.png", "3.png", "1.png"]) == {
        "person": ["bob", "", "ann"],
        "light": ["", "", "day"],
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must be CSV with the column file"),
        ("file\n1.png\n", "must be CSV with the column file"),
        ("person\nann\n", "must be CSV with the column file"),
        ("file,person\n1.png,ann\n1.png,bob\n", "names a file more than once"),
        ("file,person\n9.png,ann\n", r"names none of the 1 images, such as '1\.png'"),
    ],
)
def test_files_that_name_no_groups(tmp_path, text, message):
    path = tmp_path / "groups.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        groups.read_groups(path, ["1.png"])

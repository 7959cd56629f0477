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
        # 9 of 10: (0.9 + 0.192) / 1.384 -+ 1.96 sqrt(0.009 + 0.0096) / 1.384.
        **{"covered_low": pytest.approx(0.596, abs=1e-3), "covered_high": pytest.approx(0.982, abs=1e-3)},
    }
    assert (night["images"], night["accuracy"], night["covered"]) == (2, 0.5, 0.0)
    assert (found["smallest"], found["lowest"], found["highest"]) == ("night", "night", "day")
    assert found["largest_difference"] == pytest.approx(0.3)
    assert (found["coverage"], found["least_covered"], found["most_covered"]) == (0.9, "night", "day")
    assert found["largest_covered_difference"] == pytest.approx(0.9)
    assert groups.groups_table({"light": found}).splitlines() == [
        "light    images  accuracy   95 % interval   in sets of 90 %   95 % interval",
        "day          10     0.800   0.490 - 0.943             0.900   0.596 - 0.982",
        "night         2     0.500   0.095 - 0.905             0.000   0.000 - 0.658",
        "Smallest group: night. Largest difference of accuracy: 0.300, night below day. "
        "Largest difference of coverage: 0.900, night below day.",
    ]


def test_what_is_said_of_a_single_group_and_of_equal_ones():
    alone = groups.by_group({"light": ["day"] * 12}, RIGHT)
    assert groups.groups_table(alone).splitlines()[-1] == "There is one group only."
    equal = groups.by_group({"light": ["day", "night"]}, np.array([True, True]), np.array([True, False]))
    last = (
        "Smallest group: day. No difference of accuracy. Largest difference of coverage: 1.000, night below day."
    )
    assert groups.groups_table(equal).splitlines()[-1] == last


def test_names_of_groups_stay_on_their_line():
    found = groups.by_group({"li\nght": ["d\n\x1b[2Jay"] * 6 + ["night"] * 6}, RIGHT)
    text = groups.groups_table(found)
    assert len(text.splitlines()) == 4 and "\x1b" not in text
    assert text.startswith("li\\nght ") and "\nd\\n\\x1b[2Jay " in text
    assert found["li\nght"]["groups"][0]["group"] == "d\n\x1b[2Jay"


def test_images_without_a_group_are_left_out():
    found = groups.by_group({"light": ["day"] * 10 + [""] * 2, "none": [""] * 12}, RIGHT)
    assert list(found) == ["light"]
    assert [row["group"] for row in found["light"]["groups"]] == ["day"]
    assert found["light"]["largest_difference"] == 0


def test_groups_are_read_by_file(tmp_path, caplog):
    path = tmp_path / "groups.csv"
    path.write_text("file,person,light\n1.png, ann ,day\n2.png,bob,\n3.png,NaN,nan\n", encoding="utf-8")
    names = ["2.png", "3.png", "1.png"]
    assert groups.read_groups(path, names, names) == {"person": ["bob", "", "ann"], "light": ["", "", "day"]}
    assert not caplog.messages


def test_images_without_a_row_and_rows_without_an_image_are_counted(tmp_path, caplog):
    path = tmp_path / "groups.csv"
    rows = ["1.png,ann", "2.png,bob", "8.png,eve", "9.png,eve"]  # 2.png is in another split
    path.write_text("\n".join(["file,person", *rows]), encoding="utf-8")
    groups.read_groups(path, ["1.png", "3.png", "4.png"], ["1.png", "2.png", "3.png", "4.png"])
    assert caplog.messages == [
        f"{path}: 2 of the 3 images have no row, such as '3.png'; "
        "2 of the 4 rows name no image of the data, such as '8.png'."
    ]


def test_a_column_without_a_group_is_reported(tmp_path, caplog):
    path = tmp_path / "groups.csv"
    path.write_text("file,person,light\n1.png,ann, \n", encoding="utf-8")
    assert groups.read_groups(path, ["1.png"], ["1.png"]) == {"person": ["ann"], "light": [""]}
    assert caplog.messages == [f"{path}: the column 'light' has no group for any of the images and is left out."]


@pytest.mark.parametrize("index", ["", "Unnamed: 0"])
def test_the_index_that_pandas_writes_is_no_grouping(tmp_path, index):
    path = tmp_path / "groups.csv"
    path.write_text(f"{index},file,person\n0,1.png,ann\n", encoding="utf-8")
    assert groups.read_groups(path, ["1.png"], ["1.png"]) == {"person": ["ann"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must be CSV with the column file"),
        ("file\n1.png\n", "must be CSV with the column file"),
        ("person\nann\n", "must be CSV with the column file"),
        ("file,person\n1.png,ann\n1.png,bob\n", "names a file more than once"),
        ("file,age,age\n1.png,8,9\n", "has 2 columns named 'age'"),
        ("file,person\n1.png,ann,day\n", "line 2 has 3 columns, but the header has 2"),
        ("file,person,light\n1.png,ann,day\n2.png,bob\n", "line 3 has 2 columns, but the header has 3"),
        (",file\n0,1.png\n", "must be CSV with the column file and at least one more"),
        ("file,person\n9.png,ann\n", r"names none of the 1 images, such as '1\.png'"),
    ],
)
def test_files_that_name_no_groups(tmp_path, text, message):
    path = tmp_path / "groups.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        groups.read_groups(path, ["1.png"], ["1.png"])

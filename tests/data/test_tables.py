"""CSV as spreadsheets and scripts write it: each dialect is read right or refused by name."""

import numpy as np
import pytest
from helpers import data_forms as forms

from fer_keras.core.errors import InputError
from fer_keras.data import EMOTIONS, USAGES, load

FACES = forms.tiny()


def written(path, delimiter=",", header=("emotion", "pixels", "Usage"), **how):
    """Write `FACES` as text; `how` turns a label, pixels or a usage into its text."""
    label, pixels, usage = (how.get(name, str) for name in ("label", "pixels", "usage"))
    lines = [delimiter.join(header)]
    for image, code, use in zip(FACES.images, FACES.labels, FACES.usages, strict=True):
        numbers = how.get("numbers", forms.text)(image)
        lines.append(delimiter.join([label(code), pixels(numbers), usage(USAGES[use])]))
    path.write_bytes(how.get("encode", str.encode)(how.get("start", "") + how.get("eol", "\n").join([*lines, ""])))
    return path


@pytest.mark.parametrize(
    "how",
    [
        {"delimiter": ";"},
        {"delimiter": "\t"},
        {"delimiter": "|"},
        {"delimiter": ";", "start": "sep=;\n"},
        {"delimiter": ";", "start": "\ufeff", "eol": "\r\n"},
        {"eol": "\r"},
        {"encode": lambda text: text.encode("utf-16")},
        {"encode": lambda text: text.encode("utf-16-le")},
        {"encode": lambda text: text.encode("utf-16-be"), "delimiter": "\t"},
        {"pixels": '"{}"'.format},
        {"header": ("Emotion ", " PIXELS", '"USAGE"')},
        {"pixels": '"{}"'.format, "numbers": lambda image: str(image.ravel().tolist())},
        {"pixels": '"{}"'.format, "numbers": lambda image: ",".join(map(str, image.ravel()))},
        {"pixels": " {} ".format},
        {"label": "{}.0".format},
        {"label": "{},0".format, "delimiter": ";"},
        {"label": lambda code: EMOTIONS[code].title()},
        {"usage": str.lower},
        {"usage": {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}.get},
        {"usage": {"Training": "Training set", "PublicTest": "DEV", "PrivateTest": "Test set"}.get},
    ],
)
def test_dialects(tmp_path, how):
    faces = load(written(tmp_path / "fer2013.csv", **how))
    assert faces.digest == FACES.digest and np.array_equal(faces.images, FACES.images)


@pytest.mark.parametrize(
    ("how", "complaint"),
    [
        ({"header": ("emotion", "pixels", "Emotion")}, "has 2 columns named emotion. Remove all but one"),
        (
            {"pixels": lambda text: text.replace(" ", ",0 ") + ",0", "delimiter": ";"},
            "has 4,608 pixels, expected 2,304",
        ),
        ({"pixels": lambda text: text.replace(" ", ".0 ")}, "line 2: pixel 1 is '"),
        ({"header": ("label", "pixels", "Usage")}, "line 1 has the columns label, pixels, usage"),
        (
            {"header": ("6", "0 " * 2304, "Training")},
            "fer2013.csv (no header; line 1 must be emotion,pixels,Usage)",
        ),
        ({"encode": lambda text: text.encode("cp1252"), "usage": "Trainingé".format}, "is not UTF-8 text"),
        (
            {"usage": lambda usage: "Training"},
            "only Training rows, 28 of FER-2013's 28,709. The file was probably",
        ),
        ({"usage": {"Training": "train", "PublicTest": "training", "PrivateTest": "test"}.get}, "both Training"),
    ],
)
def test_what_is_refused(tmp_path, how, complaint):
    path = written(tmp_path / "fer2013.csv", **how)
    with pytest.raises(InputError) as caught:
        load(path)
    assert complaint in str(caught.value) and path.name in str(caught.value)


@pytest.mark.parametrize(
    ("counts", "whole"),
    [
        ({"Training": 28_709, "PublicTest": 3_589, "PrivateTest": 3_589}, True),
        ({"Training": 28_709, "PublicTest": 3_589}, True),
        ({"Training": 28_709, "PublicTest": 100}, False),
        ({"Training": 28_709, "PublicTest": 3_589, "PrivateTest": 100}, False),
        ({"Training": 28_709, "PrivateTest": 3_589, "PublicTest": 1_200}, False),
        (
            {"PrivateTest": 3_589, "PublicTest": 3_589, "Training": 15_000},
            True,
        ),  # possibly on purpose
        ({"Training": 28_708}, False),
        ({"Training": 20, "PublicTest": 100}, True),  # a set of the user's own
        ({"Training": 28_709, "PrivateTest": 3_000}, False),
        ({"train": 100, "test": 20}, True),
    ],
)
def test_a_file_cut_at_the_end_of_a_line(counts, whole):
    from fer_keras.data import tables

    if whole:
        tables.check_not_cut(counts, "fer2013.csv")
    else:
        with pytest.raises(InputError, match="fer2013.csv has .* was probably cut short: fetch it again"):
            tables.check_not_cut(counts, "fer2013.csv")


def test_the_columns_that_are_not_needed_may_repeat(tmp_path):
    path = written(tmp_path / "fer2013.csv", header=("emotion", "pixels", "Usage"))
    lines = path.read_text().splitlines()
    path.write_text(
        "\n".join([f"id,{lines[0]},note,note", *(f"{i},{line},x,y" for i, line in enumerate(lines[1:]))])
    )
    assert load(path).digest == FACES.digest


def test_own_labels_of_a_csv(tmp_path):
    words = ("tired", "awake", "asleep", "tired", "awake", "asleep", "Tired")
    path = written(tmp_path / "mine.csv", label=lambda code: words[code])
    with pytest.raises(InputError, match="line 2 has the label 'tired', expected one of: 0 angry.*classes='own'"):
        load(path)
    faces = load(path, classes="own")
    assert faces.class_names == ("asleep", "awake", "tired")
    wanted = {"asleep": 0, "awake": 1, "tired": 2}
    assert faces.labels.tolist() == [wanted[words[code].lower()] for code in FACES.labels]
    numbered = load(written(tmp_path / "n.csv", label=lambda code: str(code + 5)), classes="own")
    assert numbered.class_names == ("5", "6", "7", "8", "9", "10", "11")
    assert numbered.labels.tolist() == FACES.labels.tolist()

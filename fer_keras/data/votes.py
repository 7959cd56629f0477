"""FER+: ten people's votes on every image of FER-2013 (Barsoum et al., 2016, arXiv:1608.01041)."""

import dataclasses
import logging
import pathlib

import numpy as np

from fer_keras.core.errors import InputError
from fer_keras.data import tables
from fer_keras.data.aliases import emotion_code
from fer_keras.data.faces import EMOTIONS, USAGES, digest
from fer_keras.data.sources import open_file, reading

log = logging.getLogger("fer_keras")
FILE = "fer2013new.csv"
COLUMNS = (
    "neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "nf",
)  # fmt: skip
# The code of each column, -1 for those that are none of our seven; and the column of each code.
CODES = np.array([-1 if (code := emotion_code(column)) is None else code for column in COLUMNS])
ORDER = [CODES.tolist().index(code) for code in range(len(EMOTIONS))]
LABELS = ("original", "majority", "soft", "fer+")


def find(headers):
    """Return the name of the FER+ table among `{name: column names}`, or None."""
    return next((name for name, header in headers.items() if {"usage", *COLUMNS} <= set(header)), None)


def read_votes(path):
    """Return the votes table of the `fer2013new.csv` at `path`; see `read_table`."""
    with reading(path), open_file(path) as file:
        return read_table(file, pathlib.Path(path))


def read_table(file, where):
    """Return int16 `(n, 11)`: the usage code and the ten votes of every row.

    Raises:
        InputError: if a column is missing or a value is no usage or no count; names the line.
    """
    table, words = [], []
    for place, row in tables.rows(file, where, needed=("usage", *COLUMNS)):
        missing = [name for name in ("usage", *COLUMNS) if name not in row]
        if missing:
            raise InputError(f"{where} lacks the columns {', '.join(missing)} of {FILE}. Give FER+'s own file.")
        counts = [row[name].strip() for name in COLUMNS]
        if not all(count.isascii() and count.isdigit() and len(count) <= 3 for count in counts):
            raise InputError(f"{place} has the votes {', '.join(counts)}; expected ten counts.")
        words.append(tables.parse_usage(row["usage"], place))
        table.append([0, *map(int, counts)])
    votes = np.array(table, np.int16).reshape(-1, 1 + len(COLUMNS))
    votes[:, 0] = tables.usage_codes(words, where)
    return votes


def align(table, usages, where):
    """Return int16 `(n, 10)`, the votes of each image; zeros for images of a usage that FER+ does not have.

    Both are in the order of `fer2013.csv` within each usage, so their counts must be equal.

    Raises:
        InputError: if they are not.
    """
    votes = np.zeros((len(usages), len(COLUMNS)), np.int16)
    for code in np.unique(usages[usages >= 0]):
        mine, theirs = usages == code, table[:, 0] == code
        if theirs.any() and mine.sum() != theirs.sum():
            raise InputError(
                f"{where} has {theirs.sum():,} {USAGES[code]} rows, the data {mine.sum():,}. "
                "FER+ fits FER-2013 with all its images only."
            )
        if theirs.any():
            votes[mine] = table[theirs, 1:]
    if not votes.any():
        raise InputError(f"{where} has no votes for any usage in the data.")
    return votes


def plurality(votes):
    """Return int64 `(n,)`: the emotion with most of all ten kinds of votes, -1 for a tie or none of the seven."""
    most = votes.max(axis=1, keepdims=True)
    unique = (votes == most).sum(axis=1) == 1
    return np.where(unique, CODES[votes.argmax(axis=1)], -1)


def majority(votes):
    """Return int64 `(n,)`: the emotion of more than half of the votes, -1 for none of the seven.

    The rule that FER+'s authors judge by (Barsoum et al. 2016, https://github.com/microsoft/FERPlus): a kind with
    one vote counts as none, and more than half of the rest must be for one kind. Left out, of all 35,887 images,
    are 4,200 without such a majority, 99 "unknown", 176 that are no face, and, other than there, the 148 of
    contempt, their eighth class: 24,941 Training, 3,186 PublicTest and 3,137 PrivateTest images stay, where
    theirs are 25,060, 3,199 and 3,153.
    """
    votes = np.where(votes > 1, votes, 0)
    return np.where(2 * votes.max(axis=1) > votes.sum(axis=1), CODES[votes.argmax(axis=1)], -1)


def eight(votes):
    """Return what FER+ itself chooses among its eight emotions, and with how many votes.

    Returns:
        Codes int64 `(n,)`, -1 for contempt, the first in the order of `COLUMNS` of equally many; votes `(n,)`.
    """
    emotions = votes[:, :8]
    return CODES[emotions.argmax(axis=1)], emotions.max(axis=1)


def relabel(faces, labels):
    """Return `faces` with FER+ labels instead of the original ones; images without such a label are left out.

    Args:
        faces: `Faces`, with votes unless `labels` is `"original"`.
        labels: `"original"`; `"fer+"`, see `majority`; `"majority"`, see `plurality`; or `"soft"`, the shares of
            the votes for the seven emotions in `soft_labels`, with the largest (the first of equal ones) as the
            label.
    """
    if labels == "original":
        return faces
    if faces.votes is None:
        raise InputError(
            f"labels={labels!r} needs FER+ votes, and there are none beside {faces.source}. "
            f"Put {FILE} there, or give it as votes=PATH."
        )
    if labels in ("majority", "fer+"):
        codes = plurality(faces.votes) if labels == "majority" else majority(faces.votes)
        log.info("%d of %d images have no %s label and are left out.", (codes < 0).sum(), len(faces), labels)
        return replace(faces.take(codes >= 0), codes[codes >= 0])
    seven = faces.votes[:, ORDER].astype(np.float32)
    voted = seven.sum(axis=1) > 0
    soft = seven[voted] / seven[voted].sum(axis=1, keepdims=True)
    return replace(faces.take(voted), soft.argmax(axis=1), soft)


def replace(faces, labels, soft=None):
    labels = labels.astype(np.int64)
    changed = digest(faces.images, labels, faces.usages)
    return dataclasses.replace(faces, labels=labels, digest=changed, soft_labels=soft)

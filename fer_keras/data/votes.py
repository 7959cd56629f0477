"""FER+: votes of ten people on every image of FER-2013 (Barsoum et al. 2016, arXiv:1608.01041)."""

import dataclasses
import logging
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import IO

import numpy as np

from fer_keras.core.errors import InputError
from fer_keras.data import tables
from fer_keras.data.aliases import TRAINING, emotion_code, emotion_name
from fer_keras.data.faces import EMOTIONS, USAGES, Faces, digest
from fer_keras.data.sources import open_file, reading

log = logging.getLogger("fer_keras")
FILE = "fer2013new.csv"
COLUMNS = (
    "neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "nf",
)  # fmt: skip
# The code of each column, -1 if it is not one of the seven; and the column of each code.
CODES = np.array([-1 if (code := emotion_code(column)) is None else code for column in COLUMNS])
ORDER = [CODES.tolist().index(code) for code in range(len(EMOTIONS))]
EIGHT = (*EMOTIONS, "contempt")
EIGHT_CODES = np.array(
    [EIGHT.index(name) if (name := emotion_name(column)) in EIGHT else -1 for column in COLUMNS]
)
LABELS = ("original", "majority", "soft", "fer+", "fer+8")


def find(headers: Mapping[str, Sequence[str]]) -> str | None:
    """Return the name of the FER+ table among `{name: column names}`, or None."""
    return next((name for name, header in headers.items() if {"usage", *COLUMNS} <= set(header)), None)


def read_votes(path: str | os.PathLike) -> np.ndarray:
    """Return the votes table of the `fer2013new.csv` at `path`; see `read_table`."""
    with reading(path), open_file(path) as file:
        return read_table(file, pathlib.Path(path))


def read_table(file: IO[bytes], where: str | os.PathLike) -> np.ndarray:
    """Return int16 `(n, 11)`: the usage code and the ten votes of every row.

    Raises:
        InputError: if a column is missing, or a value is not a usage or a count; the message names the line.
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


def align(table: np.ndarray, usages: np.ndarray, where: str | os.PathLike) -> np.ndarray:
    """Return int16 `(n, 10)`, the votes of each image; zeros for images of a usage that FER+ does not have.

    Both have the order of `fer2013.csv` within each usage, so their counts must be equal.

    Raises:
        InputError: if they differ.
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


def column_of(name: str) -> int:
    """Return the column of FER+'s votes for an emotion under any of its names, or -1."""
    emotions = [emotion_name(column) for column in COLUMNS[:8]]
    return emotions.index(emotion_name(name)) if emotion_name(name) in emotions else -1


def plurality(votes: np.ndarray) -> np.ndarray:
    """Return int64 `(n,)`: the emotion with the most of all ten kinds of votes, -1 for a tie or other kinds."""
    most = votes.max(axis=1, keepdims=True)
    unique = (votes == most).sum(axis=1) == 1
    return np.where(unique, CODES[votes.argmax(axis=1)], -1)


def majority(votes: np.ndarray, codes: np.ndarray = CODES) -> np.ndarray:
    """Return int64 `(n,)`: the emotion with more than half of the votes, -1 if it is none of the seven (or eight).

    This is the evaluation rule of FER+'s authors (Barsoum et al. 2016, https://github.com/microsoft/FERPlus):
    single votes are dropped, and more than half of the rest must agree. Of all 35,887 images, it excludes 4,200
    without such a majority, 99 "unknown", 176 without a face and, with seven classes, the 148 of contempt. 24,941
    Training, 3,186 PublicTest and 3,137 PrivateTest images remain; with eight classes 25,060, 3,199 and 3,153.

    Args:
        votes: `(n, 10)`.
        codes: the class code of each column, `CODES` for seven classes or `EIGHT_CODES`.
    """
    votes = np.where(votes > 1, votes, 0)
    return np.where(2 * votes.max(axis=1) > votes.sum(axis=1), codes[votes.argmax(axis=1)], -1)


def distribution(votes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distribution over `EIGHT` on which FER+'s authors train, and which images they use.

    Single votes are dropped. The kinds with the most votes are selected, ties together, until they have three
    quarters of the votes or are three. An image is used if these are at most three kinds with more than half of
    the votes, and neither "unknown" nor "no face" comes first. If one of these comes later, only the kinds before
    it are selected (Barsoum et al. 2016, arXiv:1608.01041, and https://github.com/microsoft/FERPlus).

    Args:
        votes: `(n, 10)`.

    Returns:
        float32 `(n, 8)` with rows that sum to 1; for unused images, of all remaining votes for the eight (zeros
        without any); bool `(n,)`, whether the image is used.
    """
    votes = np.where(votes > 1, votes, 0)
    taken, counts = np.zeros((len(votes), 8), np.float32), np.zeros(len(votes), bool)
    for row, kinds in enumerate(votes):
        chosen = _most_voted(kinds)
        counts[row] = 0 < len(chosen) <= 3 and 2 * kinds[chosen].sum() > kinds.sum()
        kept = chosen if counts[row] else np.arange(8)
        taken[row, EIGHT_CODES[kept]] = kinds[kept]
    return taken / np.maximum(taken.sum(axis=1, keepdims=True), 1), counts


def _most_voted(kinds: np.ndarray) -> list[int]:
    """Return the columns of the most voted emotions by the rule of `distribution`."""
    chosen: list[int] = []
    total = kinds.sum()
    for level in sorted(set(kinds[kinds > 0].tolist()), reverse=True):
        if len(chosen) >= 3 or 4 * kinds[chosen].sum() >= 3 * total:
            break
        equal = np.flatnonzero(kinds == level)
        chosen += equal[equal < 8].tolist()
        if (equal >= 8).any():
            break
    return chosen


def relabel(faces: Faces, labels: str) -> Faces:
    """Return `faces` with FER+ labels instead of the original ones; images without such a label are removed.

    Args:
        faces: `Faces`, with votes unless `labels` is `"original"`.
        labels: `"original"`; `"fer+"`, see `majority`; `"majority"`, see `plurality`; `"soft"`, the shares of the
            votes for the seven emotions in `soft_labels`, with the largest (the first of equal ones) as the label;
            or `"fer+8"`, the protocol of FER+'s authors with contempt as an eighth class: Training images with
            their `distribution` in `soft_labels` and its largest as the label, other usages by `majority`.
    """
    if labels == "original":
        return faces
    if faces.votes is None:
        raise InputError(
            f"labels={labels!r} needs FER+ votes, and there are none beside {faces.source}. "
            f"Put {FILE} there, or give it as votes=PATH."
        )
    codes, soft, names = _relabelled(faces.votes, faces.usages, labels)
    log.info("%d of %d images have no %s label and are left out.", (codes < 0).sum(), len(faces), labels)
    kept = faces.take(codes >= 0)
    chosen, soft = codes[codes >= 0].astype(np.int64), None if soft is None else soft[codes >= 0]
    changed = digest(kept.images, chosen, kept.usages, names)
    return dataclasses.replace(kept, labels=chosen, digest=changed, soft_labels=soft, class_names=names)


def _relabelled(
    votes: np.ndarray, usages: np.ndarray, labels: str
) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...]]:
    """Return the code of each image (-1 for none), soft labels or None, and the class names."""
    if labels == "fer+8":
        soft, counts = distribution(votes)
        trained = np.where(counts, soft.argmax(axis=1), -1)
        return np.where(usages == TRAINING, trained, majority(votes, EIGHT_CODES)), soft, EIGHT
    if labels == "soft":
        seven = votes[:, ORDER].astype(np.float32)
        total = seven.sum(axis=1, keepdims=True)
        return np.where(total[:, 0] > 0, seven.argmax(axis=1), -1), seven / np.maximum(total, 1), EMOTIONS
    return (majority if labels == "fer+" else plurality)(votes), None, EMOTIONS

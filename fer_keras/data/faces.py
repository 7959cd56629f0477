"""A data set in memory: `Faces`, the names of its classes and usages, and fingerprints of images."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fer_keras.data.rows import Images, chunks, select

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
USAGES = ("Training", "PublicTest", "PrivateTest", "Test")
SIDE = 48


@dataclasses.dataclass(frozen=True, eq=False)
class Faces:
    """Grey faces with their labels, one row per image.

    Args:
        images: uint8 `(n, 48, 48, 1)`, 0 black to 255 white; may be a read-only memory map, or `Rows` of one,
            which `np.asarray` converts to an array.
        labels: int64 `(n,)`, index into `class_names`; -1 without a label.
        usages: int8 `(n,)`, index into `USAGES`; -1 if unknown.
        source: the path the images came from, or `"synthetic"`.
        digest: SHA-256 in hex of images, labels, usages and class names, equal for every format of a data set.
        votes: `(n, 10)`, the FER+ votes in the order of `fer_keras.data.votes.COLUMNS`; zeros without votes.
        soft_labels: float32 `(n, classes)`, rows that sum to 1: the share of votes of each class, for
            `load(labels="soft")` and `"fer+8"`; else None.
        synthetic: whether `fer_keras.data.synthetic` generated the faces; figures on them are not results.
        class_names: names of the classes, by default FER-2013's seven.
        skipped: images of the source that were not read, `{reason: {"images": count, "example": path}}`.
        notes: a sentence for each choice made while reading, such as a bit depth.
        names: `(n,)` `str`, the file of each image inside the source; None if images are not files.
        row_numbers: int64 `(n,)`, the row of each image in its table, from 0 without the header; several tables
            count as one, in the order train, validation, test. None if images are not rows of a table.
    """

    images: Images
    labels: np.ndarray
    usages: np.ndarray
    source: str
    digest: str
    votes: np.ndarray | None = None
    soft_labels: np.ndarray | None = None
    synthetic: bool = False
    class_names: tuple[str, ...] = EMOTIONS
    skipped: Mapping[str, Mapping] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()
    names: np.ndarray | None = None
    row_numbers: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: Any) -> "Faces":
        """Return the rows of `indices` (integers, a slice or a boolean mask), with their own digest.

        The images are not copied: consecutive rows are a view, others `Rows`.
        """
        rows = np.arange(len(self))[indices]
        images, labels, usages = select(self.images, rows), self.labels[rows], self.usages[rows]
        return dataclasses.replace(
            self,
            images=images,
            labels=labels,
            usages=usages,
            digest=digest(images, labels, usages, self.class_names),
            votes=_rows(self.votes, rows),
            soft_labels=_rows(self.soft_labels, rows),
            names=_rows(self.names, rows),
            row_numbers=_rows(self.row_numbers, rows),
        )


def _rows(array: np.ndarray | None, rows: np.ndarray) -> np.ndarray | None:
    return None if array is None else array[rows]


def make_faces(
    images: ArrayLike,
    labels: ArrayLike,
    usages: ArrayLike,
    source: object,
    class_names: tuple[str, ...] = EMOTIONS,
) -> Faces:
    """Return `Faces` of arrays in any layout of 2,304 pixels per row, with correct dtypes and the digest."""
    images = np.ascontiguousarray(images, np.uint8).reshape(-1, SIDE, SIDE, 1)
    labels, usages = np.asarray(labels, np.int64), np.asarray(usages, np.int8)
    hashed = digest(images, labels, usages, class_names)
    return Faces(images, labels, usages, str(source), hashed, class_names=class_names)


def digest(images: Images, labels: np.ndarray, usages: np.ndarray, class_names: tuple[str, ...] = EMOTIONS) -> str:
    """Return the SHA-256 of a data set in hex, equal on all machines; FER-2013's class names are not hashed."""
    content = hashlib.sha256()
    for chunk in chunks(images):
        content.update(chunk.data)
    content.update(np.ascontiguousarray(labels, "<i8").tobytes())
    content.update(np.ascontiguousarray(usages, np.int8).tobytes())
    if class_names != EMOTIONS:
        content.update(json.dumps(class_names).encode())
    return content.hexdigest()


def fingerprints(images: Images) -> np.ndarray:
    """Return uint64 `(n,)`, equal for equal images.

    64 bits of BLAKE2b: two different images among FER-2013's 35,887 share one with probability 4e-11.
    """
    hashes = (hashlib.blake2b(image, digest_size=8).digest() for chunk in chunks(images) for image in chunk)
    return np.frombuffer(b"".join(hashes), np.uint64)

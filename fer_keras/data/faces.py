"""The data set in memory: `Faces`, the names of its classes and usages, and fingerprints of images."""

import dataclasses
import hashlib

import numpy as np

from fer_keras.data.rows import chunks, select

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
USAGES = ("Training", "PublicTest", "PrivateTest", "Test")
SIDE = 48


@dataclasses.dataclass(frozen=True, eq=False)
class Faces:
    """Grey faces with their labels, one row per image.

    Args:
        images: uint8 `(n, 48, 48, 1)`, 0 black to 255 white; may be a read-only memory map, or `Rows` of one:
            `np.asarray` makes an array of them.
        labels: int64 `(n,)`, index into `EMOTIONS`; -1 where the image has no label.
        usages: int8 `(n,)`, index into `USAGES`; -1 where it is not known.
        source: the path the images came from, or `"synthetic"`.
        digest: SHA-256 in hex of images, labels and usages: the same for every form of the same data.
        votes: `(n, 10)`, the FER+ votes in the order of `fer_keras.data.votes.COLUMNS`; a row of zeros has none.
        soft_labels: float32 `(n, 7)`, rows that sum to 1: the share of votes of each emotion, for
            `load(labels="soft")`; else None.
        synthetic: whether `fer_keras.data.synthetic` generated the faces: nothing measured on them is a result.
    """

    images: np.ndarray
    labels: np.ndarray
    usages: np.ndarray
    source: str
    digest: str
    votes: np.ndarray | None = None
    soft_labels: np.ndarray | None = None
    synthetic: bool = False

    def __len__(self):
        return len(self.labels)

    def take(self, indices):
        """Return the rows of `indices` (integers, a slice or a boolean mask), with their own digest.

        The images are not copied: they are a view where the rows follow each other, else `Rows`.
        """
        rows = np.arange(len(self))[indices]
        images, labels, usages = select(self.images, rows), self.labels[rows], self.usages[rows]
        return dataclasses.replace(
            self,
            images=images,
            labels=labels,
            usages=usages,
            digest=digest(images, labels, usages),
            votes=None if self.votes is None else self.votes[rows],
            soft_labels=None if self.soft_labels is None else self.soft_labels[rows],
        )


def make_faces(images, labels, usages, source):
    """Return `Faces` of arrays in any layout of 2,304 pixels a row, with the dtypes and the digest worked out."""
    images = np.ascontiguousarray(images, np.uint8).reshape(-1, SIDE, SIDE, 1)
    labels, usages = np.asarray(labels, np.int64), np.asarray(usages, np.int8)
    return Faces(images, labels, usages, str(source), digest(images, labels, usages))


def digest(images, labels, usages):
    """Return the SHA-256 of a data set in hex, the same on every machine."""
    content = hashlib.sha256()
    for chunk in chunks(images):
        content.update(chunk)
    content.update(np.ascontiguousarray(labels, "<i8"))
    content.update(np.ascontiguousarray(usages, np.int8))
    return content.hexdigest()


def fingerprints(images):
    """Return uint64 `(n,)`, equal for equal images.

    64 bits of BLAKE2b: two different images among FER-2013's 35,887 share one with probability 4e-11.
    """
    hashes = (hashlib.blake2b(image, digest_size=8).digest() for chunk in chunks(images) for image in chunk)
    return np.frombuffer(b"".join(hashes), np.uint64)

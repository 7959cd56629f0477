"""The input and output of readers: options, skipped images, rows."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from fer_keras.core.errors import InputError
from fer_keras.data.labels import LEFT_OUT, Labels
from fer_keras.data.skipped import Skipped


@dataclasses.dataclass(frozen=True)
class Options:
    """How to read a data set; part of the key of its cache entry. See `fer_keras.data.load`."""

    classes: str | tuple[str, ...] | None = None
    label_codes: str | None = None
    bit_depth: int | None = None

    def __post_init__(self) -> None:
        if self.bit_depth is not None and self.bit_depth not in range(8, 17):
            raise InputError(f"bit_depth must be from 8 to 16. Received {self.bit_depth!r}.")


class Reading:
    """One reading of a data set: its options, its labels and its notes.

    Args:
        options: `Options`.
        skipped: what the source has skipped so far.
    """

    def __init__(self, options: Options, skipped: Skipped) -> None:
        self.options = options
        self.skipped = skipped
        self.notes: list[str] = []
        self.labels = Labels(options.classes, options.label_codes, skipped)
        self.advance: Callable[[int], None] = lambda amount: None


@dataclasses.dataclass
class Rows:
    """The result of a reader, one row per image.

    Args:
        images: uint8 of 2,304 values per row.
        labels: class codes by `Labels`; -1 without a label, `LEFT_OUT` for a class that was not requested.
        usages: codes of `USAGES`, -1 for none.
        names: the file of each image inside the source, or None if images are not files.
        row_numbers: int64, the row of each image in its table, from 0, or None if images are not rows of a table.
    """

    images: np.ndarray
    labels: Sequence[int]
    usages: Sequence[int]
    names: Sequence[str] | None = None
    row_numbers: np.ndarray | None = None

    def asked_for(self) -> "Rows":
        """Return the rows of the requested classes."""
        kept = np.asarray(self.labels) != LEFT_OUT
        if kept.all():
            return self
        names = None if self.names is None else [name for name, keep in zip(self.names, kept, strict=True) if keep]
        numbers = None if self.row_numbers is None else self.row_numbers[kept]
        return Rows(
            self.images[kept], np.asarray(self.labels)[kept], np.asarray(self.usages)[kept], names, numbers
        )

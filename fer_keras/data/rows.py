"""Subsets of large image arrays without a copy, and iteration in chunks."""

from collections.abc import Iterator
from typing import Any

import numpy as np

CHUNK = 1024  # rows


class Rows:
    """Some rows of an array in memory or in a file. Indexing copies only the selected rows.

    `np.asarray` and an index over several axes copy all rows.

    Args:
        array: `(n, ...)`.
        rows: `(k,)` integers from 0 to n - 1.
    """

    def __init__(self, array: np.ndarray, rows: np.ndarray) -> None:
        self.array, self.rows = array, rows
        self.shape, self.dtype = (len(rows), *array.shape[1:]), array.dtype

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        return np.asarray(self)[index] if isinstance(index, tuple) else self.array[self.rows[index]]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.array[self.rows], dtype)


Images = np.ndarray | Rows


def select(array: Images, rows: np.ndarray) -> Images:
    """Return these rows of an array or of `Rows` without a copy: a view if they are consecutive, else `Rows`."""
    if isinstance(array, Rows):
        rows, array = array.rows[rows], array.array
    if (np.diff(rows) == 1).all():
        return array[rows[0] : rows[-1] + 1] if len(rows) else array[:0]
    return Rows(array, rows)


def chunks(array: Images) -> Iterator[np.ndarray]:
    """Yield the rows of an array or of `Rows` in contiguous arrays of up to 1,024."""
    for start in range(0, len(array), CHUNK):
        yield np.ascontiguousarray(array[start : start + CHUNK])

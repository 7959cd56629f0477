"""Subsets of large image arrays without a copy, and iteration in chunks."""

import numpy as np

CHUNK = 1024


class Rows:
    """Some rows of an array in memory or in a file. Indexing copies only the rows that are asked for.

    `np.asarray` and an index of several axes copy all rows.

    Args:
        array: `(n, ...)`.
        rows: `(k,)` integers from 0 to n - 1.
    """

    def __init__(self, array, rows):
        self.array, self.rows = array, rows
        self.shape, self.dtype = (len(rows), *array.shape[1:]), array.dtype

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return np.asarray(self)[index] if isinstance(index, tuple) else self.array[self.rows[index]]

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.array[self.rows], dtype)


def select(array, rows):
    """Return these rows of an array or of `Rows` without a copy: a view if they are consecutive, else `Rows`."""
    if isinstance(array, Rows):
        array, rows = array.array, array.rows[rows]
    if (np.diff(rows) == 1).all():
        return array[rows[0] : rows[-1] + 1] if len(rows) else array[:0]
    return Rows(array, rows)


def chunks(array):
    """Yield the rows of an array or of `Rows` in contiguous arrays of up to 1,024."""
    for start in range(0, len(array), CHUNK):
        yield np.ascontiguousarray(array[start : start + CHUNK])

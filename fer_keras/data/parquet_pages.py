"""Sizes of the pages of a parquet file, by the headers of the pages themselves, which the footer may contradict.

A reader unpacks a page into as many bytes as the header of that page states. Page headers are structures of
Thrift's compact protocol (https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md).
"""

import os
from typing import IO

MOST_PAGES = 100_000  # of a column chunk
DEEPEST = 10  # structures within structures
STOP, TRUE, FALSE, BYTE, DOUBLE, BINARY, LIST, SET, STRUCT = 0, 1, 2, 3, 7, 8, 9, 10, 12
VARINTS = (4, 5, 6)
UNCOMPRESSED, COMPRESSED = 2, 3  # fields of a page header: bytes of the page, without the header


class BadPage(ValueError):
    """The bytes are no header of a page, or there are too many pages."""


def unpacked_size(file: IO[bytes], start: int, length: int) -> int:
    """Return the number of bytes of all pages of a column chunk, unpacked, and of their headers.

    Args:
        file: binary file.
        start: where the first page begins.
        length: bytes of the chunk in the file.

    Raises:
        BadPage: if a header cannot be read.
    """
    total, position = 0, start
    for _ in range(MOST_PAGES):
        if position >= start + length:
            return total
        file.seek(position)
        sizes = _integers(file)
        uncompressed, compressed = sizes.get(UNCOMPRESSED, -1), sizes.get(COMPRESSED, -1)
        if uncompressed < 0 or compressed < 0:
            raise BadPage("a page states no size")
        header = file.tell() - position
        total += header + uncompressed
        position += header + compressed
    raise BadPage(f"a column has more than {MOST_PAGES:,} pages")


def _integers(file: IO[bytes], depth: int = 0) -> dict[int, int]:
    """Read a structure and return its fields that are integers; its other fields are skipped."""
    if depth > DEEPEST:
        raise BadPage("structures are nested too deeply")
    found, field = {}, 0
    while (byte := _byte(file)) != STOP:
        kind, step = byte & 15, byte >> 4
        field = field + step if step else _zigzag(_varint(file))
        if kind in VARINTS:
            found[field] = _zigzag(_varint(file))
        elif kind not in (TRUE, FALSE):  # the kind of the field is its value
            _skip(file, kind, depth)
    return found


def _skip(file: IO[bytes], kind: int, depth: int) -> None:
    """Skip a value that is not an integer field."""
    if kind in VARINTS:
        _varint(file)
    elif kind == STRUCT:
        _integers(file, depth + 1)
    elif kind in (LIST, SET):
        byte = _byte(file)
        for _ in range(_varint(file) if byte >> 4 == 15 else byte >> 4):
            _skip(file, byte & 15, depth + 1)
    elif kind in (TRUE, FALSE, BYTE):
        _byte(file)
    elif kind in (DOUBLE, BINARY):
        file.seek(8 if kind == DOUBLE else _varint(file), os.SEEK_CUR)
    else:
        raise BadPage("a value has an unknown type")


def _byte(file: IO[bytes]) -> int:
    data = file.read(1)
    if not data:
        raise BadPage("the file ends within a page header")
    return data[0]


def _varint(file: IO[bytes]) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = _byte(file)
        value |= (byte & 127) << shift
        if byte < 128:
            return value
    raise BadPage("a number is too long")


def _zigzag(value: int) -> int:
    return value >> 1 ^ -(value & 1)

"""FER-2013 as CSV: one file with `Usage`, or one file per split without it."""

import collections
import contextlib
import csv
import io
import os
import pathlib
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any, NamedTuple

import numpy as np

from fer_keras.core.errors import InputError
from fer_keras.data import official
from fer_keras.data.aliases import CODES, PRIVATE, PUBLIC, TEST, TRAINING, split_code, split_codes
from fer_keras.data.faces import EMOTIONS, SIDE, USAGES
from fer_keras.data.labels import LEFT_OUT
from fer_keras.data.reading import Reading, Rows
from fer_keras.data.sources import HEAD, Source, whole_path

PIXELS = SIDE * SIDE
LONGEST_LINE = 100_000
DELIMITERS = (",", ";", "\t", "|")
# Names of one data set in several files, as the competition serves it, the one to read first.
OFFICIAL = ("fer2013.csv", "icml_face_data.csv")
OFFICIAL_PARTS = ("train.csv", "test.csv")


class Dialect(NamedTuple):
    """How a CSV is written: its encoding, its delimiter, and whether line 1 is Excel's `sep=;`."""

    encoding: str
    delimiter: str
    has_separator_line: bool


def dialect(head: bytes) -> Dialect:
    """Return the `Dialect` of a CSV from its first bytes."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    else:  # without a mark, the zero bytes of ASCII letters show the order
        encoding = {b"\0": "utf-16-be"}.get(head[:1], "utf-16-le" if head[1:2] == b"\0" else "utf-8-sig")
    text = head.decode(encoding, errors="ignore").splitlines()
    first = text[0] if text else ""
    if match := re.fullmatch(r"sep=(.)\s*", first, re.IGNORECASE):
        return Dialect(encoding, match[1], True)
    return Dialect(encoding, max(DELIMITERS, key=first.count), False)


def columns(head: bytes) -> tuple[str, ...]:
    """Return the column names in the first bytes of a CSV, stripped and in lower case, or () if it is no CSV."""
    how = dialect(head)
    text = head.decode(how.encoding, errors="ignore").splitlines()[how.has_separator_line :]
    try:
        return tuple(_name(name) for name in next(csv.reader(text[:1], delimiter=how.delimiter)))
    except (StopIteration, csv.Error):
        return ()


def _name(name: str) -> str:
    return name.strip().lower()


def find(source: Source, headers: dict[str, tuple[str, ...]], reading: Reading) -> dict[str, int | None]:
    """Return `{name: usage code}` of the CSVs to read, None for one with `Usage`; {} for none.

    Raises:
        InputError: if there are several data sets, or names do not give the splits.
    """
    whole = [name for name, header in headers.items() if {"emotion", "pixels", "usage"} <= set(header)]
    parts = [name for name, header in headers.items() if "pixels" in header and "usage" not in header]
    if not whole:
        return _parts(source, parts, headers)
    ranked = sorted(whole, key=lambda name: (_rank(name), name.count("/"), name))
    first, *others = ranked
    strange = [
        name
        for name in [*others, *parts]
        if not (_rank(first) < len(OFFICIAL) and _stem(name) in OFFICIAL + OFFICIAL_PARTS)
        and not (_stem(name) == _stem(first) and source.sizes[name] == source.sizes[first])
    ]
    if strange:
        raise InputError(
            f"{source.path} holds several CSV files of images: {first}, {', '.join(strange[:4])}. Give one."
        )
    if len(ranked) + len(parts) > 1:
        rest = ", ".join([*others, *parts])
        reading.notes.append(f"Read {first}; not read, as other copies of the same data: {rest}.")
    return {first: None}


def _stem(name: str) -> str:
    return pathlib.PurePosixPath(name).name.lower()


def _rank(name: str) -> int:
    return OFFICIAL.index(_stem(name)) if _stem(name) in OFFICIAL else len(OFFICIAL)


def _parts(source: Source, names: list[str], headers: Mapping[str, tuple[str, ...]]) -> dict[str, int | None]:
    """Return `{name: usage code}` of CSVs without `Usage`, in the order of the codes."""
    labelled = [name for name in names if "emotion" in headers[name]]
    unlabelled = [name for name in names if name not in labelled]
    if len(labelled) == 1:
        codes = {labelled[0]: TRAINING}
    else:
        words = {name: pathlib.PurePosixPath(name).stem for name in labelled}
        if any(split_code(word) is None for word in words.values()) or len(set(words.values())) < len(words):
            raise InputError(
                f"{source.path} holds {len(labelled)} labelled CSV files without a Usage column: "
                f"{', '.join(labelled)}. Expected one, or files named train, val and test. Give the one to read."
            )
        found = split_codes(words.values(), source.path)
        codes = {name: found[word] for name, word in words.items()}
    if len(unlabelled) > 1:
        raise InputError(f"{source.path} holds several unlabelled CSV files: {', '.join(unlabelled)}. Give one.")
    codes |= {name: TEST for name in unlabelled}
    return dict(sorted(codes.items(), key=lambda part: (part[1], part[0])))


def read(source: Source, parts: Mapping[str, int | None], reading: Reading) -> Rows:
    """Return the rows of the CSVs in `parts`, as `find` gave it."""
    tables = {}
    with contextlib.closing(source.stream(parts)) as files:  # an invalid row must not leave the file open
        for name, file in files:
            tables[name] = _read_table(file, whole_path(source, name), parts[name], reading)
    return joined([tables[name] for name in parts], [len(tables[name].labels) for name in parts])


def joined(tables: list[Rows], counts: list[int]) -> Rows:
    """Return the rows of all `tables`, numbered on from one to the next; a single table is not copied.

    Args:
        tables: at least one.
        counts: rows of each in its file, with those that were not read.
    """
    if len(tables) == 1:
        return tables[0]
    labels = [label for table in tables for label in table.labels]
    usages = [usage for table in tables for usage in table.usages]
    starts = np.cumsum([0, *counts[:-1]])
    numbers = np.concatenate([start + table.row_numbers for start, table in zip(starts, tables, strict=True)])
    return Rows(np.concatenate([table.images for table in tables]), labels, usages, row_numbers=numbers)


def _read_table(file: IO[bytes], where: str, usage: int | None, reading: Reading) -> Rows:
    pixels, labels, words = bytearray(), [], []
    with warnings.catch_warnings():
        # Older NumPy only warns about text that is not a number, and returns the values before it.
        warnings.simplefilter("error", DeprecationWarning)
        for place, row in rows(file, where, reading.advance, needed=("emotion", "pixels", "usage")):
            pixels += parse_pixels(row["pixels"], place).tobytes()
            labels.append(reading.labels.code(row["emotion"], place) if "emotion" in row else -1)
            if usage is None:
                words.append(parse_usage(row["usage"], place))
    if not labels:
        raise InputError(f"{where} has a header but no rows. The file was probably cut short: fetch it again.")
    if (
        LEFT_OUT in labels
        and 0 not in labels
        and reading.labels.names == list(EMOTIONS)
        and not reading.labels.codes
    ):
        raise InputError(
            f"{where} has labels above {len(EMOTIONS) - 1} and none of 0: its codes are not FER-2013's. Give "
            f"label_codes (--label-codes), one of: {', '.join(CODES)}."
        )
    usages = [usage] * len(labels) if usage is not None else usage_codes(words, where)
    if usage is None:
        check_not_cut(collections.Counter(words), where)
    images = np.frombuffer(pixels, np.uint8).reshape(-1, PIXELS)
    return Rows(images, labels, usages, row_numbers=np.arange(len(labels), dtype=np.int64))


def parse_usage(text: str, place: str) -> str:
    """Return the name of a usage or a split without surrounding spaces."""
    word = text.strip()
    if split_code(word) is None:
        raise InputError(f"{place} has Usage {text[:20]!r}, expected one of: {', '.join(USAGES)}.")
    return word


def usage_codes(words: list[str], where: object) -> list[int]:
    """Return the usage code of each of `words`."""
    shown: dict[str, str] = {}  # Training and TRAINING are one word
    for word in words:
        shown.setdefault(word.lower(), word)
    codes = split_codes(shown.values(), where)
    return [codes[shown[word.lower()]] for word in words]


def check_not_cut(counts: Mapping[str, int], where: str) -> None:
    """Refuse a table that lacks rows of a single test usage, or all, as in a file cut at the end of a line."""
    if set(counts) == {"Training"}:
        raise InputError(
            f"{where} has a Usage column but only Training rows, {counts['Training']:,} of FER-2013's 28,709. The "
            "file was probably cut short: fetch it again. To use these rows alone, remove the Usage column."
        )
    codes = {word: split_code(word) for word in counts}
    sizes = {USAGES[code]: counts[word] for word, code in codes.items() if code in (TRAINING, PUBLIC, PRIVATE)}
    short = [name for name, size in sizes.items() if size < official.SIZES[name]]
    if len(short) == 1 and short != ["Training"] and sizes.get("Training") == official.SIZES["Training"]:
        raise InputError(
            f"{where} has {sizes[short[0]]:,} {short[0]} rows, expected {official.SIZES[short[0]]:,}. The file "
            "was probably cut short: fetch it again."
        )


class _Rejoined(io.RawIOBase):
    """A binary file whose first bytes have already been read."""

    def __init__(self, head: bytes, file: IO[bytes]) -> None:
        self.head, self.file = head, file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self.head[: len(buffer)] or self.file.read(len(buffer))
        self.head = self.head[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


def rows(
    file: IO[bytes],
    where: str | os.PathLike,
    advance: Callable[[int], None] = lambda count: None,
    needed: tuple[str, ...] = (),
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the place ("PATH, line N") and `{column: text}` of every row of a CSV with a header.

    Raises:
        InputError: if a line is not CSV, has too few or too many columns, or a `needed` column is duplicated.
    """
    head = file.read(HEAD)
    how = dialect(head)
    text = lines(io.BufferedReader(_Rejoined(head, file)), where, advance, how.encoding)
    if how.has_separator_line:
        next(text, None)
    reader = csv.reader(text, delimiter=how.delimiter, strict=True)
    header = None
    while True:
        place = f"{where}, line {reader.line_num + 1 + how.has_separator_line}"
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise InputError(f"{place} is not CSV: {error}. Fetch the file again.") from error
        if row is None:
            return
        if header is None:
            header = [_name(name) for name in row]
            twice = [name for name in needed if header.count(name) > 1]
            if twice:
                raise InputError(
                    f"{where} has {header.count(twice[0])} columns named {twice[0]}. Remove all but one."
                )
        elif row:
            if len(row) != len(header):
                raise InputError(
                    f"{place} has {len(row)} columns, expected {len(header)} ({', '.join(header)[:200]}). "
                    "The file was probably cut short: fetch it again."
                )
            yield place, dict(zip(header, row, strict=True))


def lines(
    file: IO[bytes],
    where: str | os.PathLike,
    advance: Callable[[int], None] = lambda count: None,
    encoding: str = "utf-8-sig",
) -> Iterator[str]:
    """Yield the lines of a text file; refuse overlong ones."""
    try:
        with io.TextIOWrapper(file, encoding=encoding, newline="") as text:
            while line := text.readline(LONGEST_LINE):
                if len(line) == LONGEST_LINE:
                    raise InputError(
                        f"{where} has a line of {LONGEST_LINE:,} characters or more: it is not FER-2013."
                    )
                advance(len(line))
                yield line
    except UnicodeDecodeError as error:
        raise InputError(f"{where} is not UTF-8 text: {error}. Save it as UTF-8, or fetch it again.") from error


def parse_pixels(text: str, place: str) -> np.ndarray:
    """Return uint8 `(2304,)` from whole numbers separated by spaces or commas, optionally in brackets."""
    if "," in text or "[" in text:
        text = text.strip(" []").replace(",", " ")
    try:
        values = np.fromstring(text, np.int64, sep=" ")
    except (ValueError, DeprecationWarning):
        raise InputError(f"{place}: {_bad_pixel(text)}") from None
    if len(values) != PIXELS:
        raise InputError(
            f"{place} has {len(values):,} pixels, expected {PIXELS:,} ({SIDE} x {SIDE}). "
            "The file was cut short or is not FER-2013."
        )
    if values.min() < 0 or values.max() > 255:
        raise InputError(f"{place}: {_bad_pixel(text)}")
    return values.astype(np.uint8)


def _bad_pixel(text: str) -> str:
    pixels = text.split()
    wrong = [
        i for i, pixel in enumerate(pixels) if not (pixel.isascii() and pixel.isdigit() and int(pixel[:20]) <= 255)
    ]
    if not wrong:
        return "the pixels are not numbers with a space between them."
    return f"pixel {wrong[0] + 1:,} is {pixels[wrong[0]][:20]!r}, expected a whole number from 0 to 255."

"""FER-2013 as CSV: one file with `Usage`, or a file per split without it."""

import contextlib
import csv
import io
import pathlib
import warnings

import numpy as np

from fer_keras.core.errors import InputError
from fer_keras.data.aliases import TEST, TRAINING, settle, split_code
from fer_keras.data.faces import EMOTIONS, SIDE, USAGES
from fer_keras.data.sources import whole_path

PIXELS = SIDE * SIDE
CODES = {str(code): code for code in range(len(EMOTIONS))}
LONGEST_LINE = 100_000


def columns(head):
    """Return the column names in the first bytes of a CSV, stripped and in lower case, or () if it is none."""
    try:
        line = head.decode("utf-8-sig", errors="ignore").splitlines()[0]
        return tuple(name.strip().lower() for name in next(csv.reader([line])))
    except (IndexError, StopIteration, csv.Error):
        return ()


def find_whole(headers):
    """Return `{name: None}` of the CSV that holds everything, or {}; the shallowest, then alphabetical one."""
    names = [name for name, header in headers.items() if {"emotion", "pixels", "usage"} <= set(header)]
    return {min(names, key=lambda name: (name.count("/"), name)): None} if names else {}


def find_parts(headers):
    """Return `{name: usage code}` of CSVs without `Usage`, in the order of the codes, or {}."""
    pixels = [name for name, header in headers.items() if "pixels" in header and "usage" not in header]
    labelled = [name for name in pixels if "emotion" in headers[name]]
    parts = dict(zip(labelled, split_codes(labelled), strict=True))
    parts |= {name: TEST for name in pixels if name not in labelled}
    return dict(sorted(parts.items(), key=lambda part: (part[1], part[0])))


def split_codes(names):
    if len(names) == 1:
        return [TRAINING]
    codes = [split_code(pathlib.PurePath(name).stem) for name in names]
    if None in codes or len(set(codes)) < len(codes):
        raise InputError(
            f"Found {len(names)} labelled CSV files without a Usage column: {', '.join(names)}. Expected one, or "
            "files named train, val and test. Give the one to read."
        )
    return settle(codes)


def read(source, parts, advance):
    """Return images, labels and usages of the CSVs in `parts`, as `find_whole` or `find_parts` gave it."""
    tables = {}
    with contextlib.closing(source.stream(parts)) as files:  # a row that is refused must not leave its file open
        for name, file in files:
            tables[name] = read_table(file, whole_path(source, name), parts[name], advance)
    return joined([tables[name] for name in parts])


def joined(tables):
    """Return images, labels and usages of all `tables`; those of a single one are not copied."""
    return [columns[0] if len(tables) == 1 else np.concatenate(columns) for columns in zip(*tables, strict=True)]


def read_table(file, where, usage, advance):
    pixels, labels, usages = bytearray(), [], []
    with warnings.catch_warnings():
        # Older NumPy only warns of text that is no number and returns what stands before it.
        warnings.simplefilter("error", DeprecationWarning)
        for place, row in rows(file, where, advance):
            pixels += parse_pixels(row["pixels"], place).tobytes()
            labels.append(parse_label(row["emotion"], place) if "emotion" in row else -1)
            usages.append(parse_usage(row["usage"], place) if usage is None else usage)
    if not labels:
        raise InputError(f"{where} has a header but no rows. The file was probably cut short: fetch it again.")
    return np.frombuffer(pixels, np.uint8).reshape(-1, PIXELS), labels, usages


def rows(file, where, advance=lambda count: None):
    """Yield the place ("PATH, line N") and `{column: text}` of every row of a CSV with a header."""
    reader = csv.reader(lines(file, where, advance), strict=True)
    header = None
    while True:
        place = f"{where}, line {reader.line_num + 1}"
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise InputError(f"{place} is not CSV: {error}. Fetch the file again.") from error
        if row is None:
            return
        if header is None:
            header = [name.strip().lower() for name in row]
        elif row:
            if len(row) != len(header):
                raise InputError(
                    f"{place} has {len(row)} columns, expected {len(header)} ({', '.join(header)}). "
                    "The file was probably cut short: fetch it again."
                )
            yield place, dict(zip(header, row, strict=True))


def lines(file, where, advance):
    try:
        with io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
            while line := text.readline(LONGEST_LINE):
                if len(line) == LONGEST_LINE:
                    raise InputError(
                        f"{where} has a line of {LONGEST_LINE:,} characters or more: it is not FER-2013."
                    )
                advance(len(line))
                yield line
    except UnicodeDecodeError as error:
        raise InputError(f"{where} is not UTF-8 text: {error}. Fetch the file again.") from error


def parse_pixels(text, place):
    """Return int64 `(2304,)` turned uint8, or say what is wrong with the pixels in `text`."""
    try:
        values = np.fromstring(text, np.int64, sep=" ")
    except (ValueError, DeprecationWarning):
        raise InputError(f"{place}: {bad_pixel(text)}") from None
    if len(values) != PIXELS:
        raise InputError(
            f"{place} has {len(values):,} pixels, expected {PIXELS:,} ({SIDE} x {SIDE}). "
            "The file was cut short or is not FER-2013."
        )
    if values.min() < 0 or values.max() > 255:
        raise InputError(f"{place}: {bad_pixel(text)}")
    return values.astype(np.uint8)


def bad_pixel(text):
    pixels = text.split()
    wrong = [
        i for i, pixel in enumerate(pixels) if not (pixel.isascii() and pixel.isdigit() and int(pixel[:20]) <= 255)
    ]
    if not wrong:
        return "the pixels are not numbers with a space between them."
    return f"pixel {wrong[0] + 1:,} is {pixels[wrong[0]][:20]!r}, expected a whole number from 0 to 255."


def parse_label(text, place):
    code = CODES.get(text.strip())
    if code is None:
        names = ", ".join(f"{code} {name}" for code, name in enumerate(EMOTIONS))
        raise InputError(f"{place} has emotion {text[:20]!r}, expected one of: {names}.")
    return code


def parse_usage(text, place):
    if text.strip() not in USAGES:
        raise InputError(f"{place} has Usage {text[:20]!r}, expected one of: {', '.join(USAGES)}.")
    return USAGES.index(text.strip())

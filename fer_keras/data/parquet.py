"""FER-2013 as parquet in the format of Hugging Face: image and label columns. Needs pyarrow."""

import json
import pathlib
import re
import tempfile
from collections.abc import Sequence
from typing import IO, Any, NoReturn

import numpy as np

from fer_keras.core.errors import InputError, first_line
from fer_keras.data.aliases import split_code, split_codes
from fer_keras.data.faces import SIDE, USAGES
from fer_keras.data.images import Stack
from fer_keras.data.parquet_pages import BadPage, unpacked_size
from fer_keras.data.reading import Reading, Rows
from fer_keras.data.sources import Folder, Source, open_file, whole_path
from fer_keras.data.tables import PIXELS, joined, parse_pixels, usage_codes

MAGIC = b"PAR1"
IMAGE_COLUMNS = ("image", "img", "pixels")
LABEL_COLUMNS = ("label", "labels", "emotion")
USAGE_COLUMNS = ("usage", "split")
LARGEST_GROUP = 1 << 30  # bytes of a row group, unpacked
LARGEST_LIST = 64 * PIXELS  # bytes
MOST_EXPANSION = 100  # bytes of all images per byte of the file, beyond `LARGEST_GROUP`: rows may name one value
BATCH = 256  # rows


def find(source: Source, heads: dict[str, bytes]) -> dict[str, int]:
    """Return `{name: usage code or -1}` of the parquet files, in the order of the codes, or {}.

    Raises:
        InputError: if some names give a split and others do not.
    """
    words = {name: _split_word(name) for name, head in heads.items() if head.startswith(MAGIC)}
    if "" in words.values() and any(words.values()):
        names = ", ".join(sorted(words)[:4])
        raise InputError(f"{source.path} holds parquet files of which only some name a split: {names}. Give one.")
    found = split_codes({word.lower() for word in words.values() if word}, source.path)
    codes = {name: found.get(word.lower(), -1) for name, word in words.items()}
    return dict(sorted(codes.items(), key=lambda part: (part[1], part[0])))


def _split_word(name: str) -> str:
    """Return the split in the first word of the file's name (train-00000-of-00001) or in a folder, else ""."""
    path = pathlib.PurePosixPath(name)
    words = [re.split(r"[-_.]", path.name)[0], *reversed(path.parts[:-1])]
    return next((word for word in words if split_code(word) is not None), "")


def read(source: Source, parts: dict[str, int], reading: Reading) -> Rows:
    """Return the rows of the parquet files in `parts`, as `find` gave it."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise InputError(
            f"Reading {source.path} needs pyarrow, which is not installed: pip install 'fer-keras[parquet]'."
        ) from error
    tables, counts = {}, {}
    for name, file in source.stream(parts):
        where = whole_path(source, name)
        try:
            with _on_disk(source, name, file) as local:
                schema = pyarrow.parquet.read_metadata(local).schema
                columns = [schema.column(i) for i in range(len(schema))]
                # Dictionaries are not expanded: every row of a file could refer to one large value.
                repeated = [column.path for column in columns if column.physical_type == "BYTE_ARRAY"]
                table = pyarrow.parquet.ParquetFile(local, read_dictionary=repeated)
                _check_size(table.metadata, local, where)
                tables[name], counts[name] = _read_table(table, where, source.sizes[name], parts[name], reading)
        except (pyarrow.ArrowException, OSError, OverflowError, BadPage) as error:
            raise InputError(f"{where} is not whole parquet: {first_line(error)}. Fetch it again.") from error
        reading.advance(source.sizes[name])
    return joined([tables[name] for name in parts], [counts[name] for name in parts])


def _on_disk(source: Source, name: str, file: IO[bytes]) -> IO[bytes]:
    """Return the file, or a temporary copy of one in an archive, since pyarrow needs random access."""
    if isinstance(source, Folder):
        return open_file(source.path / name)
    copy = tempfile.TemporaryFile()
    while part := file.read(1 << 20):
        copy.write(part)
    copy.seek(0)
    return copy


def _read_table(table: Any, where: str, size: int, usage: int, reading: Reading) -> tuple[Rows, int]:
    """Return the rows of a `ParquetFile` of `size` bytes, and their number with those that were not read."""
    schema = table.schema_arrow
    image = _column(schema.names, IMAGE_COLUMNS, where)
    label = _column(schema.names, LABEL_COLUMNS, where)
    split = _column(schema.names, USAGE_COLUMNS)
    assert label is not None, "`_column` refuses a file without one"
    names = _class_names(schema, label)
    stack = Stack(reading.skipped, reading.options.bit_depth)
    labels, words, numbers = [], [], []
    number, total, most = 0, 0, max(LARGEST_GROUP, MOST_EXPANSION * size)
    for batch in table.iter_batches(BATCH, columns=[c for c in (image, label, split) if c]):
        for row in range(batch.num_rows):
            number += 1
            place = f"{where}, row {number:,}"
            value = _value(batch[image][row], place)
            total += len(value) if isinstance(value, bytes | str) else 0
            if total > most:
                raise InputError(
                    f"{place}: the images have more than {most >> 20:,} MiB until here, the file has {size:,} "
                    "bytes. It is not safe to read."
                )
            if _add(stack, value, place):
                labels.append(reading.labels.code(_label(batch[label][row].as_py(), names), place))
                numbers.append(number - 1)
                words += [] if split is None else [_usage(batch[split][row].as_py(), place)]
    images, notes = stack.finish() if number else _no_rows(where)
    reading.notes += notes
    usages = [usage] * len(labels) if split is None else usage_codes(words, where)
    return Rows(images, labels, usages, row_numbers=np.array(numbers, np.int64)), number


def _value(scalar: Any, place: str) -> Any:
    """Return the content of a cell of the image column, of Hugging Face's structure the bytes.

    Lists much longer than an image are refused.
    """
    values: Any = getattr(scalar, "values", None)  # of a list: an Arrow array
    if hasattr(values, "nbytes") and values.nbytes > LARGEST_LIST:
        raise InputError(f"{place} has no image of {SIDE} x {SIDE} pixels but a list of {values.nbytes:,} bytes.")
    value = scalar.as_py()
    return value.get("bytes") if isinstance(value, dict) else value


def _no_rows(where: str) -> NoReturn:
    raise InputError(f"{where} has no rows. Fetch it again.")


def _check_size(metadata: Any, file: IO[bytes], where: str) -> None:
    """Refuse row groups that are very large by the footer of the file or by the headers of their pages."""
    for i in range(metadata.num_row_groups):
        group = metadata.row_group(i)
        chunks = [group.column(c) for c in range(group.num_columns)]
        size = sum(_size(chunk, file) + 8 * chunk.num_values for chunk in chunks)
        if size > LARGEST_GROUP:
            raise InputError(
                f"{where} has a row group of {size >> 20:,} MiB, more than {LARGEST_GROUP >> 20}. "
                "Write it again with smaller row groups."
            )


def _size(chunk: Any, file: IO[bytes]) -> int:
    """Return the bytes of a column chunk, unpacked, by the footer or by its pages, whichever are more."""
    if not chunk.num_values:  # no page is read, and the offset of the first may be none
        return int(chunk.total_uncompressed_size)
    start = chunk.data_page_offset
    if chunk.has_dictionary_page:
        start = min(start, chunk.dictionary_page_offset)
    return max(chunk.total_uncompressed_size, unpacked_size(file, start, chunk.total_compressed_size))


def _column(names: list[str], wanted: Sequence[str], where: str | None = None) -> str | None:
    """Return the column with the first available name of `wanted`; None if it is missing and optional."""
    found = [name for want in wanted for name in names if name.strip().lower() == want]
    if not found and where:
        raise InputError(f"{where} has the columns {', '.join(names)}; expected one named {' or '.join(wanted)}.")
    if len(found) > 1 and "image" not in wanted:
        raise InputError(f"{where or 'The file'} has the columns {' and '.join(found)}. Remove all but one.")
    if len(set(names)) < len(names) and found and names.count(found[0]) > 1:
        raise InputError(
            f"{where or 'The file'} has {names.count(found[0])} columns named {found[0]}. Remove one."
        )
    return found[0] if found else None


def _class_names(schema: Any, label: str) -> list[str] | None:
    """Return the names of the integers in the label column from Hugging Face's metadata, or None."""
    try:
        names = json.loads(schema.metadata[b"huggingface"])["info"]["features"][label]["names"]
    except (KeyError, TypeError, ValueError, RecursionError):  # no such list, or something else in its place
        return None
    return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else None


def _add(stack: Stack, value: Any, place: str) -> bool:
    """Add the image in `value` to `stack`; return whether it could be used."""
    if isinstance(value, bytes):
        return stack.add_encoded(value, place)
    stack.add(parse_pixels(value, place) if isinstance(value, str) else _from_numbers(value, place))
    return True


def _from_numbers(value: Any, place: str) -> np.ndarray:
    try:
        pixels = np.asarray(value).reshape(PIXELS)
    except ValueError:
        raise InputError(f"{place} has no image of {SIDE} x {SIDE} pixels: {str(value)[:40]}.") from None
    if pixels.dtype.kind not in "iu" or pixels.min() < 0 or pixels.max() > 255:
        raise InputError(f"{place} has pixels like {pixels.max()!s:.20}, expected whole numbers from 0 to 255.")
    return pixels.astype(np.uint8)


def _label(value: Any, names: list[str] | None) -> Any:
    return names[value] if names and isinstance(value, int) and 0 <= value < len(names) else value


def _usage(value: Any, place: str) -> str:
    if not isinstance(value, str) or split_code(value) is None:
        raise InputError(f"{place} has the usage {str(value)[:20]!r}, expected one of: {', '.join(USAGES)}.")
    return value

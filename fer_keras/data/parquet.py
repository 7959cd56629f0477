"""FER-2013 as parquet, the way Hugging Face data sets hold it: image and label columns. Needs pyarrow."""

import io
import json
import pathlib
import re

import numpy as np

from fer_keras.core.errors import InputError
from fer_keras.data.aliases import emotion_code, settle, split_code
from fer_keras.data.faces import EMOTIONS, SIDE, USAGES
from fer_keras.data.folders import decode
from fer_keras.data.sources import whole_path
from fer_keras.data.tables import PIXELS, joined, parse_pixels

MAGIC = b"PAR1"
IMAGE_COLUMNS = ("image", "img", "pixels")
LABEL_COLUMNS = ("label", "labels", "emotion")
USAGE_COLUMNS = ("usage", "split")


def find(heads):
    """Return `{name: usage code or -1}` of the parquet files, in the order of the codes, or {}."""
    names = [name for name, head in heads.items() if head.startswith(MAGIC)]
    codes = settle(name_code(name) for name in names)
    return dict(sorted(zip(names, codes, strict=True), key=lambda part: (part[1], part[0])))


def name_code(name):
    """Return the usage told by the first word of the file's name (train-00000-of-00001) or by a folder."""
    path = pathlib.PurePosixPath(name)
    words = [re.split(r"[-_.]", path.name)[0], *path.parts[:-1]]
    return next((code for word in words if (code := split_code(word)) is not None), -1)


def read(source, parts, advance):
    """Return images, labels and usages of the parquet files in `parts`, as `find` gave it."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise InputError(
            f"Reading {source.path} needs pyarrow, which is not installed: pip install 'fer-keras[parquet]'."
        ) from error
    tables = {}
    for name, file in source.stream(parts):
        where = whole_path(source, name)
        try:
            with pyarrow.parquet.ParquetFile(io.BytesIO(file.read())) as table:
                tables[name] = read_table(table, where, parts[name])
        except pyarrow.ArrowException as error:
            raise InputError(f"{where} is not whole parquet: {error}. Fetch it again.") from error
        advance(source.sizes[name])
    return joined([tables[name] for name in parts])


def read_table(table, where, usage):
    schema = table.schema_arrow
    image = column(schema.names, IMAGE_COLUMNS, where)
    label = column(schema.names, LABEL_COLUMNS, where)
    split = column(schema.names, USAGE_COLUMNS)
    names = class_names(schema, label)
    pixels, labels, usages = bytearray(), [], []
    for batch in table.iter_batches(1024, columns=[c for c in (image, label, split) if c]):
        for row in batch.to_pylist():
            place = f"{where}, row {len(labels) + 1:,}"
            pixels += to_image(row[image], place).tobytes()
            labels.append(to_label(row[label], names, place))
            usages.append(usage if split is None else to_usage(row[split], place))
    if not labels:
        raise InputError(f"{where} has no rows. Fetch it again.")
    return np.frombuffer(pixels, np.uint8).reshape(-1, PIXELS), labels, settle(usages)


def column(names, wanted, where=None):
    found = next((name for want in wanted for name in names if name.strip().lower() == want), None)
    if found is None and where:
        raise InputError(f"{where} has the columns {', '.join(names)}; expected one named {' or '.join(wanted)}.")
    return found


def class_names(schema, label):
    """Return what the integers of the label column stand for: Hugging Face's own list, else FER's codes."""
    try:
        names = json.loads(schema.metadata[b"huggingface"])["info"]["features"][label]["names"]
    except (KeyError, TypeError, ValueError):  # No such list; what is in its place is not ours to judge.
        return EMOTIONS
    return names if isinstance(names, list) else EMOTIONS


def to_image(value, place):
    if isinstance(value, dict):
        value = value.get("bytes")
    if isinstance(value, bytes):
        return decode(value, place).reshape(PIXELS)
    if isinstance(value, str):
        return parse_pixels(value, place)
    try:
        pixels = np.asarray(value).reshape(PIXELS)
    except ValueError:
        raise InputError(f"{place} has no image of {SIDE} x {SIDE} pixels: {str(value)[:40]}.") from None
    if pixels.dtype.kind not in "iu" or pixels.min() < 0 or pixels.max() > 255:
        raise InputError(f"{place} has pixels like {pixels.max()!s:.20}, expected whole numbers from 0 to 255.")
    return pixels.astype(np.uint8)


def to_label(value, names, place):
    word = names[value] if isinstance(value, int) and 0 <= value < len(names) else value
    code = emotion_code(word) if isinstance(word, str) else None
    if code is None:
        raise InputError(f"{place} has the label {value!r}, expected 0 to 6 or one of: {', '.join(EMOTIONS)}.")
    return code


def to_usage(value, place):
    code = split_code(value) if isinstance(value, str) else None
    if code is None:
        raise InputError(f"{place} has the usage {value!r}, expected one of: {', '.join(USAGES)}.")
    return code

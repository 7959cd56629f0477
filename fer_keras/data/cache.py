"""Parsed data sets in the user's cache, one folder each, named by the hash of the parsed files."""

import dataclasses
import hashlib
import json
import logging
import os
import pathlib
import shutil
import tempfile
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
import platformdirs

from fer_keras.core.errors import first_line
from fer_keras.data.faces import SIDE
from fer_keras.data.reading import Options, Reading
from fer_keras.data.sources import Source, open_file

log = logging.getLogger("fer_keras")
# Part of every key: increase it when a reader returns other arrays for the same files.
VERSION = 4
CHUNK = 1 << 20
META = "meta.json"
LARGEST_META = 256 << 20


@dataclasses.dataclass(frozen=True)
class Entry:
    """The cached content of a data set.

    Args:
        arrays: `images` uint8 `(n, 48, 48, 1)`, `labels` int64, `usages` int8, `row_numbers` int64 of the rows of
            tables, and `votes` int16 `(m, 11)` if the data contain FER+'s table.
        about: JSON values: `digest`, `class_names`, `skipped`, `notes`, `names`.
    """

    arrays: dict[str, np.ndarray]
    about: dict


def home() -> pathlib.Path:
    """Return the folder of this package in the user's cache (`XDG_CACHE_HOME` moves it on Linux)."""
    return platformdirs.user_cache_path("fer-keras", appauthor=False)


def key(files: Source, options: Options, reading: Reading | None = None) -> str:
    """Return the SHA-256 in hex of the options and of the names and bytes of all of a source's files.

    `reading` holds what was skipped before these files were selected. It is part of the entry and so of the key.
    """
    left_out = [reading.skipped, reading.notes] if reading else [{}, []]
    content = hashlib.sha256(json.dumps([VERSION, dataclasses.astuple(options), left_out]).encode())
    for name, file in files.stream(sorted(files.sizes)):
        content.update(f"{name}\0{files.sizes[name]}\0".encode("utf-8", "surrogateescape"))
        while chunk := file.read(CHUNK):
            content.update(chunk)
    return content.hexdigest()


def read(key: str) -> Entry | None:
    """Return the `Entry` of `key`, its images memory mapped, or None.

    An entry that does not match its digest or belongs to another key is removed with a warning, and the data are
    parsed again.
    """
    folder = home() / "parsed" / key
    if not os.path.lexists(folder):
        return None
    try:
        return _read(folder, key)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, EOFError, RecursionError) as error:
        reason = first_line(error)[:200]
        log.warning("The cache entry %s is damaged (%s): it is built again.", folder, reason)
        _remove(folder)
        return None


def _read(folder: pathlib.Path, key: str) -> Entry:
    with open_file(folder / META) as file:
        meta = json.loads(file.read(LARGEST_META))
    if meta["key"] != key or meta["about_digest"] != _about_digest(meta["about"]):
        raise ValueError("it describes other data")
    arrays = {}
    for name, digest in meta["files"].items():
        path = folder / f"{pathlib.PurePath(name).name}.npy"
        with open_file(path) as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                raise ValueError(f"{path.name} has changed")
        # Mapped: a header that claims more than the file has is an error and allocates nothing.
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        arrays[name] = array if name == "images" else np.array(array)
    _check(arrays, meta["about"])
    return Entry(arrays, meta["about"])


def _check(arrays: Mapping[str, np.ndarray], about: dict[str, Any]) -> None:
    count = len(arrays["labels"])
    shapes = {"images": (count, SIDE, SIDE, 1), "labels": (count,), "usages": (count,)}
    shapes |= {"row_numbers": (count,)} if "row_numbers" in arrays else {}
    types = {"images": np.uint8, "labels": np.int64, "usages": np.int8, "row_numbers": np.int64, "votes": np.int16}
    fits = all(arrays[name].shape == shape for name, shape in shapes.items())
    fits = fits and all(array.dtype == types[name] for name, array in arrays.items())
    fits = fits and (about["names"] is None or len(about["names"]) == count)
    if not fits or (count and arrays["labels"].max() >= len(about["class_names"])):
        raise ValueError("its arrays do not fit together")


def _about_digest(about: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def _remove(folder: pathlib.Path) -> None:
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder, ignore_errors=True)
    else:
        folder.unlink(missing_ok=True)


def write(key: str, entry: Entry) -> None:
    """Store `entry` under `key`; if that fails, log a warning.

    It is written to a temporary folder and renamed, so that an entry is complete or absent.
    """
    parsed = home() / "parsed"
    try:
        parsed.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=parsed, ignore_cleanup_errors=True) as temporary:
            folder = pathlib.Path(temporary) / key
            folder.mkdir()
            _save(folder, key, entry)
            # If another process was faster, its entry has the same content.
            if not (parsed / key).exists():
                os.rename(folder, parsed / key)
    except OSError as error:
        log.warning("The parsed data is not cached: %s. The next run reads the files again.", error)


def _save(folder: pathlib.Path, key: str, entry: Entry) -> None:
    digests = {}
    for name, array in entry.arrays.items():
        with open(folder / f"{name}.npy", "w+b") as file:
            np.save(file, array, allow_pickle=False)
            _flush(file)
            file.seek(0)
            digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
    meta = {"key": key, "files": digests, "about_digest": _about_digest(entry.about), "about": entry.about}
    with open(folder / META, "w", encoding="utf-8") as file:
        json.dump(meta, file)
        _flush(file)


def _flush(file: IO) -> None:
    file.flush()
    os.fsync(file.fileno())

"""Atomic writing of files, their hash and their printable name."""

import contextlib
import hashlib
import json
import math
import os
import pathlib
from collections.abc import Iterator
from typing import Any

from fer_keras.core.errors import InputError

StrPath = str | os.PathLike[str]


@contextlib.contextmanager
def writing(path: StrPath) -> Iterator[pathlib.Path]:
    """Yield a temporary path next to `path`; on success flush it to disk and rename it into place.

    The file gets the default permissions of new files (umask).

    Args:
        path: of the final file; its folder is created. The temporary name keeps the suffix, because some writers
            choose the format by it.

    Raises:
        OSError: if the disk is full or read-only. Then nothing is left behind.
    """
    path = pathlib.Path(path)
    make_folder(path.parent)
    temporary = path.with_name(f".{path.stem[:40]}-{os.urandom(4).hex()}{path.suffix}")
    temporary.touch(exist_ok=False)
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def make_folder(folder: StrPath) -> None:
    """Create `folder` and its parents.

    Raises:
        InputError: if one of them is a link to a folder that does not exist, or the folder cannot be made.
    """
    folder = pathlib.Path(folder)
    try:
        for place in (folder, *folder.parents):
            if place.is_symlink() and not place.exists():
                raise InputError(
                    f"{place} is a link to {os.readlink(place)}, which does not exist. Make that folder or remove "
                    "the link."
                )
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"Cannot make the folder {folder}: {error.strerror}. Name another one.") from error


def remove_leftovers(folder: StrPath) -> None:
    """Remove the temporary files of killed processes from `folder`; no other process may write there."""
    for path in pathlib.Path(folder).glob(".*-????????.*"):  # as `writing` names them
        path.unlink()


def sync_folder(folder: StrPath) -> None:
    """Flush the directory `folder` to disk: without it, a power failure can undo a rename or a new file."""
    if os.name == "posix":  # elsewhere a folder cannot be opened, and need not be
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_text(path: StrPath, text: str) -> None:
    """Write `text` as UTF-8 to `path`, atomically."""
    with writing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: StrPath, value: Any) -> None:
    """Write `value` as indented JSON to `path`, atomically; NaN and infinity raise `ValueError`."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def plain(value: Any) -> Any:
    """Return `value` in JSON types: NaN and infinity become `None`, tuples and arrays become lists."""
    if hasattr(value, "tolist"):  # arrays and numbers of NumPy
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def printable(name: StrPath) -> str:
    """Return the name on one line; control characters and bytes that are not UTF-8 are escaped, as in \\x1b."""
    text = os.fspath(name) if isinstance(name, str | os.PathLike) else str(name)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def sha256(path: StrPath) -> str:
    """Return the SHA-256 of a file in hex.

    Raises:
        OSError: if it cannot be read.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_digest(data: bytes, expected: str, path: StrPath) -> None:
    """Compare the SHA-256 of `data`, the content of the file `path`, with `expected`, in hex.

    Raises:
        InputError: if they differ.
    """
    found = hashlib.sha256(data).hexdigest()
    if found != expected.lower():
        raise InputError(
            f"{path} is not the published file: its SHA-256 is {found}, expected {expected:.64}. Get it again."
        )

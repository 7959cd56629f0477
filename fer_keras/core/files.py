"""Files written whole or not at all."""

import contextlib
import hashlib
import json
import os
import pathlib
import tempfile

from fer_keras.core.errors import InputError


@contextlib.contextmanager
def writing(path):
    """Yield a temporary path beside `path`; on success flush it to disk and rename it into place.

    Args:
        path: `str` or `Path` of the final file; its folder is made. The temporary name keeps the suffix, for
            writers that choose a format by it.

    Raises:
        OSError: if the disk is full or read-only. Nothing is left behind then.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = pathlib.Path(name)
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        os.replace(temporary, path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(folder):
    """Remove the temporary files of killed processes from `folder`; only for a process that alone writes there."""
    for path in pathlib.Path(folder).glob(".*-????????.*"):  # as `writing` names them
        path.unlink()


def sync_folder(folder):
    """Flush to disk which files are in `folder`: without it, a power cut can undo a rename or a new file."""
    if os.name == "posix":  # elsewhere a folder cannot be opened, nor need it be
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_text(path, text):
    """Write `text` as UTF-8 to `path`, whole or not at all."""
    with writing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path, value):
    """Write `value` as indented JSON to `path`, whole or not at all; NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def check_digest(path, expected):
    """Compare the SHA-256 of the file `path` with `expected`, in hex.

    Raises:
        InputError: if it is another.
    """
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected.lower():
        raise InputError(
            f"{path} is not the published file: its SHA-256 is {found}, expected {expected:.64}. Get it again."
        )

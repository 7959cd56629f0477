"""Parsed data sets kept in the user's cache, one folder each, named by the hash of what was parsed."""

import hashlib
import json
import logging
import os
import pathlib
import shutil
import tempfile

import numpy as np
import platformdirs

from fer_keras.data.faces import SIDE, digest

log = logging.getLogger("fer_keras")
# Part of every key: raise it when a reader gives other arrays for the same files.
VERSION = 1
CHUNK = 1 << 20


def home():
    """Return the folder of this package in the user's cache (`XDG_CACHE_HOME` moves it on Linux)."""
    return platformdirs.user_cache_path("fer-keras", appauthor=False)


def key(files):
    """Return the SHA-256 in hex of the names and bytes of all of a source's files."""
    content = hashlib.sha256(f"{VERSION}\0".encode())
    for name, file in files.stream(sorted(files.sizes)):
        content.update(f"{name}\0{files.sizes[name]}\0".encode())
        while chunk := file.read(CHUNK):
            content.update(chunk)
    return content.hexdigest()


def read(key):
    """Return what is kept under `key`: images (memory mapped), labels, usages, digest, FER+ table; or None.

    An entry that is not what was written, by its digest, is removed with a notice: it is parsed again.
    """
    folder = home() / "parsed" / key
    if not folder.is_dir():
        return None
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        images, labels, usages = (load(folder, name) for name in ("images", "labels", "usages"))
        votes = load(folder, "votes") if meta["votes"] else None
        if images.shape != (len(labels), SIDE, SIDE, 1) or digest(images, labels, usages) != meta["digest"]:
            raise ValueError("its content has changed")
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        log.warning("The cache entry %s is damaged (%s): it is built again.", folder, error)
        shutil.rmtree(folder, ignore_errors=True)
        return None
    return images, labels, usages, meta["digest"], votes


def load(folder, name):
    return np.load(folder / f"{name}.npy", mmap_mode="r" if name == "images" else None, allow_pickle=False)


def write(key, faces, votes):
    """Keep `faces` and the raw FER+ `votes` table (or None) under `key`; where that cannot be, say so and go on.

    Written to a temporary folder and renamed whole, so that an entry is there entirely or not at all.
    """
    parsed = home() / "parsed"
    try:
        parsed.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=parsed, ignore_cleanup_errors=True) as temporary:
            folder = pathlib.Path(temporary) / key
            folder.mkdir()
            save(folder, faces, votes)
            # A process that was faster has written the same content: either entry will do.
            if not (parsed / key).exists():
                os.rename(folder, parsed / key)
    except OSError as error:
        log.warning("The parsed data is not cached: %s. The next run reads the files again.", error)


def save(folder, faces, votes):
    arrays = {"images": faces.images, "labels": faces.labels, "usages": faces.usages}
    if votes is not None:
        arrays["votes"] = votes
    for name, array in arrays.items():
        with open(folder / f"{name}.npy", "wb") as file:
            np.save(file, array, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
    meta = {"digest": faces.digest, "images": len(faces), "source": faces.source, "votes": votes is not None}
    with open(folder / "meta.json", "w", encoding="utf-8") as file:
        json.dump(meta, file, indent=2)
        file.flush()
        os.fsync(file.fileno())

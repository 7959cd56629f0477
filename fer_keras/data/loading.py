"""Where the data is looked for, and the way from there to `Faces`."""

import dataclasses
import logging
import os
import pathlib

from fer_keras.core.errors import InputError
from fer_keras.core.progress import bar
from fer_keras.data import cache, formats, sources, synthetic
from fer_keras.data.faces import Faces, make_faces
from fer_keras.data.votes import FILE, LABELS, align, read_votes, relabel

log = logging.getLogger("fer_keras")


def load(path=None, *, labels="original", votes=None, progress=True):
    """Return FER-2013 as `Faces`, from whichever form of it is at hand.

    Args:
        path: `str` or `Path` of a file or folder, or `"synthetic"` for generated faces (`"./synthetic"`: a folder
            of that name). Default: the environment's `FER_DATA`, else what `fetch` downloaded to the user's
            cache, else the synthetic faces, with a warning.
        labels: `"original"`, or with FER+ votes `"fer+"`, `"majority"` or `"soft"`; see
            `fer_keras.data.votes.relabel`.
        votes: path of FER+'s `fer2013new.csv`. Default: the one beside the data, if there is one.
        progress: whether to show a progress bar on stderr, if that is a terminal.

    Returns:
        `Faces` in the order of the CSV. Files are parsed once and kept in the user's cache by their content.

    Raises:
        InputError: if the data is not there, not FER-2013 or malformed; names the file and the line.
    """
    if labels not in LABELS:
        raise InputError(f"Unknown labels {labels!r}. Expected one of: {', '.join(LABELS)}.")
    place = locate(path)
    faces = synthetic.faces() if place is None else read(place, progress)
    if votes is not None:
        faces = dataclasses.replace(faces, votes=align(read_votes(votes), faces.usages, votes))
    return relabel(faces, labels)


def locate(path=None):
    """Return the `Path` that `load` would read, or None for the synthetic faces."""
    given = path or os.environ.get("FER_DATA")
    if given == "synthetic":
        return None
    if given == "demo" and not os.path.exists(given):
        raise InputError("--data demo is now --data synthetic.")
    if given:
        place = pathlib.Path(given).expanduser()
        if not (place.is_dir() or place.is_file()):
            origin = "" if path else ", which FER_DATA names"
            raise InputError(f"There is no {place}{origin}. Give a file or folder of FER-2013, or 'synthetic'.")
        return place
    if fetched().exists():
        return fetched()
    log.warning(
        "SYNTHETIC: no data was given, so these are generated faces, not photographs. "
        "For FER-2013 set FER_DATA or run 'fer-keras data fetch'."
    )
    return None


def fetched():
    """Return the folder in the user's cache where `fetch` puts the data."""
    return cache.home() / "fer2013"


def read(path, progress=True):
    """Return the `Faces` at the `Path`, from the cache where the same content was parsed before."""
    with sources.reading(path):
        form = formats.recognise(sources.Folder(path)) if path.is_dir() else None
        key = cache.key(form.files() if form else sources.single(path))
        kept = cache.read(key)
        if kept:
            images, labels, usages, digest, table = kept
            faces = Faces(images, labels, usages, str(path), digest)
        else:
            form = form or formats.recognise(sources.open_source(path))
            with bar(f"Reading {path.name}", form.size(), show=progress) as advance:
                images, labels, usages, table = form.read(advance)
            faces = make_faces(images, labels, usages, path)
    if not kept:
        cache.write(key, faces, table)
    return dataclasses.replace(faces, votes=votes_beside(path, table, faces.usages))


def votes_beside(path, table, usages):
    """Return the votes of the FER+ table in the data, or of the one next to it, if they fit."""
    beside = (path if path.is_dir() else path.parent) / FILE
    if table is None and beside.exists():
        table = read_votes(beside)
    if table is None:
        return None
    try:
        return align(table, usages, FILE)
    except InputError as error:
        log.warning("The FER+ votes beside %s are left out: %s", path, error)
        return None

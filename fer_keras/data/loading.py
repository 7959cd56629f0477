"""Finds the data and reads it into `Faces`."""

import dataclasses
import logging
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from fer_keras.core.errors import InputError
from fer_keras.core.progress import bar
from fer_keras.core.renames import VALUES
from fer_keras.data import cache, formats, official, sources, synthetic
from fer_keras.data.faces import Faces, make_faces
from fer_keras.data.reading import Options, Reading, Rows
from fer_keras.data.skipped import skipped_text
from fer_keras.data.votes import FILE, LABELS, align, read_votes, relabel

log = logging.getLogger("fer_keras")
MOST_BLACK = 31  # every real data set has a pixel above this value


@dataclasses.dataclass(frozen=True)
class FaceSet:
    """A face set that is not read yet. Every function that takes the path of data takes a `FaceSet` as well.

    Args:
        path: as for `load`.
        classes, label_codes, bit_depth: as for `load`; if given, they replace the arguments of `load`.
    """

    path: str | os.PathLike | None = None
    classes: str | Sequence[str] | None = None
    label_codes: str | None = None
    bit_depth: int | None = None


def load(
    path: str | os.PathLike | FaceSet | None = None,
    *,
    labels: str = "original",
    votes: str | os.PathLike | None = None,
    classes: str | Sequence[str] | None = None,
    label_codes: str | None = None,
    bit_depth: int | None = None,
    progress: bool = True,
) -> Faces:
    """Return FER-2013 or another face set as `Faces`.

    Args:
        path: `str` or `Path` of a file or folder, or `"synthetic"` for generated faces (`"./synthetic"`: a folder
            of that name), or a `FaceSet`. Default: the environment's `FER_DATA`, else what `fetch` downloaded to
            the user's cache, else the synthetic faces, with a warning.
        labels: `"original"`, or with FER+ votes `"fer+"`, `"fer+8"`, `"majority"` or `"soft"`; see
            `fer_keras.data.votes.relabel`.
        votes: path of FER+'s `fer2013new.csv`. Default: the one next to the data, if it exists.
        classes: None for FER-2013's seven; images of other known emotions are skipped and counted. `"own"` for the
            2 to 50 names of folders or labels in the data set; or the names to read, in order.
        label_codes: meaning of whole numbers as labels or folder names: `"fer2013"`, `"ferplus"`, `"raf-db"` or
            `"affectnet"`. Default: FER-2013's in columns; required for numbered folders except RAF-DB's.
        bit_depth: 8 to 16, bit depth of the values in images of more than 8 bits. Default: from their headers,
            else the smallest depth that holds the largest value of all.
        progress: whether to show a progress bar on stderr, if that is a terminal.

    Returns:
        `Faces` in the order of the CSV. Files are parsed once and cached by content in the user's cache. Skipped
        images are logged and listed in `skipped`, choices such as a bit depth in `notes`.

    Raises:
        InputError: if the data does not exist, is no face set or is malformed (the message names file and line),
            or if a whole split or class could be missed.
    """
    if isinstance(path, FaceSet):
        classes = classes if path.classes is None else path.classes
        label_codes = label_codes if path.label_codes is None else path.label_codes
        bit_depth = bit_depth if path.bit_depth is None else path.bit_depth
        path = path.path
    if labels not in LABELS:
        raise InputError(f"Unknown labels {labels!r}. Expected one of: {', '.join(LABELS)}.")
    options = Options(
        classes if classes is None or isinstance(classes, str) else tuple(classes), label_codes, bit_depth
    )
    place = locate(path)
    faces = synthetic.faces() if place is None else _read(place, options, progress)
    if votes is not None:
        faces = dataclasses.replace(faces, votes=align(read_votes(votes), faces.usages, votes))
    for line in filter(None, [*faces.notes, skipped_text(faces.skipped)]):
        log.warning("%s: %s", faces.source, line)
    return relabel(faces, labels)


def locate(path: str | os.PathLike | None = None) -> pathlib.Path | None:
    """Return the `Path` that `load` would read, or None for the synthetic faces."""
    given = path or os.environ.get("FER_DATA")
    if given == "synthetic":
        if os.path.isdir(given):
            log.warning("The generated faces are read, not the folder synthetic. For that one give ./synthetic.")
        return None
    if given in VALUES and not os.path.exists(given):
        raise InputError(f"--data {given} is now --data {VALUES[given]}.")
    if given:
        place = pathlib.Path(given).expanduser()
        if not (place.is_dir() or place.is_file()):
            origin = "" if path else ", which FER_DATA names"
            raise InputError(f"There is no {place}{origin}. Give a file or folder, or 'synthetic'.")
        return place
    if fetched().exists():
        return fetched()
    log.warning(
        "SYNTHETIC: no data was given, so these are generated faces, not photographs. "
        "For FER-2013 set FER_DATA or run 'fer-keras data fetch'."
    )
    return None


def fetched() -> pathlib.Path:
    """Return the folder in the user's cache to which `fetch` downloads the data."""
    return cache.home() / "fer2013"


def _read(path: pathlib.Path, options: Options, progress: bool) -> Faces:
    """Return the `Faces` at the `Path`, from the cache if the same content was parsed before."""
    with sources.reading(path):
        found = formats.recognize(sources.Folder(path), options) if path.is_dir() else None
        key = cache.key(
            found.files() if found else sources.single(path), options, found.reading if found else None
        )
        entry = cache.read(key)
        if not entry:
            found = found or formats.recognize(sources.open_source(path), options)
            with bar(f"Reading {path.name}", found.size(), show=progress) as advance:
                entry = _entry(*found.read(advance), found.reading)
            cache.write(key, entry)
    arrays, about = entry.arrays, entry.about
    names = about["names"]
    return Faces(
        images=arrays["images"],
        labels=arrays["labels"],
        usages=arrays["usages"],
        source=str(path),
        digest=about["digest"],
        votes=_votes_beside(path, arrays.get("votes"), arrays["usages"]),
        class_names=tuple(about["class_names"]),
        skipped=about["skipped"],
        notes=tuple(about["notes"]),
        names=None if names is None else np.array(names, object),
        row_numbers=arrays.get("row_numbers"),
    )


def _entry(rows: Rows, table: np.ndarray | None, reading: Reading) -> cache.Entry:
    """Return the cache entry of `rows`, in the classes of `reading`, and of the FER+ table or None."""
    rows = rows.asked_for()
    labels, class_names = reading.labels.finish(list(rows.labels))
    faces = make_faces(rows.images, labels, rows.usages, "", class_names)
    arrays: dict[str, Any] = {"images": faces.images, "labels": faces.labels, "usages": faces.usages}
    arrays |= {} if rows.row_numbers is None else {"row_numbers": rows.row_numbers}
    dark = _almost_black(rows.images)
    short = official.shortfall(faces.usages)
    about = {
        "digest": faces.digest,
        "class_names": list(class_names),
        "skipped": dict(reading.skipped),
        "notes": [*reading.notes, *filter(None, [dark, short])],
        "names": None if rows.names is None else list(rows.names),
    }
    return cache.Entry(arrays | ({} if table is None else {"votes": table}), about)


def _almost_black(images: np.ndarray) -> str | None:
    """Return a sentence on images without a bright pixel, such as those of values from 0 to 1; None for others."""
    most = int(images.max(initial=0))
    if most > MOST_BLACK:
        return None
    return f"The largest value of all pixels is {most} of 255: the images may be on another scale."


def _votes_beside(path: pathlib.Path, table: np.ndarray | None, usages: np.ndarray) -> np.ndarray | None:
    """Return the votes of the FER+ table in the data, or of the one next to it, if they fit."""
    beside = (path if path.is_dir() else path.parent) / FILE
    if table is None and beside.is_file():
        table = read_votes(beside)
    if table is None:
        return None
    try:
        return align(table, usages, FILE)
    except InputError as error:
        log.warning("The FER+ votes next to %s are ignored: %s", path, error)
        return None

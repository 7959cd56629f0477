"""Image folders of any classes: face crops unchanged, the largest face of each photograph; their splits."""

import csv
import dataclasses
import functools
import logging
import pathlib
import re
from collections.abc import Callable, Mapping, Sequence, Set
from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import StratifiedGroupKFold

from fer_keras.core.errors import InputError
from fer_keras.core.files import StrPath
from fer_keras.core.progress import bar
from fer_keras.data import EMOTIONS, Faces, FaceSet, deduplicate, folders, listings, sources
from fer_keras.data.aliases import PRIVATE, PUBLIC, TRAINING, split_codes
from fer_keras.data.faces import digest, fingerprints, make_faces
from fer_keras.data.images import FURTHER_FRAMES, LARGEST_FILE, Damaged, Stack, decode
from fer_keras.data.labels import OWN
from fer_keras.data.reading import Options, Reading
from fer_keras.data.skipped import Skipped
from fer_keras.data.splits import warn_mixed
from fer_keras.recognition import FER

LOG = logging.getLogger("fer_keras")
LARGEST_CROP = 224  # pixels; smaller square images are taken to be face crops
PARTS = 5  # a random split uses one part for validation and one for test
PREFIX = re.compile(r"([^_\-. ]+)[_\-. ]")  # of a file name, up to the first separator
YEAR_OR_DATE = re.compile(r"(19|20)\d{2}(\d{4})?")


def read(folder: StrPath | FaceSet) -> Faces:
    """Return the faces in the class folders of `folder`, with the folders' names as classes.

    The face sets that `fer_keras.data.listings` knows are read by their own lists. Square images of up to 224
    pixels are taken to be face crops. From others, the largest face is cropped as `FER` does. A larger square
    image in which no face is found is taken to be a crop, too; `notes` counts these.

    Args:
        folder: its path, or a `FaceSet`; without `classes`, the name of each folder is one.

    Raises:
        InputError: if there are no images or not 2 to 50 classes, if a folder inside has no images, or if no image
            of a class can be used.
    """
    given = folder if isinstance(folder, FaceSet) else FaceSet(folder)
    path = pathlib.Path(given.path or "")
    if not (given.path and path.is_dir()):
        raise InputError(
            f"There is no folder {str(given.path or '')!r}. Give one with a folder of images for each class."
        )
    source = sources.Folder(path)
    if not any(map(sources.is_picture, source.sizes)):
        raise InputError(
            f"{path} holds no images ({', '.join(sources.PICTURES)}), expected a folder for each class."
        )
    classes = given.classes if isinstance(given.classes, str) else tuple(given.classes or ())
    options = Options(classes or OWN, given.label_codes, given.bit_depth)
    reading = Reading(options, source.skipped)
    heads = sources.heads(source)
    pictures, _ = listings.find(source, heads, reading)
    if not pictures:
        _check_empty(path, source)
        pictures = folders.find(source, heads, reading)
    codes, class_names = reading.labels.finish([picture.label for picture in pictures])
    cutter = functools.cache(lambda: FER(bit_depth=given.bit_depth))
    kept, whole, stack = [], 0, Stack(reading.skipped, given.bit_depth)
    with bar(f"Reading {path.name}", len(pictures)) as advance:
        for picture, code in zip(pictures, codes, strict=True):
            file = path / picture.name
            if picture.box:
                used = stack.add_encoded(file.read_bytes(), str(file), picture.box)
            elif used := (crop := _face(file, cutter, reading.skipped)) is not None:
                stack.add_values(crop.values, crop.bits)
                whole += crop.without_face
            if used:
                kept.append((picture, code))
            advance(1)
    labels = [code for _, code in kept]
    if lost := [name for code, name in enumerate(class_names) if code not in labels]:
        reasons = ", ".join(f"{entry['images']} {reason}" for reason, entry in reading.skipped.items())
        raise InputError(f"{path} has no image of {lost[0]!r} that can be used{reasons and f' ({reasons})'}.")
    images, notes = stack.finish()
    if whole:
        notes.append(
            f"{whole:,} square images of more than {LARGEST_CROP} pixels without a face found are used whole."
        )
    faces = make_faces(images, labels, [picture.usage for picture, _ in kept], path, class_names)
    names = np.array([picture.name for picture, _ in kept], object)
    return dataclasses.replace(faces, skipped=reading.skipped, names=names, notes=tuple(notes))


def _check_empty(path: pathlib.Path, source: sources.Folder) -> None:
    """Refuse a folder without images in or above it, which could be a class or split that would be missed."""
    homes = {pathlib.PurePosixPath(name).parent for name in source.sizes if sources.is_picture(name)}
    filled = {folder for home in homes for folder in (home, *home.parents)}
    for place in sorted(path.rglob("*")):
        inside = pathlib.PurePosixPath(place.relative_to(path).as_posix())
        is_junk = any(sources.is_hidden(word) or word.startswith("__") for word in inside.parts)
        if place.is_dir() and not is_junk and inside not in filled and not _is_below_images(inside, homes):
            raise InputError(f"The folder {place} holds no images. Put images into it, or remove it.")


def _is_below_images(inside: pathlib.PurePosixPath, homes: Set[pathlib.PurePosixPath]) -> bool:
    return any(folder.parts and folder in homes for folder in inside.parents)


class Crop(NamedTuple):
    """A face crop (48, 48), its bits (see `Stack.add_values`), and whether no face was found in it."""

    values: np.ndarray
    bits: int | None
    without_face: bool = False


def _face(path: pathlib.Path, cutter: Callable[[], FER], skipped: Skipped) -> Crop | None:
    """Return the crop of the face in a file; None if it is skipped."""
    if path.stat().st_size > LARGEST_FILE:
        skipped.add("too large", path)
        return None
    data = path.read_bytes()
    try:
        values, bits, size, is_first = decode(data, str(path))
        if is_first:
            skipped.add(FURTHER_FRAMES, path)
    except Damaged as error:
        if error.reason == "not a readable image":
            skipped.add(error.reason, path)
            return None
        values, size = None, None
    if values is not None and size is not None and max(size) <= LARGEST_CROP:
        return Crop(values, bits)
    try:
        found = cutter().find(data)
    except InputError:
        skipped.add("not a readable image", path)
        return None
    if found:
        return Crop(max(found, key=lambda face: face.box[2] * face.box[3]).crop[..., 0], None)
    if values is not None:
        return Crop(values, bits, without_face=True)
    skipped.add("no face found", path)
    return None


def read_persons(path: StrPath, names: Sequence[str]) -> list[str]:
    """Return the person of each of `names` by a CSV file with the columns `file` and `person`.

    Raises:
        InputError: if the file cannot be read, lacks a column, does not name the person of a file, or names two.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as CSV: {error}.") from error
    if not rows or not {"file", "person"} <= rows[0].keys():
        raise InputError(f"{path} must be CSV with the columns file (path inside the folder) and person.")
    persons: dict[str, str] = {}
    for row in filter(lambda row: row["person"], rows):
        if persons.setdefault(row["file"], row["person"]) != row["person"]:
            raise InputError(f"{path} names two persons for {row['file']}. Give each file one row.")
    if missing := [name for name in names if name not in persons]:
        raise InputError(f"{path} does not name the person of {missing[0]} ({len(missing):,} such files).")
    return [persons[name] for name in names]


def persons_by_name(names: Sequence[str], labels: np.ndarray, class_names: Sequence[str]) -> list[str] | None:
    """Return the person of each image by its path; None if the paths do not tell.

    That is the part of the file name before its first `_`, `-`, `.` or space, or else the folder inside the class
    folder. Either is taken for persons if all images have it, each class has at least 5 different ones, and they
    have two images each on average. A year or a date is none. A warning says if only the number is too small.

    Args:
        names: paths inside the data set.
        labels: index into `class_names` of each.
        class_names: names of the classes.
    """
    for kind, words in (("file names", _prefixes(names)), ("folders", _folders(names))):
        count = len(set(words))
        if None in words or count < 2 or 2 * count > len(words):
            continue
        found = np.array(words)
        least = min(range(len(class_names)), key=lambda code: len(np.unique(found[labels == code])))
        fewest = len(np.unique(found[labels == least]))
        if fewest >= PARTS:
            return found.tolist()
        if kind == "file names":
            LOG.warning(
                "The file names begin with %d different words, such as %r. If these are persons, %r has only %d, "
                "fewer than %d to split by, and images of one person come to several splits.",
                *(count, words[0], class_names[least], fewest, PARTS),
            )
    return None


def _prefixes(names: Sequence[str]) -> list[str | None]:
    matches = (PREFIX.match(pathlib.PurePosixPath(name).stem) for name in names)
    return [match[1] if match and not YEAR_OR_DATE.fullmatch(match[1]) else None for match in matches]


def _folders(names: Sequence[str]) -> list[str]:
    return [pathlib.PurePosixPath(name).parent.name for name in names]


def split(faces: Faces, persons: list[str] | None, seed: int) -> tuple[dict[str, Faces], dict[str, int]]:
    """Return train, validation and test images, and how many training images were left out by reason.

    Splits by folders are kept. Missing ones are sampled from the training images, a fifth for each, stratified by
    class. Sampling keeps exact copies, and the images of one person, on one side. Warnings say if a validation
    split is used as test, and how many persons are in several splits.

    Args:
        faces: as `read` returns them.
        persons: of each image; None if unknown.
        seed: of the sampling.

    Raises:
        InputError: if a class has no image in one of the splits.
    """
    codes = set(faces.usages.tolist())
    rows = {code: np.flatnonzero(faces.usages == code) for code in codes}
    if codes == {TRAINING, PUBLIC, PRIVATE}:
        train, validation, test = rows[TRAINING], rows[PUBLIC], rows[PRIVATE]
    elif TRAINING in codes and len(codes - {-1}) == 2:
        test = rows[max(codes)]
        train, validation = _draw(faces, rows[TRAINING], persons, seed, 1)
        if max(codes) == PUBLIC:
            LOG.warning(
                "%s has no test split: its validation split is the test split, and a fifth of its training images "
                "is for validation.",
                faces.source,
            )
    else:
        warn_mixed(faces, codes)
        train, validation, test = _draw(faces, np.arange(len(faces)), persons, seed, 2)
    sides = {"train": train, "validation": validation, "test": test}
    if persons:
        _warn_shared({name: {persons[row] for row in rows} for name, rows in sides.items()})
    parts = {name: faces.take(rows) for name, rows in sides.items()}
    used, left_out = deduplicate(parts)
    _check_classes(faces, used, left_out)
    return used, left_out


def _warn_shared(persons: Mapping[str, set[str]]) -> None:
    shared = persons["train"] & (persons["validation"] | persons["test"])
    if shared:
        LOG.warning(
            "%d of %d persons, such as %r, have images in train and in validation or test, so scores may be too "
            "high.",
            *(len(shared), len(set().union(*persons.values())), min(shared)),
        )


def _draw(faces: Faces, rows: np.ndarray, persons: list[str] | None, seed: int, parts: int) -> list[np.ndarray]:
    """Return `rows` as 1 + `parts` arrays: the rest, and a stratified fifth for each part."""
    labels = faces.labels[rows]
    groups = _groups(fingerprints(np.asarray(faces.take(rows).images)), persons and [persons[row] for row in rows])
    for code, name in enumerate(faces.class_names):
        count = len(np.unique(groups[labels == code]))
        if count < PARTS:
            kind = "persons" if persons else "different images"
            raise InputError(
                f"{name!r} in {faces.source} has {count} {kind} to draw splits from, expected at least {PARTS}."
            )
    folds = StratifiedGroupKFold(PARTS, shuffle=True, random_state=seed).split(labels, labels, groups)
    sides = [rows[fold] for _, fold in folds][:parts]
    return [np.setdiff1d(rows, np.concatenate(sides)), *sides]


def _groups(prints: np.ndarray, persons: list[str] | None) -> np.ndarray:
    """Return the group of each image: images of one person and exact copies are connected, transitively."""
    _, image = np.unique(prints, return_inverse=True)
    if persons is None:
        return image
    _, person = np.unique(persons, return_inverse=True)
    size = person.max() + image.max() + 2
    edges = coo_array((np.ones(len(image)), (image, image.max() + 1 + person)), shape=(size, size))
    return connected_components(edges, directed=False)[1][image]


def _check_classes(faces: Faces, parts: Mapping[str, Faces], left_out: Mapping[str, int]) -> None:
    for name, part in parts.items():
        for code, word in enumerate(faces.class_names):
            if not (part.labels == code).any():
                others = " by other persons" if name != "train" else ""
                reasons = reasons_text(left_out) if name == "train" else ""
                raise InputError(
                    f"No image of {word!r} is left for {name}{reasons and f' (left out: {reasons})'}. Give more "
                    f"images of it{others}, or put some into each split."
                )


def reasons_text(left_out: Mapping[str, int]) -> str:
    """Return the training images that `split` left out as text, "" if there are none."""
    words = {
        "in_other_splits": "copies of validation or test images",
        "copies": "copies of training images",
        "conflicting": "copies with another class",
    }
    return ", ".join(f"{count:,} {words[reason]}" for reason, count in left_out.items() if count)


def digest_of(parts: Mapping[str, Faces]) -> str:
    """Return the digest of the data set that `write` makes of `parts`, as `fer_keras.data.load` reads it."""
    names = parts["train"].class_names
    order = EMOTIONS if set(names) == set(EMOTIONS) else names
    labels = [order.index(names[label]) for part in parts.values() for label in part.labels]
    codes = split_codes(parts, parts["train"].source)
    usages = [codes[name] for name, part in parts.items() for _ in range(len(part))]
    images = np.concatenate([np.asarray(part.images) for part in parts.values()])
    return digest(images, np.array(labels), np.array(usages), order)


def write(parts: Mapping[str, Faces], folder: pathlib.Path) -> None:
    """Write the crops as PNG files into `folder`/train|validation|test/CLASS, a data set of these splits."""
    for name, part in parts.items():
        assert part.names is not None, "read gives each image its name"
        rows = zip(np.asarray(part.images), part.labels, part.names, strict=True)
        for row, (image, label, source) in enumerate(rows):
            place = folder / name / part.class_names[label]
            place.mkdir(parents=True, exist_ok=True)
            stem = pathlib.PurePosixPath(source).stem[:80]
            Image.fromarray(image[..., 0]).save(place / f"{row:06}_{stem}.png")

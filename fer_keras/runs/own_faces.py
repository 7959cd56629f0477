"""Image folders of any classes: face crops unchanged, the largest face of each photograph; their splits."""

import csv
import dataclasses
import functools
import pathlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import StratifiedGroupKFold

from fer_keras.core.errors import InputError
from fer_keras.core.files import StrPath
from fer_keras.core.progress import bar
from fer_keras.data import Faces, FaceSet, deduplicate, folders, sources
from fer_keras.data.aliases import PRIVATE, PUBLIC, TRAINING
from fer_keras.data.faces import fingerprints, make_faces
from fer_keras.data.images import FURTHER_FRAMES, LARGEST_FILE, Damaged, Stack, decode
from fer_keras.data.labels import OWN
from fer_keras.data.reading import Options, Reading
from fer_keras.data.skipped import Skipped
from fer_keras.data.splits import warn_mixed
from fer_keras.recognition import FER

LARGEST_CROP = 224  # pixels; smaller square images are taken to be face crops
PARTS = 5  # a random split uses one part for validation and one for test


def read(folder: StrPath | FaceSet) -> Faces:
    """Return the faces in the class folders of `folder`, with the folders' names as classes.

    Square images of up to 224 pixels are taken to be face crops. From others, the largest face is cropped as `FER`
    does. A larger square image in which no face is found is taken to be a crop, too.

    Args:
        folder: its path, or a `FaceSet`; without `classes`, the name of each folder is one.

    Raises:
        InputError: if there is no image, not 2 to 50 classes, a class folder is empty, or none of its images can
            be used.
    """
    given = folder if isinstance(folder, FaceSet) else FaceSet(folder)
    path = pathlib.Path(given.path or "")
    if not path.is_dir():
        raise InputError(f"There is no folder {path}. Give one with a folder of images for each class.")
    source = sources.Folder(path)
    if not any(map(sources.is_picture, source.sizes)):
        raise InputError(
            f"{path} holds no images ({', '.join(sources.PICTURES)}), expected a folder for each class."
        )
    _check_empty(path, source)
    classes = given.classes if isinstance(given.classes, str) else tuple(given.classes or ())
    options = Options(classes or OWN, given.label_codes, given.bit_depth)
    reading = Reading(options, source.skipped)
    pictures = folders.find(source, sources.heads(source), reading)
    codes, class_names = reading.labels.finish([picture.label for picture in pictures])
    cutter = functools.cache(lambda: FER(bit_depth=given.bit_depth))
    kept, stack = [], Stack(reading.skipped, given.bit_depth)
    with bar(f"Reading {path.name}", len(pictures)) as advance:
        for picture, code in zip(pictures, codes, strict=True):
            if (crop := _face(path / picture.name, cutter, reading.skipped)) is not None:
                kept.append((picture, code))
                stack.add_values(*crop)
            advance(1)
    labels = [code for _, code in kept]
    if lost := [name for code, name in enumerate(class_names) if code not in labels]:
        reasons = ", ".join(f"{entry['images']} {reason}" for reason, entry in reading.skipped.items())
        raise InputError(f"{path} has no image of {lost[0]!r} that can be used{reasons and f' ({reasons})'}.")
    images, notes = stack.finish()
    faces = make_faces(images, labels, [picture.usage for picture, _ in kept], path, class_names)
    names = np.array([picture.name for picture, _ in kept], object)
    return dataclasses.replace(faces, skipped=reading.skipped, names=names, notes=tuple(notes))


def _check_empty(path: pathlib.Path, source: sources.Folder) -> None:
    filled = {parent for name in source.sizes for parent in pathlib.PurePosixPath(name).parents}
    for place in sorted(path.rglob("*")):
        inside = pathlib.PurePosixPath(place.relative_to(path).as_posix())
        if place.is_dir() and inside not in filled and not any(map(sources.is_hidden, inside.parts)):
            raise InputError(f"The folder {place} is empty. Put images into it, or remove it.")


def _face(path: pathlib.Path, cutter: Callable[[], FER], skipped: Skipped) -> tuple[np.ndarray, int | None] | None:
    """Return the crop (48, 48) of the face in a file and its bits, see `Stack.add_values`; None if skipped."""
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
        return values, bits
    try:
        found = cutter().find(data)
    except InputError:
        skipped.add("not a readable image", path)
        return None
    if found:
        return max(found, key=lambda face: face.box[2] * face.box[3]).crop[..., 0], None
    if values is not None:
        return values, bits
    skipped.add("no face found", path)
    return None


def read_persons(path: StrPath, names: Sequence[str]) -> list[str]:
    """Return the person of each of `names` by a CSV file with the columns `file` and `person`.

    Raises:
        InputError: if the file cannot be read, lacks a column, or does not name the person of a file.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as CSV: {error}.") from error
    if not rows or not {"file", "person"} <= rows[0].keys():
        raise InputError(f"{path} must be CSV with the columns file (path inside the folder) and person.")
    persons = {row["file"]: row["person"] for row in rows if row["person"]}
    if missing := [name for name in names if name not in persons]:
        raise InputError(f"{path} does not name the person of {missing[0]} ({len(missing):,} such files).")
    return [persons[name] for name in names]


def persons_by_prefix(names: Sequence[str], labels: np.ndarray) -> list[str] | None:
    """Return the part of each file's name before its first `_`, if these can be persons, else None.

    They can be if each class has at least 5 different ones, and there are fewer than images.
    """
    stems = [pathlib.PurePosixPath(name).stem for name in names]
    prefixes = np.array([stem.partition("_")[0] if "_" in stem else stem for stem in stems])
    enough = all(len(np.unique(prefixes[labels == code])) >= PARTS for code in np.unique(labels))
    return prefixes.tolist() if enough and len(np.unique(prefixes)) < len(prefixes) else None


def split(faces: Faces, persons: list[str] | None, seed: int) -> tuple[dict[str, Faces], dict[str, int]]:
    """Return train, validation and test images, and how many training images were left out by reason.

    Splits by folders are kept. Missing ones are sampled from the training images, a fifth for each, stratified by
    class. Sampling keeps exact copies, and the images of one person, on one side.

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
    else:
        warn_mixed(faces, codes)
        train, validation, test = _draw(faces, np.arange(len(faces)), persons, seed, 2)
    parts = {"train": faces.take(train), "validation": faces.take(validation), "test": faces.take(test)}
    used, left_out = deduplicate(parts)
    _check_classes(faces, used)
    return used, left_out


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


def _check_classes(faces: Faces, parts: Mapping[str, Faces]) -> None:
    for name, part in parts.items():
        for code, word in enumerate(faces.class_names):
            if not (part.labels == code).any():
                raise InputError(
                    f"No image of {word!r} is left for {name}. Give more images of it"
                    f"{' by other persons' if name != 'train' else ''}, or put some into each split."
                )


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

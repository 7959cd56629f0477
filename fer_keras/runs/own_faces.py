"""Image folders of any classes: crops of faces as they are, the largest face of each photograph; their splits."""

import csv
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
from fer_keras.data import Faces, bit_depth, deduplicate, folders, sources
from fer_keras.data.aliases import PRIVATE, PUBLIC, TRAINING
from fer_keras.data.faces import fingerprints, make_faces
from fer_keras.data.images import LARGEST_FILE, Damaged, decode
from fer_keras.data.labels import OWN
from fer_keras.data.reading import Options, Reading
from fer_keras.data.skipped import Skipped
from fer_keras.recognition import FER

LARGEST_CROP = 224  # pixels of the side of a square image that is taken for the crop of a face
PARTS = 5  # a split that is drawn gives one part to validation and one to test


def read(folder: StrPath) -> Faces:
    """Return the faces in the class folders of `folder`, with the folders' names as classes.

    Square images of up to 224 pixels are crops of faces. From others the largest face is cut, as `FER` cuts it. A
    larger square image without a face that is found is taken for a crop too.

    Raises:
        InputError: if there is no image, not 2 to 50 classes, a class folder is empty, or none of its images can
            be used.
    """
    path = pathlib.Path(folder)
    if not path.is_dir():
        raise InputError(f"There is no folder {path}. Give one with a folder of images for each class.")
    source = sources.Folder(path)
    if not any(map(sources.is_picture, source.sizes)):
        raise InputError(
            f"{path} holds no images ({', '.join(sources.PICTURES)}), expected a folder for each class."
        )
    _check_empty(path, source)
    reading = Reading(Options(classes=OWN), source.skipped)
    pictures = folders.find(source, reading)
    _, class_names = reading.labels.finish([picture.label for picture in pictures])
    cutter = functools.cache(FER)
    kept, crops = [], []
    with bar(f"Reading {path.name}", len(pictures)) as advance:
        for picture in pictures:
            if (crop := _face(path / picture.name, cutter, reading.skipped)) is not None:
                kept.append(picture)
                crops.append(crop)
            advance(1)
    labels, names_left = reading.labels.finish([p.label for p in kept]) if kept else ([], ())
    if lost := [name for name in class_names if name not in names_left]:
        reasons = ", ".join(f"{entry['images']} {reason}" for reason, entry in reading.skipped.items())
        raise InputError(f"No image of {lost[0]!r} in {path} can be used ({reasons}).")
    faces = make_faces(np.stack(crops), labels, [p.usage for p in kept], path, class_names)
    names = np.array([picture.name for picture in kept], object)
    return Faces(**vars(faces) | {"skipped": reading.skipped, "names": names})


def _check_empty(path: pathlib.Path, source: sources.Folder) -> None:
    filled = {parent for name in source.sizes for parent in pathlib.PurePosixPath(name).parents}
    for place in sorted(path.rglob("*")):
        inside = pathlib.PurePosixPath(place.relative_to(path).as_posix())
        if place.is_dir() and inside not in filled and not any(map(sources.is_hidden, inside.parts)):
            raise InputError(f"The folder {place} is empty. Put images into it, or remove it.")


def _face(path: pathlib.Path, cutter: Callable[[], FER], skipped: Skipped) -> np.ndarray | None:
    """Return the crop uint8 (48, 48) of the face in a file; None where it is counted as skipped."""
    if path.stat().st_size > LARGEST_FILE:
        skipped.add("too large", path)
        return None
    data = path.read_bytes()
    try:
        values, bits, size = decode(data, str(path))
    except Damaged as error:
        if error.reason == "not a readable image":
            skipped.add(error.reason, path)
            return None
        values, size = None, None
    if values is not None and size is not None and max(size) <= LARGEST_CROP:
        return _eight_bits(values, bits)
    try:
        found = cutter().find(data)
    except InputError:
        skipped.add("not a readable image", path)
        return None
    if found:
        return max(found, key=lambda face: face.box[2] * face.box[3]).crop[..., 0]
    if values is not None:
        return _eight_bits(values, bits)
    skipped.add("no face found", path)
    return None


def _eight_bits(values: np.ndarray, bits: int | None) -> np.ndarray:
    return values if values.dtype == np.uint8 else bit_depth.to_eight_bits(values, bits or 16)


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
    """Return the part of each file's name before its first `_`, where it can be that of a person.

    That is where each class has 5 different ones or more, and fewer than images; else None.
    """
    stems = [pathlib.PurePosixPath(name).stem for name in names]
    prefixes = np.array([stem.partition("_")[0] if "_" in stem else stem for stem in stems])
    enough = all(len(np.unique(prefixes[labels == code])) >= PARTS for code in np.unique(labels))
    return prefixes.tolist() if enough and len(np.unique(prefixes)) < len(prefixes) else None


def split(faces: Faces, persons: list[str] | None, seed: int) -> tuple[dict[str, Faces], dict[str, int]]:
    """Return train, validation and test images, and how many training images were left out by reason.

    Splits by folders stay; what is missing is drawn from the training images, a fifth for each, in equal shares of
    the classes. Exact copies and the images of one person stand on one side of what is drawn.

    Args:
        faces: as `read` returns them.
        persons: of each image; None where they are not known.
        seed: of the draw.

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
    """Return the group of each image: images of one person, and exact copies, share it, also through others."""
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

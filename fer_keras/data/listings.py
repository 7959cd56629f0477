"""Face sets with labels in a list or in file names: RAF-DB, AffectNet, ExpW and JAFFE."""

import io
import pathlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO

import numpy as np

from fer_keras.core.errors import InputError, first_line
from fer_keras.data import tables
from fer_keras.data.aliases import CODES, PUBLIC, TEST, TRAINING, split_code
from fer_keras.data.folders import Picture
from fer_keras.data.labels import LEFT_OUT
from fer_keras.data.reading import Reading
from fer_keras.data.sources import Source, is_picture, whole_path

# Place, usage, path or paths of the image, label, box of the face (left, top, right, bottom).
Listed = tuple[str, int, str | Sequence[str], str, tuple[int, int, int, int] | None]
Reader = Callable[[IO[bytes], str, str], Iterator[Listed]]
RAF_DB_LINE = re.compile(r"((train|test)_\d{1,9})\.jpg ([1-7])")
# Image, number of the face, its box, the detector's confidence, expression.
EXPW_LINE = re.compile(r"(\S[^/]*\.\w{3,4}) \d{1,4}((?: -?\d{1,5}){4}) -?\d{1,4}(?:\.\d{1,9})? ([0-6])")
LONGEST_LINE = 500
AFFECTNET_COLUMNS = {"subdirectory_filepath", "expression"}
AFFECTNET_ANNOTATION = re.compile(r"((?:.*/)?)annotations/(\d{1,9})_exp\.npy")
LONGEST_ANNOTATION = 10_000  # bytes
AFFECTNET_BOX = ("face_x", "face_y", "face_width", "face_height")
JAFFE_NAME = re.compile(r"[A-Z]{2}\.(AN|DI|FE|HA|SA|SU|NE)\d\.\d+\.tiff?", re.IGNORECASE)
JAFFE_CLASSES = {
    **{"AN": "angry", "DI": "disgust", "FE": "fear", "HA": "happy"},
    **{"SA": "sad", "SU": "surprise", "NE": "neutral"},
}


def find(source: Source, heads: dict[str, bytes], reading: Reading) -> tuple[list[Picture], list[str]]:
    """Return the pictures of a listed face set and its list files; two empty lists if there is none.

    - RAF-DB, basic (Li et al. 2017): `list_patition_label.txt`; the aligned images if available.
    - AffectNet (Mollahosseini et al. 2017, arXiv:1708.03985): `training.csv` and `validation.csv`, each face cut
      out by its box; or, as its smaller version is served, `train_set|val_set/images/N.jpg` with the label in
      `annotations/N_exp.npy`.
    - ExpW (Zhang et al. 2015): `label.lst`, faces are cropped by their boxes; no splits.
    - JAFFE (Lyons et al. 1998): `KA.AN1.39.tiff`; no splits.
    """
    lists = {
        _raf_db: [name for name, head in heads.items() if _first_line(head, RAF_DB_LINE)],
        _expw: [name for name, head in heads.items() if _first_line(head, EXPW_LINE)],
        _affectnet: [name for name, head in heads.items() if AFFECTNET_COLUMNS <= set(tables.columns(head))],
        _affectnet_annotation: [name for name in heads if AFFECTNET_ANNOTATION.fullmatch(name)],
    }
    used = {reader: names for reader, names in lists.items() if names}
    if len(used) > 1:
        names = ", ".join(_shown(group) for group in used.values())
        raise InputError(f"{source.path} holds the lists of several data sets: {names}. Give the folder of one.")
    for reader, files in used.items():
        return _listed(source, files, reader, reading), files
    return _jaffe(source, reading), []


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3:,} more" if len(names) > 3 else "")


def _first_line(head: bytes, pattern: re.Pattern[str]) -> bool:
    lines = head.decode("utf-8-sig", errors="ignore").splitlines()
    return bool(lines) and _match(pattern, lines[0]) is not None


def _match(pattern: re.Pattern[str], line: str) -> re.Match[str] | None:
    return pattern.fullmatch(line.strip()) if len(line) < LONGEST_LINE else None


def _listed(source: Source, names: list[str], reader: Reader, reading: Reading) -> list[Picture]:
    """Return the pictures that a list reader yields; count rows without a file and files without a row."""
    pictures, listed = [], set()
    files = _Files(source)
    for name, file in source.stream(names):
        for place, usage, wanted, label, box in reader(file, whole_path(source, name), name):
            found = files.find(wanted)
            if found is None:
                reading.skipped.add("listed, but the file is missing", f"{wanted} ({place})")
                continue
            listed.add(found)
            code = reading.labels.code(label, place)
            if code != LEFT_OUT:
                pictures.append(Picture(found, usage, code, box))
    rest = [name for name in source.sizes if is_picture(name) and name not in listed]
    for name in rest:
        reading.skipped.add("not in the list", whole_path(source, name))
    if not pictures:
        raise InputError(
            f"{source.path}: the images that {_shown(names)} lists are not there. Put them beside it."
        )
    missing = reading.skipped.get("listed, but the file is missing", {"images": 0, "example": ""})
    if missing["images"] > 0.1 * len(pictures):
        raise InputError(
            f"{source.path} lacks {missing['images']:,} of the images that {_shown(names)} lists, such as "
            f"{missing['example']}. Put the missing images there."
        )
    return sorted(pictures, key=lambda picture: (picture.usage, picture.name))


class _Files:
    """The pictures of a source by their paths, and by the ends of these."""

    def __init__(self, source: Source) -> None:
        pictures = [name for name in source.sizes if is_picture(name)]
        self.by_end = {name: name for name in pictures}
        for name in pictures:
            path = pathlib.PurePosixPath(name)
            self.by_end.setdefault(path.name, name)
            self.by_end.setdefault("/".join(path.parts[-2:]), name)

    def find(self, wanted: str | Sequence[str]) -> str | None:
        """Return the file whose path ends with `wanted`, a path or several in order of preference, or None."""
        options = [wanted] if isinstance(wanted, str) else wanted
        return next((self.by_end[option] for option in options if option in self.by_end), None)


def _lines(file: IO[bytes], where: str, pattern: re.Pattern[str]) -> Iterator[tuple[str, re.Match]]:
    for number, line in enumerate(tables.lines(file, where), start=1):
        if line.strip():
            match = _match(pattern, line)
            if match is None:
                raise InputError(
                    f"{where}, line {number} is {line.strip()[:40]!r}, unlike line 1. Fetch the list again."
                )
            yield f"{where}, line {number}", match


def _raf_db(file: IO[bytes], where: str, name: str) -> Iterator[Listed]:
    codes = {str(code): word for code, word in CODES["raf-db"].items()}
    for place, match in _lines(file, where, RAF_DB_LINE):
        usage = TRAINING if match[2] == "train" else TEST
        yield place, usage, (f"{match[1]}_aligned.jpg", f"{match[1]}.jpg"), codes[match[3]], None


def _expw(file: IO[bytes], where: str, name: str) -> Iterator[Listed]:
    codes = {str(code): word for code, word in CODES["fer2013"].items()}
    for place, match in _lines(file, where, EXPW_LINE):
        top, left, right, bottom = map(int, match[2].split())
        yield place, -1, match[1], codes[match[3]], (left, top, right, bottom)


def _affectnet(file: IO[bytes], where: str, name: str) -> Iterator[Listed]:
    codes = {str(code): word for code, word in CODES["affectnet"].items()}
    split = split_code(pathlib.PurePosixPath(name).stem)
    usage = split if split in (TRAINING, PUBLIC) else -1
    for place, row in tables.rows(file, where):
        label = row["expression"].strip()
        if label not in codes:
            raise InputError(f"{place} has expression {label[:20]!r}, expected 0 to 10.")
        yield place, usage, row["subdirectory_filepath"].strip(), codes[label], _affectnet_box(row, place)


def _affectnet_annotation(file: IO[bytes], where: str, name: str) -> Iterator[Listed]:
    """Yield the only row of an annotation, an array of one number, which the authors wrote as text."""
    folder, number = re.fullmatch(AFFECTNET_ANNOTATION, name).groups()  # type: ignore[union-attr]  # by `find`
    try:
        values = np.load(io.BytesIO(file.read(LONGEST_ANNOTATION)), allow_pickle=False)
        label = str(values.item())
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{where} is not an array of one number: {first_line(error)}. Fetch it again.") from error
    codes = {str(code): word for code, word in CODES["affectnet"].items()}
    if label not in codes:
        raise InputError(f"{where} has expression {label[:20]!r}, expected 0 to 10.")
    splits = [code for word in folder.split("/") if (code := split_code(word)) is not None]
    images = tuple(f"{folder}images/{number}{suffix}" for suffix in (".jpg", ".jpeg", ".png"))
    yield where, splits[-1] if splits and splits[-1] >= 0 else -1, images, codes[label], None


def _affectnet_box(row: Mapping[str, str], place: str) -> tuple[int, int, int, int] | None:
    if not set(AFFECTNET_BOX) <= set(row) or not row["face_x"].strip():
        return None
    try:
        x, y, width, height = (round(float(row[name])) for name in AFFECTNET_BOX)
    except (ValueError, OverflowError):
        raise InputError(f"{place} has a face box that is not four numbers.") from None
    return x, y, x + width, y + height


def _jaffe(source: Source, reading: Reading) -> list[Picture]:
    pictures = []
    names = [name for name in source.sizes if is_picture(name)]
    matches = {name: JAFFE_NAME.fullmatch(pathlib.PurePosixPath(name).name) for name in names}
    if not any(matches.values()):
        return []
    for name, match in matches.items():
        if match is None:
            reading.skipped.add("not named like JAFFE's images", whole_path(source, name))
            continue
        code = reading.labels.code(JAFFE_CLASSES[match[1].upper()], name)
        if code != LEFT_OUT:
            pictures.append(Picture(name, -1, code))
    return sorted(pictures, key=lambda picture: picture.name)

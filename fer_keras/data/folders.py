"""Image folders: `train|test[|val]/CLASS/*`, in either order and with other folders in between."""

import collections
import dataclasses
import hashlib
import pathlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from fer_keras.core.errors import InputError
from fer_keras.data.aliases import CODES, SPLIT_NAMES, is_class_of_a_face_set, split_code, split_codes
from fer_keras.data.faces import USAGES
from fer_keras.data.images import LARGEST_FILE, Stack
from fer_keras.data.labels import HOW, LEFT_OUT, MOST_CLASSES, Labels
from fer_keras.data.reading import Reading, Rows
from fer_keras.data.sources import (
    PICTURE_START,
    Source,
    archive_class,
    is_picture,
    is_unread_picture,
    whole_path,
)

# RAF-DB's folders 1 to 7 have their own order; they are recognized by its file names.
RAF_DB_NAME = re.compile(r"(train|test)_\d+(_aligned)?\.\w+")


@dataclasses.dataclass(frozen=True)
class Picture:
    """An image file of a data set.

    Args:
        name: path inside the source.
        usage: code of `USAGES`, -1 for none.
        label: class code by `Labels`.
        box: (left, top, right, bottom) of the face in pixels; None for the whole image.
    """

    name: str
    usage: int
    label: int
    box: tuple[int, int, int, int] | None = None


class Match(NamedTuple):
    """A folder of pictures in a class folder: its path, and index, class and name of the class folder in it."""

    path: pathlib.PurePosixPath
    depth: int
    label: int
    word: str


class Place(NamedTuple):
    """The place of a folder of pictures: `home` contains the splits, `split` is its own, "" for none."""

    match: Match
    home: pathlib.PurePosixPath
    split: str


class Tree:
    """The pictures of a source by folder.

    Args:
        source: `Source`.
        heads: the first bytes of the files without a picture's suffix.

    `unread` holds the pictures of formats that are not read, `others` the files that are no pictures.
    """

    def __init__(self, source: Source, heads: Mapping[str, bytes]) -> None:
        self.source = source
        names: dict[str, list[str]] = collections.defaultdict(list)
        self.unread: set[str] = set()
        self.others: list[str] = []
        for name in source.sizes:
            if not is_picture(name) and not PICTURE_START.match(heads[name]):
                if not is_unread_picture(name, heads[name]):
                    self.others.append(name)
                    continue
                self.unread.add(name)
            names[name.rpartition("/")[0]].append(name)
        self.folders = {pathlib.PurePosixPath(folder): found for folder, found in names.items()}

    def example(self, folder: pathlib.PurePosixPath) -> str:
        """Return the full path of the first picture in a folder."""
        return whole_path(self.source, self.folders[folder][0])


def find(source: Source, heads: Mapping[str, bytes], reading: Reading) -> list[Picture]:
    """Return the pictures in class folders, in the order of the CSV; none if no folder is named like a class.

    That order is by usage, then by the number in the file name, which known copies took from the row in the CSV.
    The usage is given by the prefix of the file name (`PublicTest_17.jpg`), else by the innermost folder named
    like a split, else it is -1. The class is that of the innermost folder named like a class.

    Args:
        source: `Source`.
        heads: the first bytes of its files without a picture's suffix; files that begin like an image are read.
        reading: `Reading`.

    Raises:
        InputError: if a whole split or class could be missed: folders of an unknown class next to known ones,
            pictures without a class in a split, several data sets next to each other, a split or class of which
            there are only archives, other files or images of formats that are not read.
    """
    tree = Tree(source, heads)
    matches, loose = _matches(tree, reading.labels)
    if not matches:
        return []
    _check_loose(tree, matches, loose, reading)
    places = _one_set(tree, [_place(match) for match in matches], reading)
    codes = split_codes(sorted({place.split for place in places}), source.path)
    _check_splits(tree, places)
    _check_others(tree, places, heads, reading.labels)
    pictures = []
    for (path, _, label, word), _, split in places:
        names = tree.folders[path]
        if label == LEFT_OUT:
            reading.labels.skip(word, tree.example(path), len(names))
            continue
        for name in names:
            prefix = _prefix(name)
            pictures.append(Picture(name, codes[split] if prefix is None else prefix, label))
    pictures = _without_unread(tree, pictures, reading)
    return sorted(pictures, key=lambda picture: (picture.usage, _number(picture.name), picture.name))


def _matches(tree: Tree, labels: Labels) -> tuple[list[Match], list[pathlib.PurePosixPath]]:
    """Return the `Match` of each folder of pictures in a class folder, and the other folders."""
    if labels.own:
        return _own_classes(tree, labels)
    matches, loose = [], []
    for path in tree.folders:
        known = [labels.find(word) for word in path.parts]
        depths = [i for i, code in enumerate(known) if code is not None]
        if len({known[i] for i in depths}) > 1:
            names = " and ".join(path.parts[i] for i in depths)
            raise InputError(f"{tree.example(path)} lies in folders of two classes, {names}. Move it to one.")
        if depths:
            matches.append(_match(path, depths[-1], labels))
        else:
            loose.append(path)
    return (matches, loose) if matches else _numbered(tree, labels)


def _match(path: pathlib.PurePosixPath, depth: int, labels: Labels, word: str | None = None) -> Match:
    """Return the `Match` of a folder that is known to name a class, by default with its own name."""
    word = word or path.parts[depth]
    label = labels.find(word)
    assert label is not None, f"{word!r} was found before"
    return Match(path, depth, label, word)


def _numbered(tree: Tree, labels: Labels) -> tuple[list[Match], list[pathlib.PurePosixPath]]:
    """Return matches of folders 0, 1, 2 …; their meaning is given, or RAF-DB's if the file names are."""
    numbered = [path for path in tree.folders if re.fullmatch(r"[0-9]{1,3}", path.name)]
    numbers = sorted({path.name for path in numbered}, key=int)
    if not 2 <= len(numbers) <= MOST_CLASSES:
        return [], list(tree.folders)
    names = [name.rpartition("/")[2] for path in numbered for name in tree.folders[path]]
    codes = labels.codes or ("raf-db" if all(map(RAF_DB_NAME.fullmatch, names)) else None)
    if codes is None:
        raise InputError(
            f"{tree.source.path} has numbered class folders ({', '.join(numbers[:11])}), whose meaning differs "
            f"between data sets. Give label_codes (--label-codes), one of: {', '.join(CODES)}."
        )
    words = {path: _class_of_number(path.name, codes, tree) for path in numbered}
    matches = [_match(path, len(path.parts) - 1, labels, word) for path, word in words.items()]
    return matches, [path for path in tree.folders if path not in words]


def _own_classes(tree: Tree, labels: Labels) -> tuple[list[Match], list[pathlib.PurePosixPath]]:
    """Return matches if every name is a class: the first folder below those shared by all pictures.

    Numbers have the meaning of `label_codes`, if given.

    Raises:
        InputError: if these folders are no emotions but contain folders that all are, or a number has no meaning.
    """
    inside = {path: [i for i, word in enumerate(path.parts) if split_code(word) is None] for path in tree.folders}
    words = [[path.parts[i] for i in kept] for path, kept in inside.items() if kept]
    shared = 0
    while words and all(len(rest) > shared + 1 and rest[shared] == words[0][shared] for rest in words):
        shared += 1
    found = {path: kept[shared] for path, kept in inside.items() if len(kept) > shared}
    outer = {path.parts[i] for path, i in found.items()}
    inner = {rest[shared + 1] if len(rest) > shared + 1 else "" for rest in words}
    if len(inner) > 1 and all(map(is_class_of_a_face_set, inner)) and not all(map(is_class_of_a_face_set, outer)):
        emotions, others = (", ".join(sorted(folders)[:4]) for folders in (inner, outer))
        raise InputError(
            f"{tree.source.path} has folders of emotions ({emotions}) inside of the folders {others}, expected "
            "one folder for each class. Move the pictures of all persons there, with the person before the file "
            f"name (ann_1.png). Splits need names such as {SPLIT_NAMES}."
        )
    matches = [_match(path, i, labels, _own_name(path.parts[i], tree, labels)) for path, i in found.items()]
    return matches, [path for path in inside if path not in found]


def _own_name(word: str, tree: Tree, labels: Labels) -> str:
    """Return the class that a folder's name stands for."""
    if labels.codes is None or not re.fullmatch(r"[0-9]{1,3}", word):
        return word
    return _class_of_number(word, labels.codes, tree)


def _class_of_number(number: str, codes: str, tree: Tree) -> str:
    if int(number) not in CODES[codes]:
        raise InputError(f"{tree.source.path} has the class folder {number!r}, which {codes} does not have.")
    return CODES[codes][int(number)]


def _place(match: Match) -> Place:
    """Return the `Place` of a folder; the innermost split name counts."""
    before = match.path.parts[: match.depth]
    after = [word for word in match.path.parts[match.depth + 1 :] if split_code(word) is not None]
    folders = [*before, *after]
    codes = [split_code(word) for word in folders]
    last = next((i for i in reversed(range(len(codes))) if codes[i] is not None), None)
    if last is None:
        return Place(match, pathlib.PurePosixPath(*before), "")
    first = last
    while first and codes[first - 1] == codes[last]:
        first -= 1  # unpacked twice: train/train
    return Place(match, pathlib.PurePosixPath(*folders[:first]), folders[last])


def _check_loose(
    tree: Tree, matches: Sequence[Match], loose: Sequence[pathlib.PurePosixPath], reading: Reading
) -> None:
    """Count pictures outside the class folders, or refuse them if they could be a split or a class."""
    homes = {pathlib.PurePosixPath(*match.path.parts[: match.depth]) for match in matches}
    for path in loose:
        folders = [folder for folder in (path, *path.parents) if folder.parts]
        classes = [folder.name for folder in folders if folder.parent in homes and split_code(folder.name) is None]
        splits = [folder.name for folder in folders if split_code(folder.name) is not None]
        if classes and reading.labels.asked:
            reading.labels.skip(classes[0], tree.example(path), len(tree.folders[path]))
        elif classes:
            raise InputError(
                f"{tree.example(path)} lies in {classes[0]!r}, which is no known class, beside folders that are. "
                f"Known classes: {', '.join(reading.labels.names)}. Rename or remove the folder. {HOW}"
            )
        elif splits:
            raise InputError(
                f"{tree.example(path)} lies in the split {splits[0]!r} but in no class folder. Sort its pictures "
                f"into class folders, or move them away. If {splits[0]!r} is a class, name all (--classes)."
            )
        else:
            reading.skipped.add("not in a class folder", tree.example(path), len(tree.folders[path]))


def _one_set(tree: Tree, places: Sequence[Place], reading: Reading) -> list[Place]:
    """Return the places of one data set; a nested copy of the same files is skipped and counted.

    Some sets on Kaggle contain `images/…` and again `images/images/…`.
    """
    homes = collections.defaultdict(list)
    for place in places:
        homes[place.home].append(place)
    first, *others = sorted(homes, key=lambda home: (len(home.parts), home))
    counts = {home: sum(len(tree.folders[place.match.path]) for place in group) for home, group in homes.items()}
    for home in others:
        equal = counts[home] == counts[first]
        if not (equal and _contents(tree, homes[home]) == _contents(tree, homes[first])):
            raise InputError(
                f"{tree.source.path} holds more than one data set: class folders in {_shown(first)} and in "
                f"{_shown(home)}. Give the folder of one. Splits of one set need names such as {SPLIT_NAMES}."
            )
        example = tree.example(homes[home][0].match.path)
        reading.skipped.add(f"second copy of {_shown(first)}", example, counts[home])
    return homes[first]


def _contents(tree: Tree, places: Sequence[Place]) -> dict[pathlib.PurePosixPath, bytes]:
    """Return the hash of each file by its path relative to its data set."""
    paths = {
        name: pathlib.PurePosixPath(name).relative_to(place.home)
        for place in places
        for name in tree.folders[place.match.path]
    }
    return {paths[name]: hashlib.sha256(file.read()).digest() for name, file in tree.source.stream(paths)}


def _shown(home: pathlib.PurePosixPath) -> str:
    return repr(str(home)) if home.parts else "the folder itself"


def _check_splits(tree: Tree, places: Sequence[Place]) -> None:
    """Refuse a set with some pictures inside and others outside of splits."""
    split = next((place.split for place in places if place.split), None)
    outside = [name for place in places if not place.split for name in tree.folders[place.match.path]]
    without = next((name for name in outside if _prefix(name) is None), None)
    if without and split:
        raise InputError(
            f"{whole_path(tree.source, without)} lies in no split, others lie in {split!r}. Splits need names "
            f"such as {SPLIT_NAMES}. Rename its folder, or give the folder of one data set."
        )


def _check_others(tree: Tree, places: Sequence[Place], heads: Mapping[str, bytes], labels: Labels) -> None:
    """Refuse archives and other files where they could be a split or a class that has no pictures.

    Files count for the folders they are in, archives also for their own name.
    """
    splits = {split_code(place.split) for place in places}
    seen = {(split_code(place.split), place.match.label) for place in places}
    for name in tree.others:
        *words, file = name.split("/")
        is_archive = archive_class(heads[name]) is not None
        words += [file.split(".")[0]] if is_archive else []
        inside = [code for word in words if (code := split_code(word)) is not None]
        classes = [] if labels.own else [code for word in words if (code := labels.find(word)) is not None]
        label = classes[-1] if classes else None
        is_new_split = bool(inside) and inside[-1] not in splits and (is_archive or label is not None)
        is_new_class = label not in (None, LEFT_OUT) and not any(
            code == label and (not inside or split == inside[-1]) for split, code in seen
        )
        if is_new_split or is_new_class:
            raise InputError(
                f"{whole_path(tree.source, name)} is no picture, and no picture is read of the "
                f"{'split' if is_new_split else 'class'} that its path names. "
                f"{'Unpack it, or move it' if is_archive else 'Put pictures there, or move it'} away."
            )


def _without_unread(tree: Tree, pictures: Iterable[Picture], reading: Reading) -> list[Picture]:
    """Count the pictures of formats that are not read, and return the others."""
    kept, unread = [], {}
    for picture in pictures:
        if picture.name in tree.unread:
            reading.skipped.add("format that is not read", whole_path(tree.source, picture.name))
            unread[picture.usage, picture.label] = picture.name
        else:
            kept.append(picture)
    if lost := unread.keys() - {(picture.usage, picture.label) for picture in kept}:
        raise InputError(
            f"{whole_path(tree.source, unread[min(lost)])} is of a format that is not read, and its split has no "
            "other picture of its class. Convert the pictures to PNG or JPEG."
        )
    return kept


def _prefix(name: str) -> int | None:
    prefix = name.rpartition("/")[2].partition("_")[0]
    return USAGES.index(prefix) if prefix in USAGES[:3] else None


def _number(name: str) -> int:
    digits = re.search(r"\d{1,18}", name.rpartition("/")[2])
    return int(digits[0]) if digits else -1


def read(source: Source, parts: list[Picture], reading: Reading) -> Rows:
    """Return the faces of `parts` in order, without those that cannot be used.

    Raises:
        InputError: if more than 1 % of them, or all of one class in one split, cannot be used.
    """
    stack, rows = Stack(reading.skipped, reading.options.bit_depth), []
    wanted = collections.defaultdict(list)
    for row, picture in enumerate(parts):
        wanted[picture.name].append(row)
    for name, file in source.stream(wanted):
        data = file.read(min(source.sizes[name], LARGEST_FILE + 1))
        for row in wanted[name]:
            if stack.add_encoded(data, whole_path(source, name), parts[row].box):
                rows.append(row)
        reading.advance(source.sizes[name])
    images, notes = stack.finish()
    reading.notes += notes
    order = np.argsort(rows)
    kept = [parts[rows[i]] for i in order]
    _check_whole(parts, kept, stack)
    labels, usages = [picture.label for picture in kept], [picture.usage for picture in kept]
    in_order = (np.diff(order) == 1).all()
    return Rows(images if in_order else images[order], labels, usages, [picture.name for picture in kept])


def _check_whole(parts: Iterable[Picture], kept: Iterable[Picture], stack: Stack) -> None:
    lost = {(p.usage, p.label) for p in parts} - {(p.usage, p.label) for p in kept}
    if lost:
        raise InputError(f"{stack.first_damage} With it, a class loses all its images in one split.")

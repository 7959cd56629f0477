"""FER-2013 as image folders: `train|test[|val]/EMOTION/*.jpg`."""

import io
import pathlib
import re

import numpy as np
from PIL import Image

from fer_keras.core.errors import InputError
from fer_keras.data.aliases import emotion_code, settle, split_code
from fer_keras.data.faces import EMOTIONS, SIDE, USAGES
from fer_keras.data.sources import PICTURES, whole_path

LARGEST = 1 << 20


def find(source):
    """Return `{name: (usage code, emotion code)}` of the pictures in emotion folders, in the order of the CSV.

    That order is by usage, then by the number in the file name, which the known copies took from the CSV's row.
    A usage is told by the prefix of the file's name (`PublicTest_17.jpg`), else by its split folder, else -1.
    """
    pictures = [pathlib.PurePosixPath(name) for name in source.sizes if name.lower().endswith(PICTURES)]
    faces = [path for path in pictures if emotion_code(path.parent.name) is not None]
    if not faces:
        return {}
    check_siblings(source, pictures, {path.parent.parent for path in faces})
    splits = [split_folder(path) for path in faces]
    root = min((root for root, _ in splits), key=lambda root: (len(root.parts), root))
    kept = [(path, word) for path, (home, word) in zip(faces, splits, strict=True) if home == root]
    words = sorted({word for _, word in kept})
    codes = dict(zip(words, settle(split_code(word) for word in words), strict=True))
    found = {str(path): (usage(path, codes[word]), emotion_code(path.parent.name)) for path, word in kept}
    return dict(sorted(found.items(), key=lambda item: (item[1][0], number(item[0]), item[0])))


def check_siblings(source, pictures, homes):
    for path in pictures:
        if path.parent.parent in homes and emotion_code(path.parent.name) is None:
            raise InputError(
                f"{whole_path(source, path)} lies in a folder that is no emotion, beside folders that are. "
                f"Expected folders: {', '.join(EMOTIONS)}. Rename or remove it."
            )


def split_folder(path):
    """Return the folder that holds the splits and the name of this path's own, "" where there is none."""
    for i, word in enumerate(path.parts[:-2]):
        if split_code(word) is not None:
            return pathlib.PurePosixPath(*path.parts[:i]), word
    return path.parent.parent, ""


def usage(path, code):
    prefix = path.name.split("_")[0]
    if prefix in USAGES:
        return USAGES.index(prefix)
    return -1 if code is None else code


def number(name):
    digits = re.search(r"\d+", pathlib.PurePosixPath(name).name)
    return int(digits[0]) if digits else -1


def read(source, parts, advance):
    """Return images, labels and usages of the pictures in `parts`, as `find` gave it."""
    images, places = np.empty((len(parts), SIDE, SIDE), np.uint8), {name: i for i, name in enumerate(parts)}
    for name, file in source.stream(parts):
        images[places[name]] = decode(file.read(LARGEST), whole_path(source, name))
        advance(source.sizes[name])
    usages, labels = zip(*parts.values(), strict=True)
    return images, labels, usages


def decode(data, where):
    """Return uint8 `(48, 48)` of an encoded PNG or JPEG of that size, colours turned to grey."""
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
            if image.size != (SIDE, SIDE):
                raise InputError(
                    f"{where} is {image.width} x {image.height} pixels, expected {SIDE} x {SIDE}. "
                    "Give the faces as FER-2013 has them."
                )
            return np.asarray(image.convert("L"))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{where} is not a readable PNG or JPEG: {error}. Replace or remove it.") from error

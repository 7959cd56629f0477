"""Pictures and videos that fer-keras draws: marked as its own, and never written over a file of the user's."""

import contextlib
import logging
import os
import pathlib
import struct
from collections.abc import Iterable, Iterator

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from fer_keras.core.errors import InputError
from fer_keras.core.files import StrPath, make_folder, writing

LOG = logging.getLogger("fer_keras")
MARK = "drawn by fer-keras"
PNG_TEXT = {"Comment": MARK}
MP4_BOX = struct.pack(">I4s", 8 + len(MARK), b"free") + MARK.encode()  # players ignore a box of this type
LONGEST = 200  # bytes of a stem: with number, ending and the temporary name it stays below the 255 of file systems


class Outputs:
    """Names and writes drawings. Existing files are kept, except earlier drawings of fer-keras.

    Files are compared by device and inode, so that links, hard links, linked folders and file systems that ignore
    letter case cannot lead to an input.

    Args:
        inputs: iterable of paths that are never written to.
        annotate: folder of the annotated pictures and videos, or None.
        saliency: folder of the saliency maps, or None. Folders that are missing are made.

    Raises:
        InputError: if a folder cannot be made or written to.
    """

    def __init__(
        self, inputs: Iterable[str], *, annotate: StrPath | None = None, saliency: StrPath | None = None
    ) -> None:
        self.annotate, self.saliency = annotate, saliency
        self._kept = {identity(path) for path in inputs}
        for folder in (annotate, saliency):
            if folder:
                make(folder)

    def save(self, image: Image.Image, folder: str | os.PathLike, path: str, ending: str) -> None:
        """Write the PIL `image`, drawn for the input `path`, as PNG into `folder`."""
        text = PngInfo()
        for key, value in PNG_TEXT.items():
            text.add_text(key, value)
        with self.writing(folder, path, ending) as temporary:
            image.save(temporary, pnginfo=text)

    @contextlib.contextmanager
    def writing(self, folder: str | os.PathLike, path: str, ending: str) -> Iterator[pathlib.Path]:
        """Yield a temporary path; on success it becomes the drawing of the input `path` in `folder`."""
        target = self._free(folder, path, ending)
        with writing(target) as temporary:
            yield temporary
        self._kept.add(identity(target))

    def _free(self, folder: StrPath, path: str, ending: str) -> pathlib.Path:
        stem = "stdin" if path == "-" else shortened(pathlib.Path(path).stem)
        first = target = pathlib.Path(folder, f"{stem}{ending}")
        number = 1
        while not self._may_replace(target):
            number += 1
            target = pathlib.Path(folder, f"{stem}-{number}{ending}")
        if target != first and not is_drawn(first):
            LOG.info("%s was not drawn by fer-keras and is kept; drawing to %s.", first, target.name)
        return target

    def _may_replace(self, target: pathlib.Path) -> bool:
        if not os.path.lexists(target):
            return True
        return not target.is_symlink() and is_drawn(target) and identity(target) not in self._kept


def shortened(stem: str) -> str:
    encoded = os.fsencode(stem)
    return stem if len(encoded) <= LONGEST else encoded[:LONGEST].decode(errors="ignore")


def identity(path: StrPath) -> tuple[int, int] | None:
    """Return device and inode of the file, None if there is none."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # ValueError: a null character in the name
        return None
    return status.st_dev, status.st_ino


def make(folder: StrPath) -> None:
    make_folder(folder)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"Cannot write to the folder {folder}: permission denied. Name another one.")


def mark_video(path: str | os.PathLike) -> None:
    """Mark the MP4 file as drawn by fer-keras."""
    with open(path, "ab") as file:
        file.write(MP4_BOX)


def is_drawn(path: str | os.PathLike) -> bool:
    """Return whether fer-keras drew this picture or video; False if it cannot be read."""
    try:
        if not os.path.isfile(path):
            return False
        with open(path, "rb") as file:
            if MARK.encode() in file.read(512):
                return True
            file.seek(-min(os.path.getsize(path), len(MP4_BOX)), os.SEEK_END)
            return file.read() == MP4_BOX
    except (OSError, ValueError):
        return False

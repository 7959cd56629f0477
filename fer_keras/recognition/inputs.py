"""Paths, folders and patterns to the files that can be analyzed, with a count of those left out."""

import collections
import dataclasses
import glob
import os
import pathlib
from collections.abc import Iterable, Iterator

from fer_keras.core.errors import InputError
from fer_keras.recognition import outputs, videos

PICTURES = (
    *(".avif", ".bmp", ".gif", ".heic", ".heif", ".hif", ".jfif", ".jpe", ".jpeg", ".jpg", ".mpo", ".pgm", ".png"),
    *(".pnm", ".ppm", ".tif", ".tiff", ".webp"),
)
TRANSPORT_STREAMS = (".ts", ".mts")  # endings that TypeScript has too


@dataclasses.dataclass(frozen=True)
class Inputs:
    """Files to analyze; `skipped` counts the others: `{reason: number of files}`."""

    files: list[str]
    skipped: dict[str, int]


def expand(paths: Iterable[str | os.PathLike]) -> Inputs:
    """Return the files that `paths` name, each once: files, those in folders and below, and those of patterns.

    Links to folders are followed, each folder once. From folders and patterns only pictures and videos are taken,
    by their endings. Pictures and videos that fer-keras itself drew are skipped everywhere. A file that does not
    exist is kept, so that reading it reports it; "-" stands for standard input.

    Args:
        paths: iterable of `str` or `Path`.

    Raises:
        InputError: if a folder or a pattern has no picture or video, or nothing is left to analyze.
    """
    files: dict[str, None] = {}
    skipped: collections.Counter[str] = collections.Counter()
    for path in map(str, paths):
        if os.path.isdir(path):
            found = [file for file in walk(path, skipped) if accepted(file, skipped)]
        elif glob.has_magic(path) and not os.path.exists(path):
            matches = sorted(p for p in glob.glob(path, recursive=True) if not os.path.isdir(p))
            found = [file for file in matches if accepted(file, skipped)]
        else:
            found = [path]
        if not found:
            raise InputError(
                f"{path} has no pictures or videos. Expected files ending in {', '.join(PICTURES)} … "
                f"{summary(skipped)}".rstrip()
            )
        files |= dict.fromkeys(found)
    new = [file for file in files if not outputs.is_drawn(file)]
    if len(new) < len(files):
        skipped["drawn by fer-keras"] += len(files) - len(new)
    if files and not new:
        raise InputError("Every file given was drawn by fer-keras. Name the original pictures or videos.")
    return Inputs(new, dict(skipped))


def is_video(path: str | os.PathLike) -> bool:
    """Return whether the name of a file ends like a video's."""
    return str(path).lower().endswith(videos.SUFFIXES)


def summary(skipped: dict[str, int]) -> str:
    """Return a sentence that counts the `skipped` files by reason; empty if there are none."""
    if not skipped:
        return ""
    reasons = ", ".join(f"{number} {reason}" for reason, number in sorted(skipped.items()))
    number = sum(skipped.values())
    return f"Skipped {number} file{'' if number == 1 else 's'}: {reasons}."


def walk(folder: str, skipped: collections.Counter[str]) -> Iterator[str]:
    """Yield the files below `folder`, linked folders included, each folder once; count what cannot be listed."""

    def unreadable(error: OSError) -> None:
        skipped["in folders that cannot be opened"] += 1

    seen = set()
    for root, folders, names in os.walk(folder, followlinks=True, onerror=unreadable):
        status = os.stat(root)
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (os.path.join(root, name) for name in sorted(names))


def accepted(path: str, skipped: collections.Counter[str]) -> bool:
    """Return whether `path` is a picture or video by its name; else count the reason."""
    name, ending = os.path.basename(path), pathlib.Path(path).suffix.lower()
    if name.startswith("."):
        reason = "hidden"
    elif not os.path.exists(path):
        reason = "linked to nothing"
    elif not os.path.isfile(path):
        reason = "neither file nor folder"
    elif ending in TRANSPORT_STREAMS and not is_transport_stream(path):
        reason = f"ending in {ending} without a video"
    elif ending in PICTURES or is_video(path):
        return True
    else:
        reason = f"ending in {ending}" if ending else "without an ending"
    skipped[reason] += 1
    return False


def is_transport_stream(path: str) -> bool:
    """Return whether the file begins with two packets of an MPEG transport stream: 188 bytes, or 192 with time."""
    with open(path, "rb") as file:
        head = file.read(197)
    return len(head) == 197 and (head[0] == head[188] == 0x47 or head[4] == head[196] == 0x47)

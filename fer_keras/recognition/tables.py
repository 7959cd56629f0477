"""Faces as rows, as a table of pandas, as CSV and as text to read."""

import collections
import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fer_keras.core.files import printable
from fer_keras.data import EMOTIONS
from fer_keras.recognition.boxes import Landmarks, Point
from fer_keras.recognition.faces import Face, Frame, Result
from fer_keras.recognition.layout import reading_order

if TYPE_CHECKING:
    import pandas

FIXED = ("image", "time", "track", "number", "x", "y", "width", "height", "score", "emotion")
ASKED = ("prediction_set", "abstains")
POINTS = tuple(f"{name}_{axis}" for name in Landmarks._fields for axis in Point._fields)


def rows(name: str, faces: Sequence[Face], time: float | None = None) -> list[dict]:
    """Return a flat dict for each face of an image: `FIXED`, a probability for each class, `POINTS`.

    A value that a face lacks is None. See `class_columns` for the names of the probabilities.

    Args:
        name: of the image or video.
        faces: list of `Face`.
        time: seconds from the start of the video.
    """
    numbers = reading_order([face.box for face in faces]) if time is None else [None] * len(faces)
    names = class_columns(tuple(faces[0].probabilities)) if faces else []
    return [
        dict(zip(FIXED, (name, time, face.track, number, *face.box, face.score, face.emotion), strict=True))
        | asked(face)
        | dict(zip(names, face.probabilities.values(), strict=True))
        | dict(zip(POINTS, coordinates(face), strict=True))
        for face, number in zip(faces, numbers, strict=True)
    ]


def class_columns(class_names: Sequence[str]) -> list[str]:
    """Return the column of each class: its name, after "class_" where another column has that name.

    Columns that differ in letter case only count as the same, because not every program tells them apart.
    """
    taken = {name.casefold() for name in (*FIXED, *ASKED, *POINTS)}
    columns: list[str] = []
    for name in class_names:
        column = name
        while column.casefold() in taken or column != name and column in class_names:
            column = f"class_{column}"
        columns.append(column)
    return columns


def asked(face: Face) -> dict[str, Any]:
    """Return the prediction set in words and whether the face abstains, if `FER` was asked for them."""
    sets = {} if face.prediction_set is None else {"prediction_set": " or ".join(face.prediction_set)}
    return sets if face.abstains is None else sets | {"abstains": face.abstains}


def coordinates(face: Face) -> list[float | None]:
    """Return the values of `POINTS`."""
    return [value for point in face.landmarks or [(None, None)] * 5 for value in point]


def table(
    results: Mapping[str | os.PathLike[str], Iterable[Face | Frame]], class_names: Sequence[str] = EMOTIONS
) -> "pandas.DataFrame":
    """Return a table with one row for each face: `FIXED`, a probability for each class, `POINTS`.

        fer = FER()
        table({path: fer.analyze(path) for path in paths})
        table({"clip.mp4": fer.analyze_video("clip.mp4")})

    Faces of a photograph are numbered in reading order, faces of a video have a track. Bytes of a name that are
    not UTF-8 are written as escapes.

    Args:
        results: `{name: list of Face, or iterable of Frame}`. Names without a face have no row.
        class_names: of the columns where there is no face at all, such as `FER.class_names`.
    """
    import pandas

    found = [row for name, found in results.items() for row in all_rows(printable(name), found)]
    return pandas.DataFrame(found, columns=columns_of(found, class_names))


def as_csv(results: Sequence[Result], class_names: Sequence[str] = EMOTIONS) -> str:
    """Return the `faces.Result`s as CSV, with the rows and columns of `table`."""
    found = [row for r in results for row in all_rows(printable(r.path), r.frames or r.faces or [])]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns_of(found, class_names), lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
    return text.getvalue()


def columns_of(found: Sequence[dict[str, Any]], class_names: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of these rows, or of the classes if there are no rows."""
    return tuple(found[0]) if found else (*FIXED, *class_columns(class_names), *POINTS)


def all_rows(name: str, found: Iterable[Face | Frame]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a list of `Face` or of an iterable of `Frame`."""
    faces = []
    for item in found:
        if isinstance(item, Frame):
            yield from rows(name, item.faces, item.time)
        else:
            faces.append(item)
    yield from rows(name, faces)


def as_text(results: Sequence[Result]) -> str:
    """Return the `faces.Result`s as a table to read: a line for each face of a photograph or of a video.

    Files of which nothing could be read are left out.
    """
    lines = [line for result in results if result.answered for line in described(result)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join("  ".join(map(str.ljust, line, widths)).rstrip() + "\n" for line in lines)


def described(result: Result) -> list[tuple[str, str, str]]:
    """Return a list of (file, where, probabilities)."""
    if result.frames is None:
        lines = [*photographed(result.faces or [])]
    else:
        lines = [filmed(*track) for track in sorted(tracks(result.frames).items())]
    none = "no face" if result.min_face is None else f"no face of {result.min_face} pixels or more"
    return [(printable(result.path), *line) for line in lines or [(none, "")]]


def photographed(faces: Sequence[Face]) -> Iterator[tuple[str, str]]:
    """Yield (where, probabilities) of each face in reading order."""
    numbers = reading_order([face.box for face in faces])
    for number, face in sorted(zip(numbers, faces, strict=True), key=lambda pair: pair[0]):
        x, y, width, height = face.box
        which = f"face {number}, " if len(faces) > 1 else ""
        yield f"{which}{width}x{height} at {x},{y}", described_answer(face)


def tracks(frames: Iterable[Frame]) -> dict[int | None, list[tuple[float, Face]]]:
    """Return `{track: list of (seconds, Face)}`."""
    found: dict[int | None, list[tuple[float, Face]]] = {}
    for frame in frames:
        for face in frame.faces:
            found.setdefault(face.track, []).append((frame.time, face))
    return found


def filmed(number: int | None, seen: list[tuple[float, Face]]) -> tuple[str, str]:
    """Return (where, answer) of a track: its commonest answer, if sets or abstentions were asked for, and its
    mean."""
    times = [time for time, _ in seen]
    mean = {
        name: sum(face.probabilities[name] for _, face in seen) / len(seen) for name in seen[0][1].probabilities
    }
    count = "1 frame" if len(seen) == 1 else f"mean of {len(seen)} frames"
    text = f"{likeliest(mean)} ({count})"
    if asked(seen[0][1]):
        answer, frames = collections.Counter(face.answer for _, face in seen).most_common(1)[0]
        text = f"{answer} in {frames} of {len(seen)} frames: {text}"
    return f"face {number}, {times[0]:.1f}-{times[-1]:.1f} s", text


def described_answer(face: Face) -> str:
    """Return the likeliest classes, after the answer in words where that is more than the first of them."""
    text = likeliest(face.probabilities)
    return text if face.answer == face.emotion else f"{face.answer} ({text})"


def likeliest(probabilities: Mapping[str, float]) -> str:
    best = sorted(probabilities.items(), key=lambda item: -item[1])[:3]
    return ", ".join(f"{name} {100 * value:.1f} %" for name, value in best)

"""Faces as rows and tables."""

from fer_keras.data import EMOTIONS

COLUMNS = ("image", "time", "track", "x", "y", "width", "height", "score", "emotion", *EMOTIONS)


def rows(name, faces, time=None):
    """Return one flat dict of `COLUMNS` for each of `faces`; None where a value is not there.

    Args:
        name: of the image or video.
        faces: list of `Face`.
        time: seconds from the start of the video.
    """
    return [
        dict(zip(COLUMNS, (name, time, face.track, *face.box, face.score, face.emotion), strict=False))
        | face.probabilities
        for face in faces
    ]


def table(results):
    """Return a pandas `DataFrame` of `COLUMNS` with one row for each face.

        fer = FER()
        table({path: fer.analyze(path) for path in paths})
        table({"clip.mp4": fer.analyze_video("clip.mp4")})

    Args:
        results: `{name: list of Face, or iterable of Frame}`. Names without a face have no row.
    """
    import pandas

    return pandas.DataFrame(
        [row for name, found in results.items() for row in mixed(name, found)], columns=COLUMNS
    )


def mixed(name, found):
    for item in found:
        frame = hasattr(item, "faces")
        yield from rows(name, item.faces, item.time) if frame else rows(name, [item])


def text(results):
    """Return the `batches.Result`s as a table to read: a line for each face of a photograph or of a video.

    Files of which nothing could be read are left out.
    """
    lines = [line for result in results if result.answered for line in described(result)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join("  ".join(map(str.ljust, line, widths)).rstrip() + "\n" for line in lines)


def described(result):
    """Return a list of (file, where, what, probabilities)."""
    if result.frames is None:
        lines = [photographed(face) for face in result.faces]
    else:
        lines = [filmed(*track) for track in sorted(tracks(result.frames).items())]
    return [(result.path, *line) for line in lines or [("no face", "", "")]]


def photographed(face):
    x, y, width, height = face.box
    return f"{width}x{height} at {x},{y}", face.emotion, likeliest(face.probabilities)


def tracks(frames):
    """Return `{track: list of (seconds, Face)}`."""
    found = {}
    for frame in frames:
        for face in frame.faces:
            found.setdefault(face.track, []).append((frame.time, face))
    return found


def filmed(number, seen):
    times = [time for time, _ in seen]
    mean = {name: sum(face.probabilities[name] for _, face in seen) / len(seen) for name in EMOTIONS}
    where = f"face {number}, {times[0]:.1f}-{times[-1]:.1f} s"
    return where, max(mean, key=mean.get), f"mean of {len(seen)} frames: {likeliest(mean)}"


def likeliest(probabilities):
    best = sorted(probabilities.items(), key=lambda item: -item[1])[:3]
    return ", ".join(f"{name} {100 * value:.1f} %" for name, value in best)

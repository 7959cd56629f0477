"""The expressions of a video over its time, as a plot."""

import collections
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from fer_keras.core.files import printable
from fer_keras.core.plotting import STYLE
from fer_keras.recognition.drawing import colors
from fer_keras.recognition.faces import Face
from fer_keras.recognition.outputs import PNG_TEXT

MOST_FACES = 6  # with the most frames; more would be too small to read
MOST_CLASSES = 8  # with the highest means
DARKER = {"happy": "#B8A800", "neutral": "#767676"}  # lines are thin: yellow and light gray vanish on white


def timeline(name: str, faces: Iterable[tuple[float, Face]]) -> Figure:
    """Return a `Figure` with one row for each face: its probabilities over the time of the video.

    Args:
        name: of the video.
        faces: iterable of (seconds, `Face` with a track).
    """
    tracks: dict[int, list] = collections.defaultdict(list)
    for time, face in faces:
        tracks[face.track or 0].append((time, face.probabilities))
    shown = sorted(sorted(tracks, key=lambda number: -len(tracks[number]))[:MOST_FACES])
    names = likeliest_classes([p for number in shown for _, p in tracks[number]])
    with matplotlib.style.context(["default", STYLE]):
        figure = Figure(figsize=(11, 1 + 2.2 * max(len(shown), 1)), layout="constrained")
        FigureCanvasAgg(figure)
        grid = figure.subplots(max(len(shown), 1), squeeze=False, sharex=True)[:, 0]
        for axes, number in zip(grid, shown, strict=False):
            draw(axes, number, tracks[number], names)
        grid[-1].set_xlabel("time, seconds")
        hidden = f" ({len(tracks) - len(shown)} more are not drawn)" if len(tracks) > len(shown) else ""
        count = f"{len(tracks) or 'no'} face{'' if len(tracks) == 1 else 's'}{hidden}"
        figure.suptitle(f"{printable(name)}: {count}", x=0.01, ha="left", parse_math=False)
        if shown:
            legend = figure.legend(*grid[0].get_legend_handles_labels(), loc="outside right upper")
            for text in legend.get_texts():
                text.set_parse_math(False)
    return figure


def write(figure: Figure, path: str | os.PathLike) -> None:
    """Write the timeline as PNG, marked as drawn by fer-keras."""
    with warnings.catch_warnings():  # names may be in scripts that the font lacks; it draws boxes instead
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        figure.savefig(path, metadata={"Software": None} | PNG_TEXT)


def likeliest_classes(probabilities: Sequence[Mapping[str, float]]) -> list[str]:
    """Return the `MOST_CLASSES` names with the highest mean, in their own order."""
    if not probabilities:
        return []
    totals = {name: sum(values[name] for values in probabilities) for name in probabilities[0]}
    most = sorted(totals, key=totals.__getitem__, reverse=True)[:MOST_CLASSES]
    return [name for name in totals if name in most]


def draw(
    axes: Axes, number: int, points: Sequence[tuple[float, Mapping[str, float]]], names: Sequence[str]
) -> None:
    times = [time for time, _ in points]
    palette = colors(points[0][1]) | DARKER
    for name in names:
        values = [probabilities[name] for _, probabilities in points]
        marker = "." if len(times) < 40 else None
        axes.plot(times, values, label=name.lstrip("_"), color=palette[name], marker=marker)
    axes.set(ylim=(0, 1), title=f"face {number}")
    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1))

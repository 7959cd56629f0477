"""The expressions of a video over its time, as a picture."""

import collections

import matplotlib.style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from fer_keras.core.plotting import STYLE
from fer_keras.data import EMOTIONS
from fer_keras.recognition.drawing import COLORS

MOST_FACES = 6  # with the most frames; more would be too small to read
DARKER = {"happy": "#B8A800", "neutral": "#767676"}  # lines are thin: yellow and light grey vanish on white


def timeline(name, faces):
    """Return a `Figure` with one row for each face: its seven probabilities over the time of the video.

    Args:
        name: of the video.
        faces: iterable of (seconds, `Face` with a track).
    """
    tracks = collections.defaultdict(list)
    for time, face in faces:
        tracks[face.track].append((time, face.probabilities))
    shown = sorted(sorted(tracks, key=lambda number: -len(tracks[number]))[:MOST_FACES])
    with matplotlib.style.context(["default", STYLE]):
        figure = Figure(figsize=(11, 1 + 2.2 * max(len(shown), 1)), layout="constrained")
        FigureCanvasAgg(figure)
        grid = figure.subplots(max(len(shown), 1), squeeze=False, sharex=True)[:, 0]
        for axes, number in zip(grid, shown, strict=False):
            draw(axes, number, tracks[number])
        grid[-1].set_xlabel("time, seconds")
        hidden = f" ({len(tracks) - len(shown)} more are not drawn)" if len(tracks) > len(shown) else ""
        figure.suptitle(
            f"{name}: {len(tracks) or 'no'} face{'' if len(tracks) == 1 else 's'}{hidden}", x=0.01, ha="left"
        )
        if shown:
            figure.legend(*grid[0].get_legend_handles_labels(), loc="outside right upper")
    return figure


def draw(axes, number, points):
    times = [time for time, _ in points]
    for name in EMOTIONS:
        values = [probabilities[name] for _, probabilities in points]
        axes.plot(
            times,
            values,
            label=name,
            color=DARKER.get(name, COLORS[name]),
            marker="." if len(times) < 40 else None,
        )
    axes.set(ylim=(0, 1), title=f"face {number}")
    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1))

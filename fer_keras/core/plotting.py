"""The style of every plot, and how plots are written."""

import pathlib
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import matplotlib.style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from fer_keras.core.files import StrPath, writing

# Blue and vermilion of Okabe and Ito's palette, distinguishable for colour-blind readers and in grey.
TRAIN, VALIDATION, QUIET = "#0072B2", "#D55E00", "#767676"
STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": QUIET,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": "medium",
    "figure.dpi": 150,
    "figure.titlesize": "large",
    "figure.titleweight": "bold",
    "grid.color": "#E4E4E4",
    "legend.frameon": False,
    "lines.markersize": 4,
    "xtick.color": "#404040",
    "ytick.color": "#404040",
}


# A function that returns a `Figure`, and its arguments.
Drawing: TypeAlias = tuple[Callable[..., Figure], *tuple[Any, ...]]


def write(name: str, drawings: Mapping[str, Drawing], folder: StrPath) -> dict[str, pathlib.Path]:
    """Draw pictures of `name` in the project's style, as PNG files in `folder`.

    Args:
        name: of what they show, for their titles.
        drawings: {title: `Drawing`}.
        folder: `str` or `Path`.

    Returns:
        {title: `Path`}.
    """
    paths = {title: pathlib.Path(folder) / file_name(title) for title in drawings}
    with matplotlib.style.context(["default", STYLE]):
        for title, (function, *arguments) in drawings.items():
            picture = function(*arguments)
            picture.suptitle(f"{name}: {title}", x=0.01, ha="left")
            _save(picture, paths[title])
    return paths


def file_name(title: str) -> str:
    """Return the file name of a picture: "Loss Progress" gives "loss_progress.png"."""
    return title.lower().replace(" ", "_").replace("-", "_") + ".png"


def new_figure(columns: int = 1, width: float | None = None, height: float = 4.6) -> tuple[Figure, Any]:
    """Return a `Figure` of that size in inches and its axes, one for each column."""
    figure = Figure(figsize=(width or 3 + 5 * columns, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, columns)


def _save(figure: Figure, path: pathlib.Path) -> None:
    with writing(path) as temporary:
        figure.savefig(temporary, metadata={"Software": None})

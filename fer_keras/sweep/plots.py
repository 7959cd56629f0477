"""Plots of a sweep: history, importance of the settings, parallel coordinates of the trials."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
import optuna
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from optuna.distributions import BaseDistribution, CategoricalDistribution

from fer_keras.core.files import StrPath
from fer_keras.core.plotting import QUIET, TRAIN, VALIDATION, Drawing, new_figure, write

FEWEST = 4  # completed trials needed for plots of the settings


def draw(result: dict[str, Any], study: optuna.Study, folder: StrPath) -> dict[str, pathlib.Path]:
    """Write the plots of a sweep into `folder` as PNG; plots with too few trials are omitted.

    Args:
        result: `dict`, see `fer_keras.sweep.results.result`.
        study: the sweep's `optuna.Study`.
        folder: `str` or `Path`.

    Returns:
        {title: `Path`}, such as {"Sweep History": folder/sweep_history.png}.
    """
    rows = [row for row in result["trials"] if row["value"] is not None]
    complete = [row for row in rows if row["state"] == "complete"]
    drawings: dict[str, Drawing] = {}
    if rows:
        drawings["Sweep History"] = (history, rows, result["metric"], result["goal"])
    if len(complete) >= FEWEST and len({row["value"] for row in complete}) > 1:
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        importances = optuna.importance.get_param_importances(study, evaluator=evaluator)
        distributions = next(trial for trial in study.get_trials(deepcopy=False) if trial.params).distributions
        drawings["Parameter Importance"] = (importance, importances, result["metric"])
        drawings["Parallel Coordinates"] = (parallel, complete, distributions, result["metric"], result["goal"])
    return write(result["sweep"], drawings, folder)


def history(rows: Sequence[Mapping[str, Any]], metric: str, goal: str) -> Figure:
    """Return a `Figure` of each trial's value, hollow if stopped early, and of the best so far."""
    figure, axes = new_figure(width=8)
    complete = [row for row in rows if row["state"] == "complete"]
    others = [row for row in rows if row["state"] != "complete"]
    for group, face, color, label in (
        (complete, TRAIN, TRAIN, "complete"),
        (others, "none", QUIET, "stopped early"),
    ):
        x, y = [row["trial"] for row in group], [row["value"] for row in group]
        axes.scatter(x, y, facecolors=face, edgecolors=color, label=label)
    if complete:
        best = np.maximum if goal == "maximize" else np.minimum
        values = best.accumulate([row["value"] for row in complete])
        axes.step([row["trial"] for row in complete], values, where="post", color=VALIDATION, label="best so far")
    axes.set(xlabel="trial", ylabel=f"{metric} in the last epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def importance(importances: Mapping[str, float], metric: str) -> Figure:
    """Return a `Figure` of how much of the values' variance each setting explains (fANOVA, Hutter et al. 2014).

    Args:
        importances: {setting: share}, whose sum is 1.
        metric: name of the values.
    """
    figure, axes = new_figure(width=8, height=1.6 + 0.4 * len(importances))
    bars = axes.barh(list(importances)[::-1], list(importances.values())[::-1], color=TRAIN)
    axes.bar_label(bars, fmt=lambda share: f"{100 * share:.0f} %", padding=3)
    axes.set(xlabel=f"share in the variance of {metric}", xlim=(0, 1.1 * max(importances.values())))
    axes.xaxis.set_major_formatter(PercentFormatter(xmax=1))
    axes.grid(False, axis="y")
    return figure


def parallel(
    rows: Sequence[Mapping[str, Any]], distributions: Mapping[str, BaseDistribution], metric: str, goal: str
) -> Figure:
    """Return a `Figure` with an axis per setting and a line per trial; better trials are lighter."""
    scales = {key: _scale([row["settings"][key] for row in rows], kind) for key, kind in distributions.items()}
    values = np.array([row["value"] for row in rows])
    heights = np.array([places for places, _ in scales.values()] + [_unit(values)]).T  # (trials, axes)
    figure, axes = new_figure(width=2 + 1.6 * heights.shape[1], height=5)
    places = range(heights.shape[1])
    colors = matplotlib.colormaps["viridis"](heights[:, -1] if goal == "maximize" else 1 - heights[:, -1])
    order = np.argsort(values if goal == "maximize" else -values, kind="stable")
    for row in order:
        last = row == order[-1]
        axes.plot(places, heights[row], color=VALIDATION if last else colors[row], linewidth=3 if last else 1.2)
    ticks: list[list[tuple[float, str]]] = [
        *(ticks for _, ticks in scales.values()),
        [(0, f"{values.min():.4g}"), (1, f"{values.max():.4g}")],
    ]
    for place, marks in zip(places, ticks, strict=True):
        axes.axvline(place, color=QUIET, linewidth=1)
        for height, text in marks:
            axes.annotate(text, (place, height), (4, 4), textcoords="offset points", fontsize="small")
    axes.set_xticks(places, [*(key.replace(".", ".\n") for key in distributions), metric])
    axes.set_yticks([])
    axes.set_ylim(-0.05, 1.1)
    axes.grid(False)
    axes.spines[["left", "bottom"]].set_visible(False)
    return figure


def _scale(values: Sequence[Any], distribution: Any) -> tuple[np.ndarray, list[tuple[float, str]]]:
    """Return the heights of `values` in [0, 1], and the marks [(height, text)] of their axis."""
    if isinstance(distribution, CategoricalDistribution):
        last = max(len(distribution.choices) - 1, 1)
        marks = [(place / last, str(choice)) for place, choice in enumerate(distribution.choices)]
        return np.array([distribution.choices.index(value) / last for value in values]), marks
    ends = [distribution.low, distribution.high]
    numbers = np.log([*ends, *values]) if distribution.log else np.array([*ends, *values], "float64")
    return _unit(numbers)[2:], [(0, f"{ends[0]:g}"), (1, f"{ends[1]:g}")]


def _unit(numbers: np.ndarray) -> np.ndarray:
    return (numbers - numbers.min()) / (np.ptp(numbers) or 1)

"""Plots of a run's record, without a display; equal records give equal files."""

import pathlib
from collections.abc import Sequence
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from fer_keras.core.files import StrPath
from fer_keras.core.plotting import QUIET, TRAIN, VALIDATION, Drawing, new_figure, write
from fer_keras.data import EMOTIONS
from fer_keras.evaluation import chance_loss, zero_loss

MOST_MARKED = 40  # epochs; more markers would hide the curve


def draw(record: dict[str, Any], folder: StrPath) -> dict[str, pathlib.Path]:
    """Write the plots of `record` into `folder` as PNG; plots without data in the record are omitted.

    Args:
        record: `dict` as `fer_keras.runs.records.read` returns it.
        folder: `str` or `Path`.

    Returns:
        {name in the study: `Path`}, such as {"Loss Progress": folder/loss_progress.png}.
    """
    name = record["experiment"]["name"] + (" (synthetic faces)" if record["data"]["synthetic"] else "")
    history, overfit, scores = record["history"], record["overfit"], record["scores"]
    names = record["data"].get("class_names", EMOTIONS)
    drawings: dict[str, Drawing] = {}
    if history:
        drawings["Loss Progress"] = (loss_progress, history)
        drawings["Accuracy Progress"] = (accuracy_progress, history)
        drawings["Gradient-to-Weight Ratio over time"] = (gradient_ratio, history)
        drawings["Training Curve"] = (training_curve, history)
    if overfit:
        drawings["Overfit Training Curve"] = (overfit_curve, overfit, len(names))
    if scores:
        drawings["Confusion Matrix Curve"] = (confusion, scores, names)
    return write(name, drawings, folder)


def loss_progress(history: list[dict[str, Any]]) -> Figure:
    """Return a `Figure` of the training and validation loss by epoch; `history` is a list of epoch rows."""
    figure, axes = new_figure()
    _loss(axes, history)
    return figure


def accuracy_progress(history: list[dict[str, Any]]) -> Figure:
    """Return a `Figure` of the training and validation accuracy by epoch."""
    figure, axes = new_figure()
    _accuracy(axes, history)
    return figure


def training_curve(history: list[dict[str, Any]]) -> Figure:
    """Return a `Figure` with loss and accuracy side by side, the best epoch and the last generalization gap."""
    figure, (left, right) = new_figure(columns=2)
    _loss(left, history)
    _accuracy(right, history)
    validation = _column(history, "val_acc")
    if np.isfinite(validation).any():
        best = int(np.nanargmax(validation))
        generalization_gap = 100 * (_column(history, "train_acc")[-1] - validation[-1])
        right.plot(history[best]["epoch"], validation[best], "o", mfc="none", color=VALIDATION, markersize=12)
        right.set_title(
            f"best validation {100 * validation[best]:.1f} % in epoch {history[best]['epoch']}, "
            f"last generalization gap {generalization_gap:+.1f} points"
        )
    return figure


def gradient_ratio(history: list[dict[str, Any]]) -> Figure:
    """Return a `Figure` of `grad_ratio`, total and by layer, first layers darker; logarithmic axis."""
    figure, axes = new_figure(width=10)
    layers = [key for key in history[0] if key.startswith("grad_ratio/")]
    colors = matplotlib.colormaps["viridis"](np.linspace(0, 0.92, max(len(layers), 1)))
    for key, color in zip(layers, colors, strict=False):
        _curve(axes, history, key, key.partition("/")[2], color=color, linewidth=1.2)
    _curve(axes, history, "grad_ratio", "all layers together", color="black", linewidth=2.4)
    axes.set(xlabel="epoch", ylabel="gradient norm, % of the weights' norm")
    if np.nanmax(_column(history, "grad_ratio"), initial=0) > 0:  # a logarithmic axis needs positive values
        axes.set_yscale("log")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize="small", ncols=1 + len(layers) // 20)
    return figure


def overfit_curve(overfit: dict[str, Any], num_classes: int) -> Figure:
    """Return a `Figure` of the overfit check; `overfit` is the result of `overfit_verdict` for `num_classes`."""
    chance, zero = chance_loss(num_classes), zero_loss(num_classes)
    figure, axes = new_figure()
    losses = np.array(overfit["losses"], "float64")
    epochs = np.arange(1, len(losses) + 1)
    axes.plot(epochs, losses, color=TRAIN, linewidth=2, label="training loss on one fixed batch")
    axes.axhline(chance, color=QUIET, linestyle="--", label=f"chance, ln {num_classes} = {chance:.2f}")
    axes.axhline(zero, color=QUIET, linestyle=":", label=f"counts as 0: {zero:.3f}")
    if overfit["epochs_to_zero"]:
        axes.axvline(overfit["epochs_to_zero"], color=VALIDATION, label=f"0 in epoch {overfit['epochs_to_zero']}")
    axes.set(xlabel="epoch", ylabel="loss, nats", ylim=(0, None), title=overfit["text"])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.legend()
    return figure


def confusion(scores: dict[str, Any], class_names: Sequence[str] = EMOTIONS) -> Figure:
    """Return a `Figure` of the confusion matrix: counts, and percent of each true class."""
    counts = np.array(scores["confusion"])
    percent = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, (left, right) = new_figure(columns=2, width=13, height=6.2)
    _matrix(left, percent, class_names, [[f"{value:,}" for value in row] for row in counts])
    _matrix(right, percent, class_names, [[f"{value:.1f}" for value in row] for row in percent])
    left.set_title(f"images ({scores['images']:,}; accuracy {100 * scores['accuracy']:.2f} %)")
    right.set_title(f"% of the true class (macro F1 {100 * scores['macro_f1']:.2f} %)")
    return figure


def _matrix(axes: Any, shades: np.ndarray, class_names: Sequence[str], texts: list[list[str]]) -> None:
    axes.imshow(shades, cmap="Blues", vmin=0, vmax=100)
    for (row, column), shade in np.ndenumerate(shades):
        color = "white" if shade > 55 else "black"
        axes.text(column, row, texts[row][column], ha="center", va="center", color=color, fontsize="small")
    names = [f"{code} {name}" for code, name in enumerate(class_names)]
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="predicted", ylabel="true")
    axes.grid(False)


def _loss(axes: Any, history: list[dict[str, Any]]) -> None:
    _curve(axes, history, "train_loss", "training", color=TRAIN)
    _curve(axes, history, "val_loss", "validation", color=VALIDATION)
    axes.set(xlabel="epoch", ylabel="loss, nats")
    axes.legend()


def _accuracy(axes: Any, history: list[dict[str, Any]]) -> None:
    _curve(axes, history, "train_acc", "training", color=TRAIN)
    _curve(axes, history, "val_acc", "validation", color=VALIDATION)
    axes.set(xlabel="epoch", ylabel="accuracy")
    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    axes.legend()


def _curve(axes: Any, history: list[dict[str, Any]], key: str, label: str, **style: Any) -> None:
    style = {"linewidth": 2, "marker": "o" if len(history) <= MOST_MARKED else None} | style
    axes.plot([row["epoch"] for row in history], _column(history, key), label=label, **style)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))


def _column(history: list[dict[str, Any]], key: str) -> np.ndarray:
    """Return the values of `key`; NaN, which interrupts the curve, where a row has none."""
    return np.array([row.get(key) for row in history], "float64")

"""The contact sheet of an audit."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fer_keras.core.files import writing
from fer_keras.data.faces import SIDE, Faces

COLUMNS = 16


def audit_picture(report: dict, faces: Faces, path: str | os.PathLike) -> None:
    """Write a PNG of what `audit(faces)` returned as `report`: counts, samples, conflicts, blanks, agreement.

    Args:
        report: `dict` from `fer_keras.data.audit`.
        faces: the `Faces` it was made of.
        path: `str` or `Path` of the PNG, written whole or not at all.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 13), layout="constrained")
    rows = figure.add_gridspec(4, 2, height_ratios=[2.6, 5.4, 1.6, 1.0])
    figure.suptitle(f"{len(faces):,} images" + (", SYNTHETIC faces" if faces.synthetic else ""))
    draw_counts(figure.add_subplot(rows[0, 0]), report["counts"])
    draw_agreement(figure.add_subplot(rows[0, 1]), report["agreement"])
    draw_samples(figure.add_subplot(rows[1, :]), faces)
    draw_conflicts(figure.add_subplot(rows[2, :]), report["conflicts"], faces)
    draw_blanks(figure.add_subplot(rows[3, :]), report["blank"], report["near_blank"], faces)
    with writing(path) as temporary:
        figure.savefig(temporary, dpi=110)


def draw_counts(axes: Any, counts: Mapping[str, Mapping[str, int]]) -> None:
    width = 0.8 / len(counts)
    names = list(next(iter(counts.values())))
    for i, (usage, classes) in enumerate(counts.items()):
        places = np.arange(len(names)) + (i - (len(counts) - 1) / 2) * width
        bars = axes.bar(places, [classes[name] for name in names], width, label=usage)
        axes.bar_label(bars, fontsize=6, rotation=90, padding=2)
    turned = {"rotation": 90, "fontsize": "small"} if len(names) > 10 else {}
    axes.set_xticks(range(len(names)), names, **turned)
    axes.margins(y=0.18)
    axes.set_title("Images of each class")
    axes.legend()


def draw_agreement(axes: Any, agreement: Mapping[str, Any] | None) -> None:
    axes.set_title("Label = FER+'s choice, fraction of images")
    if agreement is None:
        axes.text(0.5, 0.5, "no FER+ votes", ha="center", va="center", transform=axes.transAxes)
        axes.set_axis_off()
        return
    names = list(agreement["classes"])
    bars = axes.bar(names, list(agreement["classes"].values()))
    axes.bar_label(bars, [f"else {agreement['said_instead'][name]}" for name in names], fontsize=7)
    axes.axhline(agreement["overall"], color="grey", linestyle="--", label=f"overall {agreement['overall']:.3f}")
    axes.set_ylim(0, 1.05)
    axes.legend()


def draw_samples(axes: Any, faces: Faces) -> None:
    rows = [spread(np.flatnonzero(faces.labels == code), COLUMNS) for code in range(len(faces.class_names))]
    axes.imshow(np.concatenate([strip(faces.images, indices) for indices in rows]), cmap="gray", vmin=0, vmax=255)
    axes.set_yticks((np.arange(len(rows)) + 0.5) * SIDE, faces.class_names)
    axes.set_xticks([])
    axes.set_title("Evenly spaced samples of each class")


def draw_conflicts(axes: Any, conflicts: Mapping[str, Any], faces: Faces) -> None:
    groups = conflicts["examples"][:COLUMNS]
    total = conflicts["all"]
    axes.set_title(
        f"Equal images, different labels: {total['groups']:,} groups, {total['images']:,} images; some:"
    )
    indices = [group[0] for group in groups]
    show_strip(axes, faces, indices)
    for i, group in enumerate(groups):
        names = dict.fromkeys(faces.class_names[label] for label in faces.labels[group])
        axes.text((i + 0.5) * SIDE, SIDE * 1.05, "\n".join(names), ha="center", va="top", fontsize=8)


def draw_blanks(axes: Any, blank: Sequence[int], near: Sequence[int], faces: Faces) -> None:
    axes.set_title(f"Blank images: {len(blank):,}, near-blank: {len(near):,}; some, with their rows:")
    indices = [*near[: COLUMNS // 2], *blank][:COLUMNS]
    show_strip(axes, faces, indices)
    for i, row in enumerate(indices):
        axes.text((i + 0.5) * SIDE, SIDE * 1.05, f"{row:,}", ha="center", va="top", fontsize=8)


def spread(rows: np.ndarray, count: int) -> np.ndarray:
    """Return up to `count` of `rows`, evenly spaced."""
    return rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)]


def strip(images: Any, indices: np.ndarray) -> np.ndarray:
    """Return uint8 `(48, 48 * COLUMNS)`: these images side by side, then white."""
    blank = np.full((COLUMNS - len(indices), SIDE, SIDE), 255, np.uint8)
    return np.concatenate([*images[indices][..., 0], *blank], axis=1)


def show_strip(axes: Any, faces: Faces, indices: Sequence[int]) -> None:
    axes.imshow(strip(faces.images, np.asarray(indices, int)), cmap="gray", vmin=0, vmax=255)
    axes.set_axis_off()

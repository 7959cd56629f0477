"""Prediction sets by split conformal prediction: few classes that contain the right one in a given share of cases.

The score of a class is 1 - p (LAC, Sadinle et al. 2019, arXiv:1609.00451), whose sets are the smallest on average.
The share is an average over images like those used for calibration. It does not hold for each class or for other
images.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fer_keras.core.errors import InputError
from fer_keras.model_files.calibration import PERCENTS

LOG = logging.getLogger("fer_keras")


def percent(coverage: float) -> int:
    """Return `coverage`, 0.50 to 0.99 in steps of 0.01, as whole percent.

    Raises:
        InputError: if it is not.
    """
    number = isinstance(coverage, int | float) and not isinstance(coverage, bool)
    value = round(100 * coverage) if number and 0 < coverage < 1 else 0
    if value not in PERCENTS or abs(100 * coverage - value) > 1e-6:
        raise InputError(f"coverage must be from 0.50 to 0.99 in steps of 0.01. Received {coverage!r}.")
    return value


def calibrate(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Return the thresholds of `prediction_set` by coverage.

    Args:
        probabilities: (n, classes) of images that the network was not trained on.
        labels: (n,) class codes.

    Returns:
        `dict` for JSON: `images`, n, and `thresholds`, {"50": float, …, "99": float}: the score of rank
        ceil((n + 1) coverage), None if n is too small.
    """
    found = np.sort(1 - np.asarray(probabilities, "float64")[np.arange(len(labels)), labels])
    ranks = {value: -(-(len(found) + 1) * value // 100) for value in PERCENTS}
    thresholds = {str(k): float(found[rank - 1]) if rank <= len(found) else None for k, rank in ranks.items()}
    return {"images": len(found), "thresholds": thresholds}


def threshold(calibration: Mapping[str, Any] | None, coverage: float, name: str) -> float | None:
    """Return the threshold for `coverage`; None, with a warning, if too few images make every set all classes.

    The rank in `calibrate` is at most n from n = coverage / (1 - coverage), rounded up: 9 images for 0.9.

    Args:
        calibration: as `calibrate` returns it; None for a network that has none.
        coverage: see `percent`.
        name: of the network, for messages.

    Raises:
        InputError: if the network has no calibration, or `coverage` is not valid.
    """
    value = percent(coverage)
    if calibration is None:
        raise InputError(
            f"{name} has no calibration for prediction sets: no images are left that it was not trained on. Leave "
            "coverage out, or use a network made by `fer-keras finetune` or by `fer-keras release` since 0.2.0."
        )
    limit: float | None = calibration["thresholds"][str(value)]
    if limit is None:
        LOG.warning(
            "%s has %d calibration images, but a coverage of %.2f needs %d: every prediction set is all classes.",
            name,
            calibration["images"],
            coverage,
            -(-value // (100 - value)),
        )
    return limit


def in_set(probabilities: np.ndarray, limit: float | None) -> np.ndarray:
    """Return bool (n, classes): the classes in each prediction set, always including the likeliest.

    Args:
        probabilities: (n, classes).
        limit: as `threshold` returns it.
    """
    probabilities = np.asarray(probabilities, "float64")
    if limit is None:
        return np.ones(probabilities.shape, bool)
    return (1 - probabilities <= limit) | (probabilities == probabilities.max(axis=1, keepdims=True))


def prediction_set(probabilities: Mapping[str, float], limit: float | None) -> tuple[str, ...]:
    """Return the names of the classes in the prediction set of one image, the likeliest first.

    Args:
        probabilities: {class name: probability}.
        limit: as `threshold` returns it.
    """
    chosen = in_set(np.array([list(probabilities.values())]), limit)[0]
    names = [name for name, kept in zip(probabilities, chosen, strict=True) if kept]
    return tuple(sorted(names, key=probabilities.__getitem__, reverse=True))


def coverage_figures(
    probabilities: np.ndarray, labels: np.ndarray, calibration: Mapping[str, Any], coverages: Sequence[float]
) -> list[dict[str, Any]]:
    """Return the share that sets cover and their size, for each of `coverages`.

    Each has `coverage`, `covered`, `by_class` (the share covered of each class, None for one without images) and
    the mean `set_size`.

    Args:
        probabilities: (n, classes) of images that were neither trained nor calibrated on.
        labels: (n,) class codes.
        calibration: as `calibrate` returns it.
        coverages: see `percent`.
    """
    figures = []
    for coverage in coverages:
        chosen = in_set(probabilities, calibration["thresholds"][str(percent(coverage))])
        covered, size = chosen[np.arange(len(labels)), labels], float(chosen.sum(axis=1).mean())
        own = [covered[labels == code] for code in range(chosen.shape[1])]
        by_class = [float(found.mean()) if len(found) else None for found in own]
        shares = {"covered": float(covered.mean()), "by_class": by_class}
        figures.append({"coverage": coverage, **shares, "set_size": size})
    return figures

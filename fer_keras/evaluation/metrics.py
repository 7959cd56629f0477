"""Labels and probabilities in, scores out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from fer_keras.core.errors import InputError
from fer_keras.data import EMOTIONS
from fer_keras.inference.outputs import ROUNDING

SMALLEST_PROBABILITY = 1e-7  # bounds the loss of one image by 16.1 nats
CALIBRATION_BINS = 15  # as in Guo et al. 2017
MOST_MISTAKES = 24
CONFIDENCES = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9)


def scores(labels: ArrayLike, probabilities: ArrayLike, leak_free: ArrayLike | None = None) -> dict[str, Any]:
    """Compare predictions with labels.

    Args:
        labels: integers from 0 to below the number of classes, shape (n,), n at least 1.
        probabilities: floats 0..1, shape (n, classes), every row summing to 1.
        leak_free: booleans, shape (n,): False where an exact copy of the image was seen in training.

    Returns:
        `dict` for JSON: `images` (count), `accuracy` (fraction), `loss` (mean cross-entropy, nats), `macro_f1`
        (mean over the classes with images; scikit-learn's also counts a class that is only predicted, as 0),
        `calibration_error` (fraction; expected calibration error of the top class in 15 equal-width bins, Guo et
        al. 2017, arXiv:1706.04599), `recall_x`, `precision_x` and `f1_x` for each class number x (0 for a class
        that is absent or never predicted), `confusion` (a list of counts for each class; rows true, columns
        predicted), `mistakes` (the 24 wrong predictions of the highest probability, the worst first: `dict`s of
        `image`, its place in the split from 0, `label`, `predicted` and `probability`). With `leak_free` also
        `leak_free_images` and `leak_free_accuracy` (`None` without images).

    Raises:
        InputError: if a shape, a label or a probability is not as above.
    """
    true, shares = _checked(labels, probabilities)
    predicted = shares.argmax(axis=1)
    right = predicted == true
    true_class = np.clip(shares[np.arange(len(true)), true], SMALLEST_PROBABILITY, 1)
    classes = range(shares.shape[1])
    precision, recall, f1, _ = precision_recall_fscore_support(true, predicted, labels=classes, zero_division=0)
    result: dict[str, Any] = {
        "images": len(true),
        "accuracy": float(right.mean()),
        "loss": float(-np.log(true_class).mean()),
        "macro_f1": float(f1[np.unique(true)].mean()),
        "calibration_error": _calibration_error(shares.max(axis=1), right),
    }
    for name, values in (("recall", recall), ("precision", precision), ("f1", f1)):
        result |= {f"{name}_{code}": float(value) for code, value in enumerate(values)}
    result["confusion"] = confusion_matrix(true, predicted, labels=classes).tolist()
    result["mistakes"] = _mistakes(true, predicted, shares.max(axis=1))
    if leak_free is not None:
        mask = _checked_mask(leak_free, len(true))
        result["leak_free_images"] = int(mask.sum())
        result["leak_free_accuracy"] = float(right[mask].mean()) if mask.any() else None
    return result


def risk_coverage(labels: ArrayLike, probabilities: ArrayLike) -> list[dict[str, float | None]]:
    """Return how accuracy grows as a classifier abstains below a confidence (El-Yaniv & Wiener 2010, JMLR 11).

    Args:
        labels, probabilities: as for `scores`.

    Returns:
        For each minimum confidence 0, 0.5, 0.6, 0.7, 0.8 and 0.9: `min_confidence`, the share `answered` of
        images whose highest probability reaches it, and their `accuracy` (`None` if there are none).
    """
    true, shares = _checked(labels, probabilities)
    confidence, right = shares.max(axis=1), shares.argmax(axis=1) == true
    rows: list[dict[str, float | None]] = []
    for least in CONFIDENCES:
        answered = confidence >= least
        accuracy = float(right[answered].mean()) if answered.any() else None
        rows.append({"min_confidence": least, "answered": float(answered.mean()), "accuracy": accuracy})
    return rows


def risk_coverage_table(rows: Iterable[Mapping[str, float | None]]) -> str:
    """Return the rows of `risk_coverage` as a Markdown table of errors, without those that answer nothing."""
    lines = [
        f"| {row['min_confidence']:.1f} | {row['answered']:.3f} | {1 - row['accuracy']:.3f} |"
        for row in rows
        if row["accuracy"] is not None
    ]
    return "\n".join(["| confidence from | answered | wrong of these |", "|---|---|---|", *lines])


def table(result: dict[str, Any], class_names: Sequence[str] = EMOTIONS) -> str:
    """Return the figures of `scores` as text: the totals, then a line for every class by number and name."""
    totals = [
        ("images", f"{result['images']:,}"),
        ("accuracy", f"{result['accuracy']:.4f}"),
        ("loss", f"{result['loss']:.4f}"),
        ("macro F1", f"{result['macro_f1']:.4f}"),
        ("calibration error", f"{result['calibration_error']:.4f}"),
    ]
    if result.get("leak_free_accuracy") is not None:
        figure = f"{result['leak_free_accuracy']:.4f} of {result['leak_free_images']:,} images"
        totals.append(("leak-free accuracy", figure))
    absent = [name for name, row in zip(class_names, result["confusion"], strict=True) if not sum(row)]
    if absent:
        totals.append(("no images", f"{', '.join(absent)}; not part of macro F1"))
    lines = [f"{name:<20}{value}" for name, value in totals]
    width = max(12, *(len(f"{code} {name}") + 2 for code, name in enumerate(class_names)))
    lines += ["", f"{'class':<{width}}{'images':>8}{'recall':>11}{'precision':>11}{'F1':>11}"]
    for code, name in enumerate(class_names):
        figures = (result[f"{kind}_{code}"] for kind in ("recall", "precision", "f1"))
        images = sum(result["confusion"][code])
        lines.append(
            f"{f'{code} {name}':<{width}}{images:>8,}" + "".join(f"{figure:>11.4f}" for figure in figures)
        )
    return "\n".join(lines)


def _mistakes(labels: np.ndarray, predicted: np.ndarray, confidence: np.ndarray) -> list[dict[str, Any]]:
    wrong = np.flatnonzero(predicted != labels)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:MOST_MISTAKES]
    return [
        {
            "image": int(i),
            "label": int(labels[i]),
            "predicted": int(predicted[i]),
            "probability": float(confidence[i]),
        }
        for i in worst
    ]


def _calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    bins = np.clip(np.ceil(confidence * CALIBRATION_BINS).astype(int) - 1, 0, CALIBRATION_BINS - 1)
    gaps = np.bincount(bins, confidence - right, minlength=CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(right))


def _checked(labels: Any, probabilities: Any) -> tuple[np.ndarray, np.ndarray]:
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, "float64")
    count = probabilities.shape[-1] if probabilities.ndim == 2 else len(EMOTIONS)
    if labels.ndim != 1 or not len(labels) or labels.dtype.kind not in "iu":
        raise InputError(
            f"Labels must be a list of at least one integer. Received shape {labels.shape}, {labels.dtype}."
        )
    if probabilities.shape != (len(labels), count):
        raise InputError(
            f"Probabilities must have shape ({len(labels)}, {count}), a row for every label and a column for "
            f"every class. Received shape {probabilities.shape}."
        )
    _refuse(
        (labels < 0) | (labels >= count),
        labels,
        f"Labels must be 0..{count - 1}; unlabelled images cannot be evaluated",
    )
    outside = ~((probabilities >= 0) & (probabilities <= 1 + ROUNDING)).all(axis=1)
    _refuse(outside, probabilities, "Probabilities must lie in 0..1; a model that returns logits needs a softmax")
    total = probabilities.sum(axis=1)
    _refuse(abs(total - 1) > ROUNDING, total, "The probabilities of an image must sum to 1; apply softmax once")
    return labels, probabilities


def _refuse(wrong: np.ndarray, values: np.ndarray, expectation: str) -> None:
    if wrong.any():
        index = int(wrong.argmax())
        raise InputError(f"{expectation}. Received {values[index].tolist()} for image {index} (counted from 0).")


def _checked_mask(mask: Any, count: int) -> np.ndarray:
    mask = np.asarray(mask)
    if mask.shape != (count,) or mask.dtype != bool:
        raise InputError(f"leak_free must be {count} booleans. Received shape {mask.shape}, {mask.dtype}.")
    return mask

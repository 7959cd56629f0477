"""Labels and probabilities in, scores out."""

import math

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from fer_keras.core.errors import InputError
from fer_keras.data import EMOTIONS

SMALLEST_PROBABILITY = 1e-7  # keeps the loss of a certain mistake finite: at most 16.1 nats
CALIBRATION_BINS = 15  # as in Guo et al. 2017
MOST_MISTAKES = 24
ROUNDING = 1e-2  # how far a row's sum may be from 1: bfloat16 has 8 bits

CHANCE_LOSS = math.log(len(EMOTIONS))  # of equal probabilities, 1.946 nats
ZERO_LOSS = 0.05 * CHANCE_LOSS  # what counts as "down to 0": 5 % of chance is left
AT_ONCE_EPOCHS = 20  # the study says "almost at once"; halfway to its first good epoch is ours
WELL_EPOCHS = 80  # the study's good results took 40 to 60 epochs; twice the lower end is ours
BARELY_DOWN = 0.5  # the study says "barely down"; more than half of the first loss left is ours


def scores(labels, probabilities, leak_free=None):
    """Judge predictions.

    Args:
        labels: integers 0..6, shape (n,), n at least 1.
        probabilities: floats 0..1, shape (n, 7), every row summing to 1.
        leak_free: booleans, shape (n,): False where an exact copy of the image was seen in training.

    Returns:
        JSON-able `dict`: `images` (count), `accuracy` (fraction), `loss` (mean cross-entropy, nats), `macro_f1`
        (mean over all 7 classes), `calibration_error` (fraction; expected calibration error of the top class in 15
        equal-width bins, Guo et al. 2017, arXiv:1706.04599), `recall_x`, `precision_x` and `f1_x` for x = 0..6 (0
        for a class that is absent or never predicted), `confusion` (7 lists of 7 counts; rows true, columns
        predicted), `mistakes` (the 24 wrong predictions of the highest probability, the worst first: `dict`s of
        `image`, its place in the split from 0, `label`, `predicted` and `probability`), and with `leak_free` also
        `leak_free_images` and `leak_free_accuracy` (`None` without images).

    Raises:
        InputError: if a shape, a label or a probability is not as above.
    """
    labels, probabilities = _checked(labels, probabilities)
    predicted = probabilities.argmax(axis=1)
    right = predicted == labels
    true_class = np.clip(probabilities[np.arange(len(labels)), labels], SMALLEST_PROBABILITY, 1)
    classes = range(len(EMOTIONS))
    precision, recall, f1, _ = precision_recall_fscore_support(labels, predicted, labels=classes, zero_division=0)
    result = {
        "images": len(labels),
        "accuracy": float(right.mean()),
        "loss": float(-np.log(true_class).mean()),
        "macro_f1": float(f1.mean()),
        "calibration_error": _calibration_error(probabilities.max(axis=1), right),
    }
    for name, values in (("recall", recall), ("precision", precision), ("f1", f1)):
        result |= {f"{name}_{code}": float(value) for code, value in enumerate(values)}
    result["confusion"] = confusion_matrix(labels, predicted, labels=classes).tolist()
    result["mistakes"] = _mistakes(labels, predicted, probabilities.max(axis=1))
    if leak_free is not None:
        mask = _checked_mask(leak_free, len(labels))
        result["leak_free_images"] = int(mask.sum())
        result["leak_free_accuracy"] = float(right[mask].mean()) if mask.any() else None
    return result


def table(result):
    """Return the figures of `scores` as text: the totals, then a line for every class by code and name."""
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
    lines = [f"{name:<20}{value}" for name, value in totals]
    lines += ["", f"{'class':<12}{'images':>8}{'recall':>11}{'precision':>11}{'F1':>11}"]
    for code, name in enumerate(EMOTIONS):
        figures = (result[f"{kind}_{code}"] for kind in ("recall", "precision", "f1"))
        images = sum(result["confusion"][code])
        lines.append(f"{code} {name:<10}{images:>8,}" + "".join(f"{figure:>11.4f}" for figure in figures))
    return "\n".join(lines)


def overfit_verdict(losses):
    """Judge the overfit check: how fast the training loss on one small fixed subset goes down to 0.

    Args:
        losses: training loss (nats) of each epoch, at least one.

    Returns:
        `dict`: `verdict` ("overfits at once", "learns well", "learns slowly" or "gradients do not flow"),
        `epochs_to_zero` (first epoch, from 1, whose loss is below `ZERO_LOSS`, or `None`), `first_loss` and
        `last_loss` (`None` if not finite), `text` (one sentence with the figures), `losses` (as given).
    """
    first, last = float(losses[0]), float(losses[-1])
    epochs = next((epoch for epoch, loss in enumerate(losses, 1) if loss < ZERO_LOSS), None)
    verdict = _verdict(epochs, first, last)
    down = f"to {last:.3f} in {len(losses)}" if epochs is None else f"to below {ZERO_LOSS:.3f} in {epochs}"
    return {
        "verdict": verdict,
        "epochs_to_zero": epochs,
        "first_loss": first if math.isfinite(first) else None,
        "last_loss": last if math.isfinite(last) else None,
        "text": f"{verdict.capitalize()}: training loss on one fixed batch from {first:.3f} {down} epochs.",
        "losses": list(losses),
    }


def _verdict(epochs_to_zero, first, last):
    if epochs_to_zero is None:
        return "learns slowly" if last < BARELY_DOWN * first else "gradients do not flow"
    if epochs_to_zero <= AT_ONCE_EPOCHS:
        return "overfits at once"
    return "learns well" if epochs_to_zero <= WELL_EPOCHS else "learns slowly"


def _mistakes(labels, predicted, confidence):
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


def _calibration_error(confidence, right):
    bins = np.clip(np.ceil(confidence * CALIBRATION_BINS).astype(int) - 1, 0, CALIBRATION_BINS - 1)
    gaps = np.bincount(bins, confidence - right, minlength=CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(right))


def _checked(labels, probabilities):
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, "float64")
    count = len(EMOTIONS)
    if labels.ndim != 1 or not len(labels) or labels.dtype.kind not in "iu":
        raise InputError(
            f"Labels must be a list of at least one integer. Received shape {labels.shape}, {labels.dtype}."
        )
    if probabilities.shape != (len(labels), count):
        raise InputError(
            f"Probabilities must have shape ({len(labels)}, {count}), a row for every label and a column for "
            f"every class. Received shape {probabilities.shape}."
        )
    _refuse((labels < 0) | (labels >= count), labels, "Labels must be 0..6; unlabelled images cannot be judged")
    outside = ~((probabilities >= 0) & (probabilities <= 1 + ROUNDING)).all(axis=1)
    _refuse(outside, probabilities, "Probabilities must lie in 0..1; a model that returns logits needs a softmax")
    total = probabilities.sum(axis=1)
    _refuse(abs(total - 1) > ROUNDING, total, "The probabilities of an image must sum to 1; apply softmax once")
    return labels, probabilities


def _refuse(wrong, values, expectation):
    if wrong.any():
        index = int(wrong.argmax())
        raise InputError(f"{expectation}. Received {values[index].tolist()} for image {index} (counted from 0).")


def _checked_mask(mask, count):
    mask = np.asarray(mask)
    if mask.shape != (count,) or mask.dtype != bool:
        raise InputError(f"leak_free must be {count} booleans. Received shape {mask.shape}, {mask.dtype}.")
    return mask

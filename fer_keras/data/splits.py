"""Training, validation and test splits; random splits keep exact copies on one side."""

import logging
from collections.abc import Mapping

import numpy as np

from fer_keras.core.errors import InputError
from fer_keras.data.aliases import PRIVATE, PUBLIC, TRAINING
from fer_keras.data.faces import USAGES, Faces, fingerprints
from fer_keras.data.rows import select

log = logging.getLogger("fer_keras")


def split(faces: Faces, seed: int = 0, *, merged: bool = False) -> dict[str, Faces]:
    """Return `{"train": Faces, "validation": Faces, "test": Faces}`; unlabelled images are in none of them.

    - Training, PublicTest and PrivateTest: the official split; validation is PublicTest, test is PrivateTest.
    - Training and one labelled test usage: that is test, validation is a stratified tenth of Training.
    - Otherwise all images are split 80/10/10, stratified.

    Random splits keep exact duplicates on one side; an official split is not changed (see `leak_free`). A warning
    says if they mix images of a validation or test split with others.

    Args:
        faces: `Faces`.
        seed: of random splits. Equal data and seed give equal splits.
        merged: for final training: add half of the validation images to `"train"` and return the others, without
            duplicates and exact copies of training images, as `"calibration"` instead of `"validation"`.

    Raises:
        InputError: if a split would be empty.
    """
    labelled = faces.labels >= 0
    codes = set(np.unique(faces.usages[labelled]).tolist())
    rows = {code: np.flatnonzero(labelled & (faces.usages == code)) for code in codes}
    if {TRAINING, PUBLIC, PRIVATE} <= codes:
        train, validation, test = rows[TRAINING], rows[PUBLIC], rows[PRIVATE]
    elif TRAINING in codes and len(codes - {-1}) == 2:
        train, validation = draw(faces, rows[TRAINING], seed, 1)
        test = rows[max(codes)]
    else:
        warn_mixed(faces, codes)
        train, validation, test = draw(faces, np.flatnonzero(labelled), seed, 2)
    parts = {"train": train, "validation": validation, "test": test}
    if merged:
        more, calibration = _halves(faces, train, validation, seed)
        parts = {"train": np.sort(np.concatenate([train, more])), "calibration": calibration, "test": test}
    empty = [name for name, indices in parts.items() if not len(indices)]
    if empty:
        counts = ", ".join(
            f"{len(rows[code]):,} {USAGES[code] if code >= 0 else 'unknown'}" for code in sorted(codes)
        )
        raise InputError(
            f"{faces.source} is too small to split: no images are left for {' and '.join(empty)}. It has "
            f"{counts or 'no'} labelled images; give at least 20 different ones."
        )
    return {name: faces.take(indices) for name, indices in parts.items()}


def warn_mixed(faces: Faces, codes: set[int]) -> None:
    """Log a warning if a random split ignores that images belong to a validation or test split.

    Args:
        faces: `Faces`.
        codes: of their usages.
    """
    tests = [USAGES[code] for code in sorted(codes - {-1, TRAINING})]
    if tests:
        log.warning(
            "%s has images of %s, but not all splits of a data set (train and test, or train, val and "
            "test): all are split at random.",
            faces.source,
            " and ".join(tests),
        )


def draw(faces: Faces, rows: np.ndarray, seed: int, parts: int) -> list[np.ndarray]:
    """Return `rows` as 1 + `parts` sorted index arrays: the rest, and a stratified tenth for each part.

    Different images are ordered by label, at random within each label, and every tenth goes to one part. So each
    class contributes a tenth to within one image, and a class with a single image stays in the rest.
    """
    turns, first, group = _turns(faces, rows, seed)
    labels = faces.labels[rows][first]
    side = turns % 10
    side[np.bincount(labels)[labels] == 1] = -1
    tenths = [3, 7][:parts]
    side = side[group]
    return [rows[~np.isin(side, tenths)], *(rows[side == tenth] for tenth in tenths)]


def _turns(faces: Faces, rows: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the position of each different image, ordered by label and at random within each label.

    Also return the index in `rows` of the first copy of each image, and the image number of each of `rows`.
    """
    _, first, group = np.unique(fingerprints(select(faces.images, rows)), return_index=True, return_inverse=True)
    labels = faces.labels[rows][first]
    order = np.lexsort((np.random.default_rng(seed).permutation(len(labels)), labels))
    turns = np.empty(len(labels), int)
    turns[order] = np.arange(len(labels))
    return turns, first, group


def _halves(faces: Faces, train: np.ndarray, validation: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return half of `validation` for training, with its copies, and the rest for calibration, without copies."""
    turns, first, group = _turns(faces, validation, seed)
    held_out = np.isin(np.arange(len(validation)), first) & (turns % 2 == 1)[group]
    held_out[held_out] = leak_free(faces.take(validation[held_out]), faces.take(train))
    return validation[(turns % 2 == 0)[group]], validation[held_out]


def deduplicate(parts: Mapping[str, Faces]) -> tuple[dict[str, Faces], dict[str, int]]:
    """Return `parts` without copies and contradictions among the training images, and the number of these.

    Each image is counted once, for the first reason that applies: `"in_other_splits"`, an exact copy is in another
    split; `"conflicting"`, its exact copies in training have different labels; `"copies"`, it equals an earlier
    image.

    Args:
        parts: as `split` returns them.

    Returns:
        `(parts, counts)`: the same with fewer `"train"` images, and {reason: images}.

    Raises:
        InputError: if no training image is left.
    """
    train, *others = parts.values()
    _, first, group = np.unique(fingerprints(train.images), return_index=True, return_inverse=True)
    classes = len(train.class_names)
    pairs = np.unique(group * classes + train.labels)  # of image and label, each once
    reasons = {
        "in_other_splits": ~leak_free(train, *others),
        "conflicting": (np.bincount(pairs // classes) > 1)[group],
        "copies": ~np.isin(np.arange(len(train)), first),
    }
    kept, counts = np.ones(len(train), bool), {}
    for reason, holds in reasons.items():
        counts[reason] = int((kept & holds).sum())
        kept &= ~holds
    if not kept.any():
        raise InputError(
            f"deduplicate leaves no training image of {train.source}: {counts}. Give other images to train on."
        )
    return {**parts, "train": train.take(kept)}, counts


def leak_free(test: Faces, *seen: Faces) -> np.ndarray:
    """Return bool `(n,)`: False for test images with an exact copy in one of `seen`.

    About 8 % of each official test set of FER-2013 are copies of Training images.
    """
    known = np.concatenate([np.empty(0, np.uint64), *(fingerprints(faces.images) for faces in seen)])
    return ~np.isin(fingerprints(test.images), known)

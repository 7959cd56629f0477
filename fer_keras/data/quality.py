"""Quality checks for problems that make figures on a split unreliable or useless."""

from collections.abc import Iterator, Mapping

import numpy as np

from fer_keras.core.errors import InputError
from fer_keras.data.faces import Faces, fingerprints


def quality_checks(parts: Mapping[str, Faces]) -> list[str]:
    """Return a sentence for each problem that makes figures on a split unreliable.

    These are classes without an image, and images with an exact copy in an earlier split.

    Args:
        parts: {name: `Faces`} as `split` returns it: train, validation, test.

    Raises:
        InputError: if a label is outside the class names, or every image of a split has a copy in an earlier one.
    """
    sentences: list[str] = []
    seen: dict[str, np.ndarray] = {}
    for name, faces in parts.items():
        classes = len(faces.class_names)
        if len(faces) and not (0 <= faces.labels.min() and faces.labels.max() < classes):
            raise InputError(
                f"The {name} split has labels from {faces.labels.min()} to {faces.labels.max()}, expected 0 to "
                f"{classes - 1}."
            )
        sentences += _absent(name, faces)
        seen[name] = fingerprints(faces.images)
        for earlier in list(seen)[:-1]:
            sentences += _copies(name, seen[name], earlier, seen[earlier])
    return sentences


def _absent(name: str, faces: Faces) -> Iterator[str]:
    absent = [word for code, word in enumerate(faces.class_names) if not (faces.labels == code).any()]
    if absent:
        effect = "a model cannot learn it" if name == "train" else "macro F1 leaves it out"
        yield f"The {name} split has no image of {', '.join(absent)}: {effect}."


def _copies(name: str, images: np.ndarray, earlier: str, others: np.ndarray) -> Iterator[str]:
    count = int(np.isin(images, others).sum())
    if count == len(images):
        raise InputError(
            f"Every image of the {name} split is also in the {earlier} split, so its figures would be those of "
            f"images already used. Give other images for {name}."
        )
    if count:
        yield (
            f"{count:,} of {len(images):,} {name} images are exact copies of {earlier} images; the leak-free "
            "figures leave them out."
        )

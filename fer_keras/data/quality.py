"""What makes figures on a split of the data doubtful: told by name, or refused."""

import numpy as np

from fer_keras.core.errors import InputError
from fer_keras.data.faces import EMOTIONS, fingerprints


def quality_checks(parts):
    """Return a sentence for each thing that lets a figure on one of the splits say more than it can.

    These are classes without an image, and images of which an exact copy stands in an earlier split.

    Args:
        parts: {name: `Faces`} as `split` returns it: train, validation, test.

    Raises:
        InputError: if a label is not 0..6, or every image of a split has a copy in an earlier one: then it is that
            split over again.
    """
    sentences, seen = [], {}
    for name, faces in parts.items():
        if len(faces) and not (0 <= faces.labels.min() and faces.labels.max() < len(EMOTIONS)):
            raise InputError(
                f"The {name} split has labels from {faces.labels.min()} to {faces.labels.max()}, expected 0 to "
                f"{len(EMOTIONS) - 1}."
            )
        sentences += _absent(name, faces.labels)
        seen[name] = fingerprints(faces.images)
        for earlier in list(seen)[:-1]:
            sentences += _copies(name, seen[name], earlier, seen[earlier])
    return sentences


def _absent(name, labels):
    absent = [emotion for code, emotion in enumerate(EMOTIONS) if not (labels == code).any()]
    if absent:
        effect = "a model cannot learn it" if name == "train" else "its recall counts as 0 in macro F1"
        yield f"The {name} split has no image of {', '.join(absent)}: {effect}."


def _copies(name, images, earlier, others):
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

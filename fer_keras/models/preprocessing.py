"""Layers between the raw image and the network; they are part of the model that is saved."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers

from fer_keras.backend.keras_defaults import keras_defaults
from fer_keras.core.errors import InputError
from fer_keras.data.rows import chunks
from fer_keras.models.augmentation import Crop, RandomAffine, RandomContrast, RandomErasing, RandomFlip

UNBOUNDED = (-100.0, 100.0)  # pixels are about 0 to 1, or normalized: nothing is clipped
# Each name gives a layer that changes images in training and returns them unchanged at inference; `crop_44` and
# `crop_40` crop in both.
AUGMENTATIONS = {
    "flip": lambda seed: RandomFlip("horizontal", seed=seed, name="flip"),
    "affine": lambda seed: RandomAffine(seed=seed, name="affine"),
    "affine_half": lambda seed: RandomAffine(shift=0.2, chance=0.5, seed=seed, name="affine_half"),
    "affine_strong": lambda seed: RandomAffine(15.0, 0.15, 0.15, seed=seed, name="affine_strong"),
    "contrast": lambda seed: RandomContrast((0.5, 0.5), value_range=UNBOUNDED, seed=seed, name="contrast"),
    "crop_44": lambda seed: Crop(2, seed=seed, name="crop_44"),
    "crop_40": lambda seed: Crop(4, seed=seed, name="crop_40"),
    "train_crop_40": lambda seed: Crop(4, at_inference=False, seed=seed, name="train_crop_40"),
    "erasing": lambda seed: RandomErasing(0.5, (0.02, 0.2), fill_value=0.0, seed=seed, name="erasing"),
}


@keras_defaults()
def preprocessing(
    images: Any, *, normalization: bool, augmentation: Sequence[str], seed: int
) -> list[keras.Layer]:
    """Return the layers to apply, in order, to images of values [0, 255].

    Args:
        images: training images, (n, 48, 48, 1) uint8; the normalization's statistics come from these alone.
        normalization: `True` for `Normalization` with the one mean and variance of all training pixels, `False`
            for division by 255.
        augmentation: names from `AUGMENTATIONS`.
        seed: whole number, of the random layers.

    Raises:
        InputError: if a name is not in `AUGMENTATIONS`.
    """
    unknown = [name for name in augmentation if name not in AUGMENTATIONS]
    if unknown:
        raise InputError(f"Unknown augmentation {unknown[0]!r}. Expected one of: {', '.join(AUGMENTATIONS)}.")
    if normalization:
        mean, variance = _moments(images)
        scaling = layers.Normalization(mean=mean, variance=variance, name="normalization")
    else:
        scaling = layers.Rescaling(1 / 255, name="rescaling")
    return [scaling, *(AUGMENTATIONS[name](seed + i) for i, name in enumerate(augmentation))]


def _moments(images: Any) -> tuple[float, float]:
    """Return the exact mean and variance of all pixels, from their histogram and without a float copy."""
    counts = sum(np.bincount(chunk.ravel(), minlength=256) for chunk in chunks(images))
    mean = np.average(np.arange(256), weights=counts)
    return float(mean), float(np.average((np.arange(256) - mean) ** 2, weights=counts))

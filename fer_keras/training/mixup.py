"""Label smoothing, mixup and CutMix, with random numbers from NumPy."""

import dataclasses
from typing import Any

import numpy as np


def smooth(targets: np.ndarray, share: float) -> np.ndarray:
    """Return `targets` (n, classes) as float32, with `share` of each distribution spread evenly over all classes.

    Szegedy et al. 2016, arXiv:1512.00567, equation for q'(k) in section 7.
    """
    return targets * np.float32(1 - share) + np.float32(share / targets.shape[1])


@dataclasses.dataclass(frozen=True)
class Blend:
    """How mixup or CutMix blends the images of one batch in pairs.

    Attributes:
        partner: (n,) position of each image's partner in the batch.
        share: weight of an image's own pixels, outside the box.
        box: top, bottom, left and right of the pixels taken from the partner, ends excluded.
        target_share: weight of an image's own target.
    """

    partner: np.ndarray
    share: float = 1.0
    box: tuple[int, int, int, int] = (0, 0, 0, 0)
    target_share: float = 1.0


def draw(
    count: int, height: int, width: int, rng: np.random.Generator, *, mixup: float = 0.0, cutmix: float = 0.0
) -> Blend | None:
    """Return the `Blend` of a batch of `count` images, or `None` if neither is above 0.

    Args:
        count: images in the batch.
        height, width: of the images, in pixels.
        rng: `numpy.random.Generator`; the whole batch has one share and one box.
        mixup: alpha of `Beta(alpha, alpha)`, 0 for none (Zhang et al. 2018, arXiv:1710.09412).
        cutmix: alpha for a pasted rectangle (Yun et al. 2019, arXiv:1905.04899). If both are above 0, each has
            probability 1/2.
    """
    if not (mixup or cutmix):
        return None
    partner = rng.permutation(count)
    if not cutmix or (mixup and rng.random() >= 0.5):
        share = float(rng.beta(mixup, mixup))
        return Blend(partner, share, target_share=share)
    share = rng.beta(cutmix, cutmix)
    rows, columns = (round(size * (1 - share) ** 0.5) for size in (height, width))
    top, left = int(rng.integers(height - rows + 1)), int(rng.integers(width - columns + 1))
    box = (top, top + rows, left, left + columns)
    return Blend(partner, box=box, target_share=1 - rows * columns / (height * width))


def mix(
    images: Any, targets: np.ndarray, rng: np.random.Generator, *, mixup: float = 0.0, cutmix: float = 0.0
) -> tuple[Any, np.ndarray]:
    """Return the images and targets of a batch, each blended with those of another image in it.

    Args:
        images: (n, height, width, channels), values [0, 255]; an array or a PyTorch tensor.
        targets: (n, num_classes), rows that sum to 1.
        rng, mixup, cutmix: see `draw`.
    """
    count, height, width = images.shape[:3]
    blend = draw(count, height, width, rng, mixup=mixup, cutmix=cutmix)
    if blend is None:
        return images, targets
    others, share = images[blend.partner], blend.share
    top, bottom, left, right = blend.box
    if share < 1:
        images = share * images + (1 - share) * others
        images = images.astype("float32") if isinstance(images, np.ndarray) else images
    else:
        images = images + 0  # a copy of either kind
        images[:, top:bottom, left:right] = others[:, top:bottom, left:right]
    share = blend.target_share
    return images, (share * targets + (1 - share) * targets[blend.partner]).astype("float32")

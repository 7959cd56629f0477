"""Training images and labels blended: label smoothing, mixup, cutmix. Drawn by a given generator of NumPy."""

import numpy as np


def smooth(labels, num_classes, share):
    """Return one-hot rows (n, num_classes) float32 of which `share` is spread evenly over all classes.

    Szegedy et al. 2016, arXiv:1512.00567, equation for q'(k) in section 7.
    """
    one_hot = np.eye(num_classes, dtype="float32")[labels]
    return one_hot * np.float32(1 - share) + np.float32(share / num_classes)


def mix(images, targets, rng, *, mixup=0.0, cutmix=0.0):
    """Return images and targets of a batch, each blended with those of another image of it.

    Args:
        images: (n, height, width, channels), values [0, 255]; an array, or a tensor of PyTorch.
        targets: (n, num_classes), rows that sum to 1.
        rng: `numpy.random.Generator`; one share and one rectangle is drawn for the whole batch.
        mixup: alpha of `Beta(alpha, alpha)`, 0 for none (Zhang et al. 2018, arXiv:1710.09412).
        cutmix: the same for a pasted rectangle (Yun et al. 2019, arXiv:1905.04899). If both are above 0, a fair
            coin decides between them.
    """
    if not (mixup or cutmix):
        return images, targets
    partner = rng.permutation(len(images))
    if cutmix and (not mixup or rng.random() < 0.5):
        images, share = _pasted(images, images[partner], rng.beta(cutmix, cutmix), rng)
    else:
        share = float(rng.beta(mixup, mixup))
        images = share * images + (1 - share) * images[partner]
        images = images.astype("float32") if isinstance(images, np.ndarray) else images
    return images, (share * targets + (1 - share) * targets[partner]).astype("float32")


def _pasted(images, others, share, rng):
    """Paste a rectangle of about 1 - `share` of the area; return the images and the share that is left of them."""
    height, width = images.shape[1:3]
    rows, columns = (round(size * (1 - share) ** 0.5) for size in (height, width))
    top, left = rng.integers(height - rows + 1), rng.integers(width - columns + 1)
    images = images + 0  # a copy of either kind
    images[:, top : top + rows, left : left + columns] = others[:, top : top + rows, left : left + columns]
    return images, 1 - rows * columns / (height * width)

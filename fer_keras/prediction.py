"""From images to probabilities, with this project's models and with those made elsewhere."""

import keras
import numpy as np
from keras import ops

BATCH_SIZE = 512


def probabilities(model, images, *, flip=False):
    """Return the probability of each emotion.

    Args:
        model: `keras.Model` that takes (height, width, 1 or 3) images and gives logits or probabilities (n, 7).
            It is fed what it expects: images resized, grey repeated over the channels, and values scaled to
            [0, 1] unless it has a `Rescaling` or `Normalization` layer of its own.
        images: (n, 48, 48, 1) uint8, values [0, 255].
        flip: average over each image and its mirror image.

    Returns:
        (n, 7) float32, rows that sum to 1.
    """
    result = _predict(model, images)
    if flip:
        result = (result + _predict(model, images[:, :, ::-1])) / 2
    return result


def _predict(model, images):
    batches = []
    for start in range(0, len(images), BATCH_SIZE):
        batch = fed(model, ops.convert_to_tensor(np.ascontiguousarray(images[start : start + BATCH_SIZE])))
        # A functional model may take a list or a dict of its one input.
        inputs = keras.tree.map_structure(lambda _, batch=batch: batch, getattr(model, "input", batch))
        batches.append(np.asarray(model.predict_on_batch(inputs), dtype="float32"))
    outputs = np.concatenate(batches)
    return outputs if are_probabilities(outputs) else ops.convert_to_numpy(ops.softmax(outputs))


def fed(model, images):
    """Return the float32 tensor that `model` expects of `images`: of its size, its channels and its scale.

    Args:
        model: as for `probabilities`.
        images: tensor (n, 48, 48, 1) of values [0, 255], or the symbol of one in a graph of layers.
    """
    height, width, channels = model.inputs[0].shape[1:]
    x = ops.cast(images, "float32")
    if (height, width) not in ((48, 48), (None, None)):
        x = ops.image.resize(x, (height, width))
    if channels == 3:
        x = ops.concatenate([x, x, x], axis=-1)
    return x if _scales_itself(model) else x / 255


def are_probabilities(outputs):
    """Whether the array (n, 7) holds probabilities; else it holds logits."""
    return outputs.min() >= 0 and np.allclose(outputs.sum(axis=1), 1, atol=1e-2)


def _scales_itself(model):
    return any(
        isinstance(layer, (keras.layers.Rescaling, keras.layers.Normalization))
        for layer in model._flatten_layers()
    )

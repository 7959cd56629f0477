"""A small network whose answers differ, without a training."""

import keras

from fer_keras import models
from fer_keras.model_files import saving


def drawn(path):
    """Write a network of random weights to the `.keras` file `path`; return it."""
    keras.utils.set_random_seed(0)
    scaling = keras.layers.Normalization(mean=129, variance=65**2)
    options = {"filters": (8, 16), "units": (16,), "convolution_normalization": "batch"}
    model = saving.publish(models.build("cnn", options, [scaling]))
    last = [layer for layer in model.layers if layer.get_weights()][-1]
    last.set_weights([10 * weights for weights in last.get_weights()])
    saving.save(model, path)
    return model

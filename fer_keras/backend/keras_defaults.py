"""Keras' own settings, which a user's keras.json may change, as this package needs them."""

import contextlib
from collections.abc import Iterator

import keras

from fer_keras.core.errors import InputError


@contextlib.contextmanager
def keras_defaults() -> Iterator[None]:
    """Build and call layers for images (height, width, channels), whatever the user's keras.json holds.

    Most layers keep the `image_data_format` that is set while they are built. `Rescaling` and the functions of
    `keras.ops.image` read it at every call. The user's own setting is restored afterwards. Also works as a
    decorator.

    Raises:
        InputError: if `floatx` is not float32. Layers that were built before would keep another precision.
    """
    if keras.config.floatx() != "float32":
        raise InputError(
            f"Keras' floatx is {keras.config.floatx()}, expected float32. Change it in ~/.keras/keras.json, or "
            "with keras.config.set_floatx('float32')."
        )
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_last")
    try:
        yield
    finally:
        keras.config.set_image_data_format(before)

"""Random augmentation of training images, equal for one process and for several that share a batch.

Rotation, zoom and shift are one resampling. Keras' layers for them resample three times, and on torch's CPU
backend each of these is slower than a small network.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from fer_keras.backend import distribution
from fer_keras.backend.images import resample
from fer_keras.backend.random import SeedGenerator, WholeBatchRandom


@keras.saving.register_keras_serializable("fer_keras")
class RandomFlip(WholeBatchRandom, layers.RandomFlip):
    """`keras.layers.RandomFlip`."""


@keras.saving.register_keras_serializable("fer_keras")
class RandomErasing(WholeBatchRandom, layers.RandomErasing):
    """`keras.layers.RandomErasing`."""


@keras.saving.register_keras_serializable("fer_keras")
class RandomContrast(WholeBatchRandom, layers.RandomContrast):
    """`keras.layers.RandomContrast`."""


@keras.saving.register_keras_serializable("fer_keras")
class Crop(layers.Layer):
    """Crops each image: at its own random position in training, at the center at inference.

    `keras.layers.RandomCrop` uses one position for the whole batch and does not crop at inference.

    Args:
        margin: half of the pixels that height and width lose; a crop at inference loses `margin` at each side.
        at_inference: `False` to pass whole images at inference. Training on crops costs less, and the network
            sees the face at the same scale in both (compare Touvron et al. 2019, arXiv:1906.06423). The network
            must take images of any size; the static shape of the outputs is that of inference.
        seed: whole number.
    """

    def __init__(self, margin: int, *, at_inference: bool = True, seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.margin, self.at_inference, self.seed = margin, at_inference, seed
        self.seed_generator = SeedGenerator(seed)

    def call(self, images: Any, training: bool = False) -> Any:
        size = images.shape[1] - 2 * self.margin
        if not training and not self.at_inference:
            return images
        if not training:
            middle = slice(self.margin, self.margin + size)
            return images[:, middle, middle]
        count = distribution.whole(ops.shape(images)[0])
        places = keras.random.randint((2, count, 1), 0, 2 * self.margin + 1, seed=self.seed_generator)
        places = places[:, distribution.rows()] + ops.arange(size)  # rows and columns of each image
        images = ops.take_along_axis(images, places[0][:, :, None, None], axis=1)
        return ops.take_along_axis(images, places[1][:, None, :, None], axis=2)

    def middle(self) -> keras.Layer:
        """Return the Keras layer that does the same at inference."""
        return layers.Cropping2D(self.margin, name=self.name)

    def compute_output_shape(self, input_shape: Sequence[Any]) -> tuple[Any, ...]:
        if not self.at_inference:
            return tuple(input_shape)
        size = input_shape[1] - 2 * self.margin
        return (input_shape[0], size, size, input_shape[3])

    def get_config(self) -> dict[str, Any]:
        own = {"margin": self.margin, "at_inference": self.at_inference, "seed": self.seed}
        return super().get_config() | own


@keras.saving.register_keras_serializable("fer_keras")
class RandomAffine(layers.Layer):
    """Rotates, zooms and shifts each image by its own random amounts, in training only.

    Pixels outside the image repeat its border. Computes in float32: bfloat16 cannot resolve pixel positions.

    Args:
        degrees: largest rotation in either direction.
        zoom: largest change of size, as a fraction, equal for height and width.
        shift: largest shift along each axis, as a fraction of the size.
        chance: probability of rotating an image, and independently of shifting it.
        seed: whole number.
    """

    def __init__(
        self,
        degrees: float = 10.0,
        zoom: float = 0.1,
        shift: float = 0.1,
        *,
        chance: float = 1.0,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**{"dtype": "float32"} | options)
        self.degrees, self.zoom, self.shift, self.chance, self.seed = degrees, zoom, shift, chance, seed
        self.seed_generator = SeedGenerator(seed)

    def call(self, images: Any, training: bool = False) -> Any:
        if not training:
            return images
        count = distribution.whole(ops.shape(images)[0])
        amounts = keras.random.uniform((4, count), -1.0, 1.0, seed=self.seed_generator)
        amounts = amounts[:, distribution.rows()]
        angle, scale = amounts[0] * math.radians(self.degrees), 1 + amounts[1] * self.zoom
        shift = amounts[2:] * self.shift
        if self.chance < 1:
            chosen = keras.random.uniform((2, count), seed=self.seed_generator) < self.chance
            chosen = ops.cast(chosen[:, distribution.rows()], "float32")
            angle, shift = angle * chosen[0], shift * chosen[1]
        return resample(images, angle, scale, shift[0], shift[1])

    def compute_output_shape(self, input_shape: Sequence[Any]) -> Sequence[Any]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        own = {"degrees": self.degrees, "zoom": self.zoom, "shift": self.shift}
        return super().get_config() | own | {"chance": self.chance, "seed": self.seed}

"""Random numbers: seeds without reading from the device, and the same numbers for a batch shared by processes."""

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from fer_keras.backend import distribution


class SeedGenerator(keras.random.SeedGenerator):
    """Keras' generator, but on torch it does not read its state from the device, which would wait for a GPU.

    It counts the seeds after the first itself. PyTorch counts the writes to a tensor: after a write by other code,
    the state is read again.
    """

    written: Any = None  # the tensor that `words` were read from, and its number of writes then
    writes: Any = None

    def next(self, ordered: bool = True) -> Any:
        if keras.backend.backend() != "torch" or not ordered:
            return super().next(ordered)
        state = self.state.value
        if state is not self.written or state._version != self.writes:
            self.words = state.tolist()
        seed = np.array(self.words)
        super().next()
        self.written, self.words[1] = self.state.value, self.words[1] + 1
        self.writes = self.written._version
        return seed


_Layer: Any = keras.Layer if TYPE_CHECKING else object  # what the mixin is added to


class WholeBatchRandom(_Layer):
    """Mixin for Keras' random image layers: the random numbers are those of the whole batch, in every process."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.generator.__class__ = SeedGenerator  # a second generator would add a second state to every model file

    def get_random_transformation(
        self, data: Any, training: bool = True, seed: int | None = None
    ) -> dict[str, Any] | None:
        if not (training and distribution.running):
            return super().get_random_transformation(data, training, seed)
        whole = data[:1].expand(distribution.whole(len(data)), *data.shape[1:])
        amounts = super().get_random_transformation(whole, training, seed)
        return {name: value[distribution.rows()] for name, value in amounts.items() if ops.is_tensor(value)}

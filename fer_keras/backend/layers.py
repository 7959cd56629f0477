"""Keras' own layers, computed by PyTorch's fused kernels when the backend is torch.

Each class has the configuration, weights and results of the `keras.layers` class of the same name and overrides
only `call`. On other backends, and for options not handled here, it calls that class. Tensors keep one memory
layout (channels last) in the forward and backward pass, and an operation is one kernel instead of ten.
`plain` converts a model to Keras' own classes.
"""

import math
import pathlib
import tempfile
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import layers

from fer_keras.backend import distribution
from fer_keras.backend.keras_defaults import keras_defaults

if keras.backend.backend() == "torch":
    import torch
    from torch.nn import functional
else:
    torch = None  # type: ignore[assignment]

ONEDNN_BLOCK = 16  # channels in a vector of float32


def _fused(x: Any) -> bool:
    """Return whether `x` is a PyTorch tensor with values, not a symbolic one of a model under construction."""
    return torch is not None and isinstance(x, torch.Tensor) and not x.is_meta


def _value(variable: keras.Variable | None) -> Any:
    return None if variable is None else variable.value


def _channels_first(x: Any) -> Any:
    """View (n, h, w, c) as (n, c, h, w) without a copy; PyTorch calls that memory format `channels_last`."""
    return x.permute(0, 3, 1, 2)


def _channels_last(x: Any) -> Any:
    return x.permute(0, 2, 3, 1)


def _same_padding(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Return the zeros before and after one axis for `padding="same"`; Keras puts an odd one at the end."""
    total = max((math.ceil(size / stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


@keras.saving.register_keras_serializable("fer_keras")
class Conv2D(layers.Conv2D):
    """`keras.layers.Conv2D` without copies between layouts, the bias added in the convolution.

    The kernel has shape (height, width, in, out) and PyTorch's memory order, output channels first. Its gradient
    and the optimizer state of `fer_keras.backend.optimizers` have the same order.
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        if torch is not None:
            kernel = self.kernel.value
            kernel.data = kernel.data.permute(3, 0, 1, 2).contiguous().permute(1, 2, 3, 0)

    def call(self, inputs: Any) -> Any:
        if not _fused(inputs) or self.data_format != "channels_last":
            return super().call(inputs)
        padding: int | tuple[int, int] = 0
        if self.padding == "same":
            sizes = zip(inputs.shape[1:3], self.kernel_size, self.strides, self.dilation_rate, strict=True)
            height, width = (_same_padding(*size) for size in sizes)
            if height[0] == height[1] and width[0] == width[1]:
                padding = (height[0], width[0])
            else:
                inputs = functional.pad(inputs, (0, 0, *width, *height))
        strides = self.strides
        if self.kernel_size == (1, 1) and inputs.shape[-1] < ONEDNN_BLOCK:
            # For these, oneDNN 3.12's gradient of the inputs writes beyond its buffer.
            inputs, strides = inputs[:, :: strides[0], :: strides[1]], (1, 1)
        kernel = keras.ops.convert_to_tensor(self.kernel).permute(3, 2, 0, 1)
        outputs = functional.conv2d(
            _channels_first(inputs),
            kernel.contiguous(memory_format=torch.channels_last),
            _value(self.bias),
            strides,
            padding,
            self.dilation_rate,
            self.groups,
        )
        outputs = _channels_last(outputs)
        return outputs if self.activation is None else self.activation(outputs)


@keras.saving.register_keras_serializable("fer_keras")
class MaxPooling2D(layers.MaxPooling2D):
    """`keras.layers.MaxPooling2D` without copies between layouts."""

    def call(self, inputs: Any) -> Any:
        if not _fused(inputs) or self.data_format != "channels_last" or self.padding != "valid":
            return super().call(inputs)
        return _channels_last(functional.max_pool2d(_channels_first(inputs), self.pool_size, self.strides))


@keras.saving.register_keras_serializable("fer_keras")
class AveragePooling2D(layers.AveragePooling2D):
    """`keras.layers.AveragePooling2D` without copies between layouts."""

    def call(self, inputs: Any) -> Any:
        if not _fused(inputs) or self.data_format != "channels_last" or self.padding != "valid":
            return super().call(inputs)
        return _channels_last(functional.avg_pool2d(_channels_first(inputs), self.pool_size, self.strides))


@keras.saving.register_keras_serializable("fer_keras")
class BatchNormalization(layers.BatchNormalization):
    """`keras.layers.BatchNormalization` as one kernel; moving statistics as in Keras (biased variance).

    If several processes share a batch, the statistics are those of the whole batch.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        last = self.axis in (-1, inputs.ndim - 1)
        if not (_fused(inputs) and last and self.dtype == "float32" and mask is None and not self.renorm):
            return super().call(inputs, training=training, mask=mask)
        # One image of 1 x m pixels: the kernel is fastest in this layout, for inputs of any rank.
        rows = _channels_first(inputs.reshape(1, 1, -1, inputs.shape[-1]))
        mean, variance = self.moving_mean.value, self.moving_variance.value
        # A factor of 1 in float32 keeps the statistics of bfloat16 inputs in float32.
        gamma, beta = _value(self.gamma) if self.scale else torch.ones_like(mean), _value(self.beta)
        if training and self.trainable:
            if distribution.running:
                outputs, mean, scale = _shared_batch_norm(rows, gamma, beta, self.epsilon)
            else:
                outputs, mean, scale = torch.native_batch_norm(
                    rows, gamma, beta, None, None, True, 0.0, self.epsilon
                )
            with torch.no_grad():
                self.moving_mean.assign(torch.lerp(mean, self.moving_mean.value, self.momentum))
                variance = scale.pow(-2) - self.epsilon
                self.moving_variance.assign(torch.lerp(variance, self.moving_variance.value, self.momentum))
        else:
            outputs = functional.batch_norm(rows, mean, variance, gamma, beta, False, 0.0, self.epsilon)
        return _channels_last(outputs).reshape(inputs.shape)


def _shared_batch_norm(rows: Any, gamma: Any, beta: Any, epsilon: float) -> tuple[Any, Any, Any]:
    """`torch.native_batch_norm` with the statistics of all processes' rows, (1, channels, 1, m)."""
    x, over = rows.float(), (0, 2, 3)
    share = distribution.running.share / (x.numel() // x.shape[1])
    mean = distribution.batch_sum(x.sum(over) * share)[:, None, None]
    variance = distribution.batch_sum((x - mean).square().sum(over) * share)
    scale = torch.rsqrt(variance + epsilon)
    outputs = (x - mean) * (scale * gamma)[:, None, None]
    outputs = outputs if beta is None else outputs + beta[:, None, None]
    return outputs.to(rows.dtype), mean.flatten(), scale


@keras.saving.register_keras_serializable("fer_keras")
class Dropout(layers.Dropout):
    """`keras.layers.Dropout` with a mask from the layer's seed state, many times faster on CPUs.

    The masks depend only on `keras.utils.set_random_seed` and the state of `seed_generator`, not on other layers
    or the number of threads or processes. So a run can be repeated and resumed. `rate` is rounded to 1/65536.
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        drops = training and 0 < self.rate < 1
        # On a GPU, reading the seed would synchronize, and PyTorch's dropout is fast.
        if not (drops and self.noise_shape is None and _fused(inputs) and inputs.device.type == "cpu"):
            return super().call(inputs, training=training)
        count = inputs.numel()
        first = count // len(inputs) * (distribution.rows().start or 0)
        seed = [value % 2**32 for value in self.seed_generator.next().tolist()]
        words = np.random.SFC64(seed).random_raw(math.ceil((first + count) / 4))
        values = words.view(np.int16)[first : first + count]  # uniform in [-32768, 32767]
        bits = torch.from_numpy(values).view(inputs.shape)
        kept = (bits >= min(round(self.rate * 65536), 65535) - 32768).to(inputs.dtype)
        return inputs * kept.mul_(1 / (1 - self.rate))


@keras.saving.register_keras_serializable("fer_keras")
class ReLU(layers.ReLU):
    """`keras.layers.ReLU` in place, like PyTorch's `relu_`. No other layer may use its input.

    It allocates no output. If the previous layer needs its output in the backward pass, PyTorch raises an error.
    """

    def call(self, inputs: Any) -> Any:
        plainly = self.max_value is None and not (self.negative_slope or self.threshold)
        return _RectifiedInPlace.apply(inputs) if _fused(inputs) and plainly else super().call(inputs)


if torch is not None:

    class _RectifiedInPlace(torch.autograd.Function):
        """`relu_` that also takes a view, without a copy of its gradient."""

        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            rectified = x.detach().clamp_min_(0)
            ctx.save_for_backward(rectified)
            return rectified

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            (rectified,) = ctx.saved_tensors
            return torch.ops.aten.threshold_backward(gradient, rectified, 0)


def plain(model: keras.Model) -> keras.Model:
    """Return the model in Keras' own classes and in float32. Its files load without this package.

    Args:
        model: a built functional or sequential `keras.Model`.

    Returns:
        An uncompiled `keras.Model` with the same layer names and a copy of the weights.
    """
    return _copy(model, {(__name__, name): ("keras.layers", None) for name in OWN})


def fast(model: keras.Model) -> keras.Model:
    """Return the model with this module's layers instead of Keras' own; unchanged if it is no graph of layers."""
    if type(model).__name__ not in ("Functional", "Sequential"):
        return model
    return _copy(model, TO_FAST)


def fast_config(config: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration of a model with this module's layers instead of Keras' own, in float32."""
    return _renamed(config, TO_FAST)


FAST = (
    "AveragePooling2D",
    "BatchNormalization",
    "Conv2D",
    "Dropout",
    "MaxPooling2D",
)  # replace Keras' own in any model
OWN = (*FAST, "ReLU")
TO_FAST = {("keras.layers", name): (__name__, f"fer_keras>{name}") for name in FAST}


@keras_defaults()
def _copy(model: keras.Model, classes: Mapping[tuple[Any, Any], tuple[str, str | None]]) -> keras.Model:
    copy = keras.saving.deserialize_keras_object(_renamed(keras.saving.serialize_keras_object(model), classes))
    # Through a file: `set_weights` would leave a Normalization layer with its old mean.
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.weights.h5"
        model.save_weights(path)
        copy.load_weights(path)
    return copy


def _renamed(config: Any, classes: Mapping[tuple[Any, Any], tuple[str, str | None]]) -> Any:
    """Return `config` with the (module, class) in `classes` replaced, in float32, not compiled."""
    if isinstance(config, list | tuple):
        return [_renamed(value, classes) for value in config]
    if not isinstance(config, dict):
        return config
    config = {key: _renamed(value, classes) for key, value in config.items() if key != "compile_config"}
    if config.get("class_name") == "DTypePolicy":
        config["config"] = {"name": "float32"}
    key = config.get("module"), config.get("class_name")
    if key in classes:
        config["module"], config["registered_name"] = classes[key]
    return config

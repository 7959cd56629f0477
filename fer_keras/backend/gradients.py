"""Gradient statistics of the real training steps, on every backend.

Keras does not pass gradients to callbacks. The only public method that receives them on all backends is
`Optimizer.apply`. Under JAX's jit it can only write to optimizer variables. So the running sums are optimizer
variables, which a callback reads and resets at the end of each epoch.
"""

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from fer_keras.backend import distribution

_Optimizer: Any = keras.optimizers.Optimizer if TYPE_CHECKING else object  # what the mixin is added to


class GradientStatistics(_Optimizer):
    """Mixin for a Keras optimizer: sums ‖gradient‖ / ‖weights‖ over the steps, for each kernel and for all.

    Kernels are variables with two or more dimensions. Biases and normalization offsets start at 0, where the ratio
    is meaningless. Gradients are measured before clipping, weights before the update. If several processes share a
    batch, the gradients are those of the whole batch.

    Attributes:
        ratio_sum: variable (kernels + 1,), the sums in the order of `kernel_paths`, then the total.
        ratio_steps: variable (), number of steps.
        kernel_paths: path of each kernel's variable, such as `"dense_1/kernel"`.
    """

    def build(self, variables: Sequence[Any]) -> None:
        super().build(variables)
        self.kernel_paths = [v.path for v in variables if len(v.shape) > 1]
        self.ratio_sum = self.add_variable((len(self.kernel_paths) + 1,), name="ratio_sum")
        self.ratio_steps = self.add_variable((), name="ratio_steps")

    def apply(self, grads: list[Any], trainable_variables: Sequence[Any] | None = None) -> Any:
        variables = self._trainable_variables if trainable_variables is None else list(trainable_variables)
        if not self.built:
            with keras.name_scope(self.name):
                self.build(variables)
        grads = distribution.average(grads)
        kernels = [(g, v) for g, v in zip(grads, variables, strict=True) if len(v.shape) > 1]
        gradient_norms = _norms([g for g, _ in kernels])
        weight_norms = _norms([ops.convert_to_tensor(v) for _, v in kernels])
        self.ratio_sum.assign_add(_ratios(gradient_norms, weight_norms))
        self.ratio_steps.assign(ops.convert_to_tensor(self.ratio_steps) + 1.0)  # `assign_add` would copy the 1
        return super().apply(grads, trainable_variables)

    def read_ratios(self) -> dict[str, float]:
        """Return {kernel path or "total": mean ratio since the last call}, as fractions, and reset the sums."""
        steps = max(float(ops.convert_to_numpy(self.ratio_steps)), 1.0)
        means = ops.convert_to_numpy(self.ratio_sum) / steps
        self.ratio_sum.assign(ops.zeros(self.ratio_sum.shape))
        self.ratio_steps.assign(0.0)
        return dict(zip([*self.kernel_paths, "total"], map(float, means), strict=True))


def tracked(optimizer_class: Any) -> Any:
    """Return `optimizer_class` with `GradientStatistics`: `tracked(keras.optimizers.Adam)(1e-3)`.

    On torch, Keras swaps in its torch implementation for its own optimizer classes only, not for subclasses. So
    this subclasses the class of an instance.
    """
    implementation: Any = type(optimizer_class())
    return _tracked(implementation)


@functools.cache
def _tracked(implementation: Any) -> Any:
    return type(f"Tracked{implementation.__name__}", (GradientStatistics, implementation), {})


def _norms(tensors: Sequence[Any]) -> Any:
    """Return the L2 norm of each tensor, (len(tensors),) float32."""
    if keras.backend.backend() == "torch":
        import torch

        return torch.stack(torch._foreach_norm([t.detach().float() for t in tensors]))
    return ops.stack([ops.norm(ops.reshape(ops.cast(t, "float32"), [-1])) for t in tensors])


def _ratios(gradient_norms: Any, weight_norms: Any) -> Any:
    """Return the ratio of gradient norm to weight norm for each kernel, then for all together."""
    numerators = ops.append(gradient_norms, ops.norm(gradient_norms))
    return numerators / ops.append(weight_norms, ops.norm(weight_norms))


def batch_gradients(model: keras.Model, images: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Return the gradients of the training loss on one batch, without changing the model.

    Args:
        model: compiled `keras.Model` with a loss on (labels, logits).
        images: (n, height, width, channels).
        labels: (n,) or (n, num_classes), as the loss takes them.

    Returns:
        {path of the trainable variable: gradient as NumPy float32 of the variable's shape}.
    """
    frozen = [v.value for v in model.non_trainable_variables]

    def loss(weights: list[Any]) -> Any:
        logits, _, penalties = model.stateless_call(
            weights, frozen, ops.convert_to_tensor(images), training=True, return_losses=True
        )
        return model.loss(ops.convert_to_tensor(labels), logits) + sum(penalties)

    with distribution.alone():
        gradients = _differentiate(loss, [v.value for v in model.trainable_variables])
    return {
        v.path: ops.convert_to_numpy(g).astype("float32")
        for v, g in zip(model.trainable_variables, gradients, strict=True)
    }


def _differentiate(function: Callable[[list[Any]], Any], tensors: list[Any]) -> Sequence[Any]:
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return jax.grad(function)(tensors)
    if backend == "tensorflow":
        import tensorflow as tf

        tensors = [tf.convert_to_tensor(t) for t in tensors]
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            value = function(tensors)
        return tape.gradient(value, tensors)
    import torch

    tensors = [t.detach().clone().requires_grad_() for t in tensors]
    return torch.autograd.grad(function(tensors), tensors)

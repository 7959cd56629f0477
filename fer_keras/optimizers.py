"""Keras' Adam and AdamW with PyTorch's fused update on a processor, and its Muon for convolutions.

Keras' torch Adam goes over the weights a dozen times a step, PyTorch's fused kernel once. The formula is Keras',
to rounding: it adds epsilon to the root of the second moment before correcting that for its bias, PyTorch after.
"""

import re

import keras
from keras import ops


def fused(optimizer_class):
    """Return `optimizer_class`, `keras.optimizers.Adam` or `AdamW`, with the fused update where there is one."""
    if keras.backend.backend() != "torch":
        return optimizer_class
    # Keras swaps in its torch implementation for exactly its own classes, not for subclasses of them.
    implementation = type(optimizer_class())
    return type(f"Fused{implementation.__name__}", (_FusedUpdate, implementation), {})


class _SameLayout:
    """Mixin for a Keras optimizer: the state of each weight lies in memory as the weight itself does."""

    def add_variable_from_reference(self, reference_variable, *args, **kwargs):
        variable = super().add_variable_from_reference(reference_variable, *args, **kwargs)
        if keras.backend.backend() == "torch":
            import torch

            variable.value.data = torch.empty_like(reference_variable.value).copy_(variable.value)
        return variable


class _FusedUpdate(_SameLayout):
    def _parallel_update_step(self, grads, variables, learning_rate):
        import torch
        from torch.optim.adam import adam

        weights = [v.value for v in variables]
        if any(w.device.type != "cpu" or w.dtype != torch.float32 for w in weights):
            return super()._parallel_update_step(grads, variables, learning_rate)
        index = [self._get_variable_index(v) for v in variables]
        orders = [w.dim_order() if w.ndim > 2 else range(w.ndim) for w in weights]

        def in_memory(tensors):  # the kernel goes through memory as if all were contiguous
            return [t.permute(*order).contiguous() for t, order in zip(tensors, orders, strict=True)]

        step = int(self.iterations)
        adam(
            in_memory(weights),
            in_memory(grads),
            in_memory(self._momentums[i].value for i in index),
            in_memory(self._velocities[i].value for i in index),
            in_memory(self._velocity_hats[i].value for i in index) if self.amsgrad else [],
            [torch.tensor(float(step)) for _ in weights],
            fused=True,
            amsgrad=self.amsgrad,
            beta1=self.beta_1,
            beta2=self.beta_2,
            lr=float(learning_rate),
            weight_decay=0.0,
            eps=self.epsilon / (1 - self.beta_2 ** (step + 1)) ** 0.5,
            maximize=False,
        )


class Muon(_SameLayout, keras.optimizers.Muon):
    """Keras' Muon for kernels of convolutions too: a matrix of (height x width x channels in, channels out).

    So Jordan et al. 2024 (https://kellerjordan.github.io/posts/muon) train convolutional networks. As in their
    code the matrices are orthogonalized in the precision that the layers compute in, bfloat16 at the lowest.
    """

    def _should_use_adamw(self, variable):
        if len(variable.shape) != 4:
            return super()._should_use_adamw(variable)
        return any(re.search(pattern, variable.path) for pattern in self.exclude_layers)

    def zeropower_via_newtonschulz5(self, x, steps):
        matrix = ops.cast(ops.reshape(x, (-1, x.shape[-1])), _compute_dtype())
        return ops.cast(ops.reshape(super().zeropower_via_newtonschulz5(matrix, steps), x.shape), x.dtype)

    def lr_adjust(self, x):
        return ops.reshape(super().lr_adjust(ops.reshape(x, (-1, x.shape[-1]))), x.shape)


def _compute_dtype():
    dtype = keras.config.dtype_policy().compute_dtype
    return "float32" if dtype == "float16" else dtype

"""Keras' Adam and AdamW with PyTorch's fused update on a processor, its Muon for convolutions, and SAM for any.

Keras' torch Adam goes over the weights a dozen times a step, PyTorch's fused kernel once. The formula is Keras',
to rounding: it adds epsilon to the root of the second moment before correcting that for its bias, PyTorch after.
"""

import functools
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


def sharpness_aware(optimizer_class):
    """Return `optimizer_class` with `SharpnessAware`: `sharpness_aware(keras.optimizers.Adam)(1e-3)`."""
    return _sharpness_aware(type(optimizer_class()))


@functools.cache
def _sharpness_aware(implementation):
    return type(f"SharpnessAware{implementation.__name__}", (SharpnessAware, implementation), {})


class SharpnessAware:
    """Mixin for a Keras optimizer: of each two calls of `apply`, the first climbs and the second descends.

    Sharpness-aware minimization, Foret et al. 2021, arXiv:2010.01412, algorithm 1. The first call moves the
    weights by `radius` along their gradient; the second is given the gradient there, takes the weights back to
    where they were and lets the optimizer update them. Its iterations, and so its schedule, count the second calls
    alone.

    Attributes:
        radius: L2 length of the climb, over all weights together.
        away: variable (), 1 between the first call and the second.
    """

    radius = 0.05

    def build(self, variables):
        super().build(variables)
        self.away = self.add_variable((), name="away")
        self.homes = [self.add_variable_from_reference(v, name="home") for v in variables]

    def apply(self, grads, trainable_variables=None):
        variables = self._trainable_variables if trainable_variables is None else list(trainable_variables)
        if not self.built:
            with keras.name_scope(self.name):
                self.build(variables)
        if keras.backend.backend() == "torch":
            if float(self.away):
                self._descend(grads, variables)
            else:
                self._climb(grads, variables)
            return
        # In a compiled step the value of `away` is not known: both are computed, and one is kept.
        everything = [*variables, *self.variables]
        before = [ops.copy(v) for v in everything]
        away = ops.copy(self.away) > 0
        self._climb(grads, variables)
        climbed = [ops.copy(v) for v in everything]
        for variable, value in zip(everything, before, strict=True):
            variable.assign(value)
        self._descend(grads, variables)
        for variable, value in zip(everything, climbed, strict=True):
            variable.assign(ops.where(away, ops.convert_to_tensor(variable), value))

    def _climb(self, grads, variables):
        squares = [ops.sum(ops.square(ops.cast(g, "float32"))) for g in grads]
        scale = self.radius / (ops.sqrt(sum(squares)) + 1e-12)
        for gradient, variable, home in zip(grads, variables, self.homes, strict=True):
            home.assign(variable)
            variable.assign_add(scale * ops.cast(gradient, variable.dtype))
        self.away.assign(1.0)

    def _descend(self, grads, variables):
        for variable, home in zip(variables, self.homes, strict=True):
            variable.assign(home)
        self.away.assign(0.0)
        super().apply(grads, variables)


class Muon(_SameLayout, keras.optimizers.Muon):
    """Keras' Muon for kernels of convolutions too: a matrix of (height x width x channels in, channels out).

    So Jordan et al. 2024 (https://kellerjordan.github.io/posts/muon) train convolutional networks. As in their
    code the matrices are orthogonalized in the precision that the layers compute in, bfloat16 at the lowest; it is
    that of Keras' dtype policy where the optimizer is made.
    """

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.matrix_dtype = _compute_dtype()

    def _should_use_adamw(self, variable):
        if len(variable.shape) != 4:
            return super()._should_use_adamw(variable)
        return any(re.search(pattern, variable.path) for pattern in self.exclude_layers)

    def zeropower_via_newtonschulz5(self, x, steps):
        matrix = ops.cast(ops.reshape(x, (-1, x.shape[-1])), self.matrix_dtype)
        return ops.cast(ops.reshape(super().zeropower_via_newtonschulz5(matrix, steps), x.shape), x.dtype)

    def lr_adjust(self, x):
        return ops.reshape(super().lr_adjust(ops.reshape(x, (-1, x.shape[-1]))), x.shape)


def _compute_dtype():
    dtype = keras.config.dtype_policy().compute_dtype
    return "float32" if dtype == "float16" else dtype

"""Keras' optimizers with few operations per step on PyTorch, Muon for convolutions, and SAM for any of them.

The formulas are Keras', up to rounding. On PyTorch one operation handles all weights, or all weights of equal
shape, so that the number of kernel launches does not grow with the number of layers. Other backends compile the
step and use Keras' own classes. PyTorch's operations on lists of tensors, `torch._foreach_*`, are private.
"""

import functools
import math
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from fer_keras.backend.private import has_all

if keras.backend.backend() == "torch":
    import torch
    from torch.optim.adam import adam
else:
    torch = None  # type: ignore[assignment]


LISTS = tuple(
    f"_foreach_{name}" for name in ("add", "add_", "div_", "lerp_", "mul", "mul_", "norm", "sqrt", "sub_")
)
_Optimizer: Any = keras.optimizers.Optimizer if TYPE_CHECKING else object  # what the mixins are added to
HOOKS = ("_backend_apply_gradients", "_clip_gradients", "_get_current_learning_rate", "_get_variable_index")


def fused(optimizer_class: Any) -> Any:
    """Return `keras.optimizers.Adam`, `AdamW`, `RMSprop` or `SGD` with few operations per step."""
    use = "fused optimizer steps"
    if torch is None or not (has_all(torch, LISTS, use) and has_all(keras.optimizers.Optimizer, HOOKS, use)):
        return optimizer_class
    # Keras swaps in its torch implementation for its own classes only, not for subclasses.
    implementation = type(optimizer_class())
    update = {keras.optimizers.RMSprop: _FewOperations, keras.optimizers.SGD: _SGDUpdate}
    bases = (update.get(optimizer_class, _AdamUpdate), implementation)
    return type(f"Fused{implementation.__name__}", bases, {})


class _FewOperations(_Optimizer):
    """Mixin for a Keras optimizer: one learning rate per step, clipping and averaging of all weights at once.

    The state of each weight has the memory layout of the weight.
    """

    step_rate = None  # learning rate of the current step, a tensor ()

    def add_variable_from_reference(
        self, reference_variable: keras.Variable, *args: Any, **kwargs: Any
    ) -> keras.Variable:
        variable = super().add_variable_from_reference(reference_variable, *args, **kwargs)
        if torch is not None:
            variable.value.data = torch.empty_like(reference_variable.value).copy_(variable.value)
        return variable

    def _backend_apply_gradients(self, grads: list[Any], trainable_variables: Sequence[Any]) -> None:
        if torch is None:
            super()._backend_apply_gradients(grads, trainable_variables)
            return
        with torch.no_grad():
            self.step_rate = ops.convert_to_tensor(super()._get_current_learning_rate())
            try:
                super()._backend_apply_gradients(grads, trainable_variables)
            finally:
                self.step_rate = None

    def _get_current_learning_rate(self) -> Any:
        return super()._get_current_learning_rate() if self.step_rate is None else self.step_rate

    def _clip_gradients(self, grads: list[Any]) -> Any:
        if torch is None or self.clipnorm or not self.global_clipnorm:
            return super()._clip_gradients(grads)
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(grads)))
        return torch._foreach_mul(grads, self.global_clipnorm / norm.clamp(min=self.global_clipnorm))

    def _update_model_variables_moving_average(self, trainable_variables: Sequence[Any]) -> None:
        if torch is None:
            super()._update_model_variables_moving_average(trainable_variables)
            return
        weights, averages = _values(trainable_variables), _values(self._model_variables_moving_average)
        share = (self.iterations.value != 0) * self.ema_momentum  # the first average equals the weights
        torch._foreach_mul_(averages, share)
        torch._foreach_add_(averages, torch._foreach_mul(weights, 1 - share))


class _AdamUpdate(_FewOperations):
    """PyTorch's fused kernel on CPUs; on GPUs Keras' own update, which handles all weights at once.

    Keras adds epsilon to the root of the second moment before the bias correction, PyTorch after it.
    """

    def _parallel_update_step(self, grads: list[Any], variables: Sequence[Any], learning_rate: Any) -> None:
        weights = _values(variables)
        if any(w.device.type != "cpu" or w.dtype != torch.float32 for w in weights):
            super()._parallel_update_step(grads, variables, learning_rate)
            return
        index = [self._get_variable_index(v) for v in variables]
        orders = [w.dim_order() if w.ndim > 2 else range(w.ndim) for w in weights]

        def in_memory(
            tensors: Iterable[Any],
        ) -> list[Any]:  # the kernel assumes contiguous memory
            return [t.permute(*order).contiguous() for t, order in zip(tensors, orders, strict=True)]

        step = int(self.iterations)
        adam(
            in_memory(weights),
            in_memory(grads),
            in_memory(self._momentums[i].value for i in index),
            in_memory(self._velocities[i].value for i in index),
            in_memory(self._velocity_hats[i].value for i in index) if self.amsgrad else [],
            list(torch.full((len(weights),), float(step)).unbind()),
            fused=True,
            amsgrad=self.amsgrad,
            beta1=self.beta_1,
            beta2=self.beta_2,
            lr=float(learning_rate),
            weight_decay=0.0,
            eps=self.epsilon / (1 - self.beta_2 ** (step + 1)) ** 0.5,
            maximize=False,
        )


class _SGDUpdate(_FewOperations):
    """Keras' update without reading the learning rate back from the device."""

    def _parallel_update_step(self, grads: list[Any], variables: Sequence[Any], learning_rate: Any) -> None:
        weights = _values(variables)
        moves: Any = torch._foreach_mul(grads, -learning_rate)
        if self.momentum:
            momenta = _values(self.momentums[self._get_variable_index(v)] for v in variables)
            torch._foreach_mul_(momenta, self.momentum)
            torch._foreach_add_(momenta, moves)
            if self.nesterov:
                torch._foreach_add_(moves, momenta, alpha=self.momentum)
            else:
                moves = momenta
        torch._foreach_add_(weights, moves)


def _values(variables: Iterable[Any]) -> list[Any]:
    return [v.value for v in variables]


def sharpness_aware(optimizer_class: Any) -> Any:
    """Return `optimizer_class` with `SharpnessAware`: `sharpness_aware(keras.optimizers.Adam)(1e-3)`."""
    implementation: Any = type(optimizer_class())
    return _sharpness_aware(implementation)


@functools.cache
def _sharpness_aware(implementation: Any) -> Any:
    return type(f"SharpnessAware{implementation.__name__}", (SharpnessAware, implementation), {})


class SharpnessAware(_Optimizer):
    """Mixin for a Keras optimizer: of every two calls of `apply`, the first climbs and the second descends.

    Sharpness-aware minimization, Foret et al. 2021, arXiv:2010.01412, algorithm 1. The first call moves the
    weights by `radius` along their gradient. The second gets the gradient at that point, restores the weights and
    lets the optimizer update them. The optimizer's iterations, and so its schedule, count only the second calls.

    Attributes:
        radius: L2 length of the climb, over all weights together.
        away: variable (), 1 between the first call and the second.
    """

    radius = 0.05

    def build(self, variables: Sequence[Any]) -> None:
        super().build(variables)
        self.away = self.add_variable((), name="away")
        self.homes = [self.add_variable_from_reference(v, name="home") for v in variables]

    def apply(self, grads: list[Any], trainable_variables: Sequence[Any] | None = None) -> None:
        variables = self._trainable_variables if trainable_variables is None else list(trainable_variables)
        if not self.built:
            with keras.name_scope(self.name):
                self.build(variables)
        if torch is not None:
            if float(self.away):
                self._descend(grads, variables)
            else:
                self._climb(grads, variables)
            return
        # A compiled step does not know the value of `away`: both results are computed and one is kept.
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

    def _climb(self, grads: list[Any], variables: Sequence[Any]) -> None:
        squares = [ops.sum(ops.square(ops.cast(g, "float32"))) for g in grads]
        scale = self.radius / (ops.sqrt(sum(squares)) + 1e-12)
        for gradient, variable, home in zip(grads, variables, self.homes, strict=True):
            home.assign(variable)
            variable.assign_add(scale * ops.cast(gradient, variable.dtype))
        self.away.assign(1.0)

    def _descend(self, grads: list[Any], variables: Sequence[Any]) -> None:
        for variable, home in zip(variables, self.homes, strict=True):
            variable.assign(home)
        self.away.assign(0.0)
        super().apply(grads, variables)


class Muon(_FewOperations, keras.optimizers.Muon):
    """Keras' Muon for kernels of convolutions too: a matrix of (height x width x channels in, channels out).

    Jordan et al. 2024 (https://kellerjordan.github.io/posts/muon) train convolutional networks this way. As in
    their code, the matrices are orthogonalized in the compute precision of the layers: that of Keras' dtype policy
    when the optimizer is created, but float32 instead of float16. On PyTorch, matrices of equal shape are stacked.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.matrix_dtype = _compute_dtype()

    def _should_use_adamw(self, variable: keras.Variable) -> bool:
        if len(variable.shape) != 4:
            return super()._should_use_adamw(variable)
        return any(re.search(pattern, variable.path) for pattern in self.exclude_layers)

    def zeropower_via_newtonschulz5(self, x: Any, steps: int) -> Any:
        matrix = ops.cast(ops.reshape(x, (-1, x.shape[-1])), self.matrix_dtype)
        return ops.cast(ops.reshape(super().zeropower_via_newtonschulz5(matrix, steps), x.shape), x.dtype)

    def lr_adjust(self, x: Any) -> Any:
        return ops.reshape(super().lr_adjust(ops.reshape(x, (-1, x.shape[-1]))), x.shape)

    def _uses_adam(self, variable: keras.Variable) -> bool:
        return self.adam_velocities[self._get_variable_index(variable)] is not None

    def _apply_weight_decay(self, variables: Sequence[Any]) -> None:
        if torch is None:
            super()._apply_weight_decay(variables)
            return
        for adam_is_used, decay in ((False, self.weight_decay), (True, self.adam_weight_decay)):
            decayed = [v for v in variables if self._uses_adam(v) == adam_is_used and self._use_weight_decay(v)]
            if decay and decayed:
                torch._foreach_mul_(_values(decayed), 1 - decay * self.step_rate)

    def _backend_update_step(
        self, grads: list[Any], trainable_variables: Sequence[Any], learning_rate: Any
    ) -> None:
        if torch is None:
            super()._backend_update_step(grads, trainable_variables, learning_rate)
            return
        kinds: dict[bool, list[tuple[Any, Any, Any]]] = {True: [], False: []}
        for gradient, variable in zip(grads, trainable_variables, strict=True):
            momentum = self.momentums[self._get_variable_index(variable)].value
            kinds[self._uses_adam(variable)].append((variable, gradient, momentum))
        if kinds[True]:
            self._update_by_adam(kinds[True], learning_rate * self.adam_lr_ratio)
        if kinds[False]:
            self._update_matrices(kinds[False], learning_rate)

    def _update_by_adam(self, updates: list[tuple[Any, Any, Any]], learning_rate: Any) -> None:
        variables, grads, momenta = map(list, zip(*updates, strict=True))
        velocities = _values(self.adam_velocities[self._get_variable_index(v)] for v in variables)
        step = (self.iterations.value + 1).float()
        rate = learning_rate * torch.sqrt(1 - self.adam_beta_2**step) / (1 - self.adam_beta_1**step)
        torch._foreach_lerp_(momenta, grads, 1 - self.adam_beta_1)
        torch._foreach_lerp_(velocities, torch._foreach_mul(grads, grads), 1 - self.adam_beta_2)
        scales = torch._foreach_sqrt(velocities)
        torch._foreach_add_(scales, self.epsilon)
        moves = torch._foreach_mul(momenta, rate)
        torch._foreach_div_(moves, scales)
        torch._foreach_sub_(_values(variables), moves)

    def _update_matrices(self, updates: list[tuple[Any, Any, Any]], learning_rate: Any) -> None:
        variables, grads, momenta = map(list, zip(*updates, strict=True))
        torch._foreach_mul_(momenta, self.momentum)
        torch._foreach_add_(momenta, grads)
        directions: Any = torch._foreach_add(grads, momenta, alpha=self.momentum) if self.nesterov else momenta
        groups: dict[tuple[int, ...], list[tuple[Any, Any]]] = {}
        for variable, direction in zip(variables, directions, strict=True):
            # (out, height, width, in) is the memory layout of a kernel, so nothing is copied.
            rows = direction.movedim(-1, 0).flatten(1)
            groups.setdefault(tuple(rows.shape), []).append((variable.value, rows))
        weights, moves = [], []
        for shape, group in groups.items():
            scale = 1.0 if self.rms_rate is None else self.rms_rate * math.sqrt(max(shape))
            stack = self._orthogonalized(torch.stack([rows for _, rows in group])) * (learning_rate * scale)
            for (weight, _), rows in zip(group, stack.unbind(), strict=True):
                weights.append(weight)
                moves.append(rows.unflatten(1, weight.shape[:-1]).movedim(0, -1))
        torch._foreach_sub_(weights, moves)

    def _orthogonalized(self, stack: Any) -> Any:
        """Return `zeropower_via_newtonschulz5` of each matrix of (count, n, m), float32."""
        x = stack.to(getattr(torch, self.matrix_dtype))
        upright = x.shape[1] > x.shape[2]
        x = x.mT if upright else x
        x = x / (torch.linalg.vector_norm(x, dim=(1, 2), keepdim=True) + 1e-7)
        for _ in range(self.ns_steps):
            squares = x @ x.mT
            factors = torch.baddbmm(squares, squares, squares, beta=self.muon_b, alpha=self.muon_c)
            x = torch.baddbmm(x, factors, x, beta=self.muon_a)
        return (x.mT if upright else x).float()


def _compute_dtype() -> str:
    dtype = keras.config.dtype_policy().compute_dtype
    return "float32" if dtype == "float16" else dtype

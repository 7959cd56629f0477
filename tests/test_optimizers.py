"""The fused Adam and AdamW against Keras' own, update by update."""

import keras
import numpy as np
import pytest
from keras import ops

from fer_keras.optimizers import fused

SHAPES = ((3, 3, 4, 5), (6,), (7, 9))


def trained(optimizer):
    """Weights and optimizer variables after 30 steps of gradients drawn from one seed."""
    rng = np.random.default_rng(0)
    variables = [keras.Variable(rng.standard_normal(shape).astype("float32")) for shape in SHAPES]
    for _ in range(30):
        optimizer.apply(
            [ops.convert_to_tensor(rng.standard_normal(shape).astype("float32")) for shape in SHAPES], variables
        )
    return [ops.convert_to_numpy(v) for v in [*variables, *optimizer.variables]]


@pytest.mark.parametrize("optimizer_class", [keras.optimizers.Adam, keras.optimizers.AdamW])
@pytest.mark.parametrize(
    "options",
    [{}, {"epsilon": 1e-2}, {"amsgrad": True}, {"weight_decay": 0.1, "clipnorm": 1.0}, {"use_ema": True}],
    ids=str,
)
def test_updates_are_those_of_keras(optimizer_class, options):
    schedule = keras.optimizers.schedules.CosineDecay(0.05, 40)
    ours, keras_own = (
        trained(fused(optimizer_class)(schedule, **options)),
        trained(optimizer_class(schedule, **options)),
    )
    assert len(ours) == len(keras_own)
    for ours_one, keras_one in zip(ours, keras_own, strict=True):
        np.testing.assert_allclose(ours_one, keras_one, rtol=0, atol=1e-5)


def test_first_update_worked_out_by_hand():
    """m = 0.1 g, v = 0.001 g², bias-corrected: the step is the learning rate × g / (|g| + eps / sqrt(0.001))."""
    variable = keras.Variable(np.array([1.0, 2.0], "float32"))
    optimizer = fused(keras.optimizers.Adam)(0.5, epsilon=1e-2)
    optimizer.apply([ops.convert_to_tensor(np.array([0.3, -0.1], "float32"))], [variable])
    shift = 1e-2 / 0.001**0.5
    expected = [1.0 - 0.5 * 0.3 / (0.3 + shift), 2.0 + 0.5 * 0.1 / (0.1 + shift)]
    np.testing.assert_allclose(ops.convert_to_numpy(variable), expected, atol=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="other backends keep Keras' own classes")
def test_torch_runs_its_fused_kernel(monkeypatch):
    import torch

    kernel, calls = torch._fused_adam_, []
    monkeypatch.setattr(torch, "_fused_adam_", lambda *args, **kwargs: calls.append(1) or kernel(*args, **kwargs))
    trained(fused(keras.optimizers.Adam)())
    assert len(calls) == 30

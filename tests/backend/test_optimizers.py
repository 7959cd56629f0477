"""Our updates of Adam, AdamW, RMSprop, SGD, Muon and SAM against Keras' own."""

import keras
import numpy as np
import pytest
from keras import ops

from fer_keras.backend import device
from fer_keras.backend.optimizers import Muon, fused, sharpness_aware

torch_only = pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="other backends keep Keras' own classes"
)
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


@pytest.mark.parametrize(
    "optimizer_class, options",
    [
        (keras.optimizers.Adam, {}),
        (keras.optimizers.Adam, {"epsilon": 1e-2}),
        (keras.optimizers.Adam, {"amsgrad": True}),
        (keras.optimizers.AdamW, {"weight_decay": 0.1, "clipnorm": 1.0}),
        (keras.optimizers.AdamW, {"use_ema": True}),
        (keras.optimizers.SGD, {"global_clipnorm": 0.5}),
        (keras.optimizers.SGD, {"momentum": 0.9, "use_ema": True}),
        (keras.optimizers.SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
        (keras.optimizers.RMSprop, {"global_clipnorm": 100.0, "use_ema": True}),
    ],
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


@torch_only
def test_torch_runs_its_fused_kernel(monkeypatch):
    import torch

    kernel, calls = torch._fused_adam_, []
    monkeypatch.setattr(torch, "_fused_adam_", lambda *args, **kwargs: calls.append(1) or kernel(*args, **kwargs))
    trained(fused(keras.optimizers.Adam)())
    assert len(calls) == 30


@torch_only
@pytest.mark.parametrize("optimizer_class", [fused(keras.optimizers.Adam), Muon])
def test_state_lies_in_memory_as_the_weight_does(optimizer_class):
    gradient = np.random.default_rng(1).standard_normal((3, 3, 4, 5)).astype("float32")
    plain, turned = weight((3, 3, 4, 5)), weight((3, 3, 4, 5))
    turned.value.data = turned.value.data.permute(3, 0, 1, 2).contiguous().permute(1, 2, 3, 0)
    for variable in (plain, turned):
        optimizer = optimizer_class(0.1)
        for factor in (1.0, -0.5):
            optimizer.apply([ops.convert_to_tensor(factor * gradient)], [variable])
        states = [v.value for v in optimizer.variables if v.shape == variable.shape]
        assert states and {state.stride() for state in states} == {variable.value.stride()}
    np.testing.assert_allclose(ops.convert_to_numpy(turned), ops.convert_to_numpy(plain), atol=1e-6)


def weight(shape, name="kernel"):
    return keras.Variable(np.random.default_rng(1).standard_normal(shape).astype("float32"), name=name)


def stepped(optimizer, variable):
    """`variable` as a matrix after three steps of gradients drawn from one seed."""
    rng = np.random.default_rng(2)
    for _ in range(3):
        gradient = rng.standard_normal(variable.shape).astype("float32")
        optimizer.apply([ops.convert_to_tensor(gradient)], [variable])
    return ops.convert_to_numpy(variable).reshape(-1, variable.shape[-1])


@pytest.mark.parametrize("shape", [(3, 3, 4, 5), (1, 1, 3, 8)])
def test_muon_takes_the_kernel_of_a_convolution_for_a_matrix(shape):
    matrix = (np.prod(shape[:-1]), shape[-1])
    expected = stepped(keras.optimizers.Muon(0.1), weight(matrix))
    np.testing.assert_allclose(stepped(Muon(0.1), weight(shape)), expected, atol=1e-5)


@pytest.mark.parametrize("options", [{}, {"nesterov": False, "rms_rate": None, "weight_decay": 0.1}], ids=str)
def test_muon_updates_many_kernels_at_once_as_keras_does_each(options):
    """Twice the same shape, upright and wide matrices, a dense kernel and what Adam updates, over 20 steps."""
    shapes = [(3, 3, 4, 5), (3, 3, 4, 5), (1, 1, 3, 8), (45, 4), (7,), (5,)]
    found, expected = (
        trained_by_muon(Muon, shapes, options),
        trained_by_muon(keras.optimizers.Muon, shapes, options),
    )
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)


def trained_by_muon(optimizer_class, shapes, options):
    """Weights after 20 steps of a cosine schedule; Keras' own Muon gets the kernels as matrices."""
    rng, keras_own = np.random.default_rng(3), optimizer_class is keras.optimizers.Muon
    shapes = [(int(np.prod(s[:-1])), s[-1]) if keras_own and len(s) > 2 else s for s in shapes]
    variables = [keras.Variable(rng.standard_normal(shape).astype("float32")) for shape in shapes]
    schedule = keras.optimizers.schedules.CosineDecay(0.02, 30)
    optimizer = optimizer_class(schedule, use_ema=True, adam_weight_decay=0.01, **options)
    for _ in range(20):
        gradients = [rng.standard_normal(shape).astype("float32") for shape in shapes]
        optimizer.apply([ops.convert_to_tensor(g) for g in gradients], variables)
    return [ops.convert_to_numpy(v).ravel() for v in [*variables, *optimizer._model_variables_moving_average]]


def test_muon_turns_a_gradient_into_nearly_orthogonal_directions():
    """All singular values come near 1 (their cubic keeps them in 0.7 to 1.2), times sqrt(36) x 0.2 of rms_rate."""
    before = weight((3, 3, 4, 5))
    optimizer = Muon(1.0, weight_decay=0.0)
    start = ops.convert_to_numpy(before).reshape(36, 5).copy()
    gradient = np.random.default_rng(2).standard_normal((3, 3, 4, 5)).astype("float32")
    optimizer.apply([ops.convert_to_tensor(gradient)], [before])
    update = start - ops.convert_to_numpy(before).reshape(36, 5)
    assert np.all(np.abs(np.linalg.svd(update / (36**0.5 * 0.2), compute_uv=False) - 1) < 0.35)


def test_muon_keeps_the_precision_that_it_was_made_in():
    gradient = ops.convert_to_tensor(np.random.default_rng(0).standard_normal((6, 4)).astype("float32"))
    made = {}
    for precision in ("float32", "mixed_bfloat16"):
        with device.training_in(precision):
            made[precision] = Muon(1.0)
    exact, rounded = (ops.convert_to_numpy(m.zeropower_via_newtonschulz5(gradient, 5)) for m in made.values())
    assert exact.dtype == rounded.dtype == "float32"
    assert 1e-4 < np.abs(exact - rounded).max() < 0.1


def test_muon_leaves_named_layers_to_adam():
    """Adam's first step is the learning rate, whatever the gradient's size."""
    kernel = weight((3, 3, 2, 2), name="logits_kernel")
    start = ops.convert_to_numpy(kernel).copy()
    optimizer = Muon(0.1, adam_weight_decay=0.0, exclude_layers=["logits"])
    optimizer.apply([ops.ones((3, 3, 2, 2))], [kernel])
    np.testing.assert_allclose(start - ops.convert_to_numpy(kernel), 0.1, atol=1e-5)


def test_sam_climbs_along_the_first_gradient_and_descends_by_the_second():
    """(0.3, 0.4) is half a unit long: the climb of 2 goes to (3, 4) + 4 x (0.3, 0.4)."""
    variables = [keras.Variable(np.array([start], "float32")) for start in (3.0, 4.0)]
    optimizer = sharpness_aware(keras.optimizers.SGD)(0.5)
    optimizer.radius = 2.0
    for first, second, expected in ((0.3, 0.4, (4.2, 5.6)), (2.0, 4.0, (2.0, 2.0))):
        optimizer.apply([ops.convert_to_tensor(np.array([g], "float32")) for g in (first, second)], variables)
        found = [float(ops.convert_to_numpy(v)[0]) for v in variables]
        assert found == pytest.approx(expected, rel=1e-6)
    assert int(ops.convert_to_numpy(optimizer.iterations)) == 1

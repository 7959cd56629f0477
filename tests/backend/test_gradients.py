"""Gradient statistics against values worked out by hand, Keras' own optimizers and finite differences."""

import keras
import numpy as np
import pytest
from keras import ops

from fer_keras.backend.gradients import batch_gradients, tracked

BACKEND = keras.backend.backend()
SCHEDULE = {"learning_rate": keras.optimizers.schedules.CosineDecay(0.0, 10, warmup_target=0.05, warmup_steps=3)}
OPTIMIZERS = [
    (keras.optimizers.Adam, {}),
    (keras.optimizers.Adam, SCHEDULE | {"global_clipnorm": 0.01}),
    (keras.optimizers.AdamW, {"weight_decay": 0.1}),
    (keras.optimizers.SGD, {"learning_rate": 0.05, "momentum": 0.9}),
    (keras.optimizers.SGD, SCHEDULE | {"clipnorm": 0.1, "nesterov": True, "momentum": 0.5}),
    (keras.optimizers.RMSprop, {"rho": 0.8}),
]
X = np.random.default_rng(0).standard_normal((24, 6)).astype("float32")
Y = np.arange(24) % 3


def array(values):
    return ops.convert_to_numpy(values).copy()


def variable(values, name):
    return keras.Variable(np.array(values, "float32"), name=name)


def network(optimizer, **compiling):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(5, activation="tanh", kernel_regularizer=keras.regularizers.L2(0.1)),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(3),
        ]
    )
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True), **compiling)
    return model


def squared_weights(optimizer, **compiling):
    """A model whose loss is the square of its weights (3, 4): the gradient is twice the weights."""
    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(1, use_bias=False, kernel_regularizer=keras.regularizers.L2(1.0))]
    )
    model.layers[0].set_weights([np.array([[3.0], [4.0]])])
    model.compile(optimizer, "mse", **compiling)
    return model


def fit(model, epochs=3):
    model.fit(X, Y, batch_size=8, epochs=epochs, shuffle=False, verbose=0)


def test_ratios_of_two_kernels_worked_out_by_hand():
    a, b, bias = variable([[1.0], [0.0]], "a"), variable([[0.0, 2.0]], "b"), variable([5.0], "bias")
    optimizer = tracked(keras.optimizers.SGD)(learning_rate=0.0)
    gradients = [np.array(g, "float32") for g in ([[3.0], [4.0]], [[0.0, 12.0]], [1000.0])]
    optimizer.apply([ops.convert_to_tensor(g) for g in gradients], [a, b, bias])
    assert optimizer.kernel_paths == ["a", "b"]
    assert optimizer.read_ratios() == pytest.approx({"a": 5.0, "b": 6.0, "total": 13 / 5**0.5}, rel=1e-6)


def test_reading_gives_the_mean_over_steps_and_starts_anew():
    w = variable([[2.0]], "w")
    optimizer = tracked(keras.optimizers.SGD)(learning_rate=0.0)
    for gradient in (2.0, -6.0):  # ratios 1 and 3
        optimizer.apply([ops.convert_to_tensor(np.float32([[gradient]]))], [w])
    assert optimizer.read_ratios() == {"w": 2.0, "total": 2.0}
    optimizer.apply([ops.convert_to_tensor(np.float32([[10.0]]))], [w])
    assert optimizer.read_ratios() == {"w": 5.0, "total": 5.0}
    assert optimizer.read_ratios() == {"w": 0.0, "total": 0.0}


def test_weights_are_those_before_the_update():
    w = variable([[4.0]], "w")
    optimizer = tracked(keras.optimizers.SGD)(learning_rate=0.5)
    optimizer.apply([ops.convert_to_tensor(np.float32([[4.0]]))], [w])
    assert array(w) == 2 and optimizer.read_ratios()["total"] == 1


@pytest.mark.parametrize("compiling", [{}, {"run_eagerly": True}, {"jit_compile": BACKEND != "torch"}])
def test_loss_of_squared_weights_has_ratio_2(compiling):
    model = squared_weights(tracked(keras.optimizers.SGD)(learning_rate=0.25), **compiling)
    model.fit(np.zeros((6, 2)), np.zeros(6), batch_size=2, epochs=2, verbose=0)
    ratios = model.optimizer.read_ratios()
    assert ratios == pytest.approx({model.layers[0].kernel.path: 2.0, "total": 2.0}, rel=1e-6)
    np.testing.assert_allclose(
        array(model.layers[0].kernel).ravel(), [3 / 64, 4 / 64], rtol=1e-6
    )  # halved 6 times


def test_gradients_are_taken_before_clipping():
    model = squared_weights(tracked(keras.optimizers.SGD)(learning_rate=0.5, global_clipnorm=1.0))
    model.train_on_batch(np.zeros((2, 2)), np.zeros(2))
    assert model.optimizer.read_ratios()["total"] == pytest.approx(2)
    np.testing.assert_allclose(array(model.layers[0].kernel).ravel(), [3 - 0.3, 4 - 0.4], rtol=1e-6)


@pytest.mark.parametrize("optimizer_class, options", OPTIMIZERS)
def test_trains_as_the_plain_optimizer_does(optimizer_class, options):
    plain, ours = network(optimizer_class(**options)), network(tracked(optimizer_class)(**options))
    start = [array(w) for w in ours.trainable_variables]
    fit(plain)
    fit(ours)
    for mine, theirs, old in zip(ours.trainable_variables, plain.trainable_variables, start, strict=True):
        assert (array(mine) != old).any()
        np.testing.assert_allclose(array(mine), array(theirs), rtol=1e-5, atol=1e-6)
    own = [v for v in ours.optimizer.variables if not v.name.startswith("ratio_")]
    assert len(own) == len(ours.optimizer.variables) - 2
    for mine, theirs in zip(own, plain.optimizer.variables, strict=True):
        np.testing.assert_allclose(array(mine), array(theirs), rtol=1e-5, atol=1e-6)
    assert ours.optimizer.get_config().keys() == plain.optimizer.get_config().keys()


def test_statistics_survive_gradient_accumulation_and_loss_scaling():
    inner = tracked(keras.optimizers.SGD)(learning_rate=0.0, gradient_accumulation_steps=2)
    model = squared_weights(keras.optimizers.LossScaleOptimizer(inner))
    model.fit(np.zeros((6, 2)), np.zeros(6), batch_size=2, verbose=0)
    assert inner.read_ratios()["total"] == pytest.approx(2, rel=1e-5)


@pytest.mark.skipif(BACKEND != "torch", reason="only torch has another implementation")
def test_is_the_fused_implementation_of_torch():
    for optimizer_class in {optimizer_class for optimizer_class, _ in OPTIMIZERS}:
        implementation = type(optimizer_class())
        assert implementation is not optimizer_class
        assert isinstance(tracked(optimizer_class)(), implementation)


def test_tracked_class_is_named_and_made_once():
    assert tracked(keras.optimizers.Adam) is tracked(keras.optimizers.Adam)
    assert tracked(keras.optimizers.Adam).__name__ == "TrackedAdam"


def test_gradients_of_a_batch_equal_central_finite_differences():
    model = network("sgd")
    found = batch_gradients(model, X, Y)
    assert found.keys() == {v.path for v in model.trainable_variables}
    statistics = [array(v) for v in model.non_trainable_variables]

    def loss():
        logits = model(X, training=True)
        return float(array(model.loss(ops.convert_to_tensor(Y), logits) + sum(model.losses)))

    def loss_beside(v, weights, index, step):
        moved = weights.copy()
        moved[index] += step
        v.assign(moved)
        return loss()

    h = 0.02
    for v in model.trainable_variables:
        weights, expected = array(v), np.zeros(v.shape)
        assert found[v.path].dtype == "float32" and found[v.path].shape == tuple(v.shape)
        for index in np.ndindex(weights.shape):
            left2, left, right, right2 = (loss_beside(v, weights, index, k * h) for k in (-2, -1, 1, 2))
            expected[index] = (8 * (right - left) - (right2 - left2)) / (12 * h)  # of fourth order
        v.assign(weights)
        np.testing.assert_allclose(found[v.path], expected, atol=1e-4)
    assert any((array(v) != old).any() for v, old in zip(model.non_trainable_variables, statistics, strict=True))


def test_gradients_of_a_batch_leave_everything_as_it_is():
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(5),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5, seed=0),
            keras.layers.Dense(3),
        ]
    )
    model.compile(tracked(keras.optimizers.Adam)(), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    fit(model, epochs=1)
    state = [*model.variables, *model.optimizer.variables]
    assert any(v.name == "seed_generator_state" for v in state)
    before = [array(v) for v in state]
    first, second = batch_gradients(model, X, Y), batch_gradients(model, X, Y)
    for v, old in zip(state, before, strict=True):
        np.testing.assert_array_equal(array(v), old, v.path)
    for path, gradient in first.items():
        np.testing.assert_array_equal(gradient, second[path])
        if path.endswith("dense_1/kernel"):
            assert gradient.any()


def test_gradients_of_a_batch_are_those_of_the_training_step():
    model = network(keras.optimizers.SGD(learning_rate=1.0))
    gradients = batch_gradients(model, X, Y)
    before = {v.path: array(v) for v in model.trainable_variables}
    model.train_on_batch(X, Y)
    for v in model.trainable_variables:
        np.testing.assert_allclose(before[v.path] - array(v), gradients[v.path], atol=1e-5)

"""What callbacks write into `logs`, by real `fit` calls on a loss worked out by hand."""

import keras
import numpy as np
import pytest

from fer_keras.backend.gradients import tracked
from fer_keras.training import callbacks


def squared_weights(learning_rate=0.0):
    """A model whose loss is half the square of its weights, (3, 4) and (0, 12): the ratio is 1, the norm 13."""
    half = keras.regularizers.L2(0.5)
    layers = [keras.layers.Dense(1, name=name, kernel_regularizer=half) for name in ("first", "second")]
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Add()([layer(inputs) for layer in layers]))
    model.get_layer("first").set_weights([np.array([[3.0], [4.0]]), np.zeros(1)])
    model.get_layer("second").set_weights([np.array([[0.0], [12.0]]), np.zeros(1)])
    model.compile(tracked(keras.optimizers.SGD)(learning_rate=learning_rate), keras.losses.MeanSquaredError())
    return model


def history(model, *added, epochs=1, n=6):
    fitted = model.fit(np.zeros((n, 2)), np.zeros(n), batch_size=2, epochs=epochs, callbacks=added, verbose=0)
    return fitted.history


def test_gradient_ratio_is_in_percent_by_layer_and_in_total():
    logs = history(squared_weights(), callbacks.GradientRatio(), epochs=2)
    del logs["loss"]
    assert logs == {
        "grad_ratio": pytest.approx([100, 100], rel=1e-5),
        "grad_ratio/first": pytest.approx([100, 100], rel=1e-5),
        "grad_ratio/second": pytest.approx([100, 100], rel=1e-5),
    }


def test_weight_norm_is_that_of_kernels_at_the_end_of_the_epoch():
    logs = history(squared_weights(learning_rate=0.5), callbacks.WeightNorm(), epochs=2)
    assert logs["weight_norm"] == pytest.approx([13 / 8, 13 / 64], rel=1e-5)  # halved at each of three steps
    assert logs["weight_norm/first"] == pytest.approx([5 / 8, 5 / 64], rel=1e-5)
    assert logs["weight_norm/second"] == pytest.approx([12 / 8, 12 / 64], rel=1e-5)


def test_biases_count_neither_in_ratio_nor_in_norm():
    model = squared_weights()
    model.get_layer("first").set_weights([np.array([[3.0], [4.0]]), np.full(1, 100.0)])
    model.compile(model.optimizer, lambda y, outputs: 0 * outputs)
    logs = history(model, callbacks.GradientRatio(), callbacks.WeightNorm())
    assert logs["weight_norm"] == pytest.approx([13]) and logs["grad_ratio"] == pytest.approx([100], rel=1e-5)


def test_learning_rate_follows_the_schedule():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([4], [0.1, 0.01])
    logs = history(squared_weights(schedule), callbacks.LearningRate(), epochs=3)  # three steps an epoch
    assert logs["learning_rate"] == pytest.approx([0.1, 0.01, 0.01])


def test_learning_rate_is_that_of_the_last_step():
    schedule = keras.optimizers.schedules.PolynomialDecay(1.0, 10, end_learning_rate=0.0)
    logs = history(squared_weights(schedule), callbacks.LearningRate(), epochs=2)
    assert logs["learning_rate"] == pytest.approx([0.8, 0.5])  # steps 2 and 5, counted from 0


class Clock(keras.callbacks.Callback):
    """A clock that each step moves by 1 s, each validation by 10 s, the end of an epoch by 100 s."""

    now = 0

    def perf_counter(self):
        return self.now

    def on_train_batch_end(self, batch, logs=None):
        self.now += 1

    def on_test_end(self, logs=None):
        self.now += 10

    def on_epoch_end(self, epoch, logs=None):
        self.now += 100


def test_epoch_time_is_that_of_training_and_validation_without_the_callbacks_after_it(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(callbacks, "time", clock)
    model, x, y = squared_weights(), np.zeros((6, 2)), np.zeros(6)
    added = [callbacks.EpochTime(), clock]
    fitted = model.fit(x, y, batch_size=2, epochs=2, validation_data=(x, y), callbacks=added, verbose=0)
    assert fitted.history["epoch_time"] == [13, 13]


def test_histograms_count_every_weight_and_gradient_of_each_kernel():
    seen = []
    model = squared_weights()
    images, labels = np.zeros((4, 2), "float32"), np.zeros((4, 1), "float32")
    history(model, callbacks.Histograms(images, labels, lambda *row: seen.append(row)), epochs=2)
    assert [epoch for epoch, _ in seen] == [1, 2]
    kinds = seen[0][1]
    assert {kind: set(by_layer) for kind, by_layer in kinds.items()} == {
        "gradients": {"first", "second"},
        "parameters": {"first", "second"},
    }
    for kind in ("gradients", "parameters"):  # the gradient of half the square is the weight itself
        second = kinds[kind]["second"]
        assert (second["low"], second["high"]) == pytest.approx((0, 12))
        assert second["counts"] == [1] + 62 * [0] + [1]
        assert sum(kinds[kind]["first"]["counts"]) == 2


def test_layer_name_is_the_path_without_the_variable():
    assert callbacks.layer_name("dense_1/kernel") == "dense_1"
    assert callbacks.layer_name("block/conv/kernel") == "block/conv"

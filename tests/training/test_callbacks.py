"""What callbacks write into `logs`, by real `fit` calls on a loss worked out by hand."""

import keras
import numpy as np
import pytest

from fer_keras.backend.gradients import tracked
from fer_keras.core import progress
from fer_keras.core.errors import InputError
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
        assert (second["scale"], second["limit"]) == pytest.approx((12, 12))
        assert second["counts"] == 32 * [0] + [1] + 30 * [0] + [1]
        assert sum(kinds[kind]["first"]["counts"]) == 2


def test_histogram_shows_the_spread_of_peaked_values():
    # Half of 1000 values lie within 0.001 of 0, the others up to 1: one of equal bins would hold more than half.
    values = np.concatenate(
        [np.linspace(-0.001, 0.001, 501), np.geomspace(0.001, 1, 250), -np.geomspace(0.001, 1, 249)]
    )
    found = callbacks.histogram(values)
    assert (found["limit"], sum(found["counts"])) == (1, 1000)
    assert found["scale"] == pytest.approx(0.001, rel=0.01)
    assert max(found["counts"]) < 100
    assert callbacks.histogram(np.zeros((2, 2)))["counts"] == 32 * [0] + [4] + 31 * [0]
    assert sum(callbacks.histogram(np.array([np.nan, np.inf, 1]))["counts"]) == 1


def test_histogram_edges():
    # asinh(2 / 1) = 1.443635; at half of it sinh(0.721818) = 0.786151.
    assert callbacks.histogram_edges(1, 2, bins=4) == pytest.approx([-2, -0.786151, 0, 0.786151, 2], abs=1e-6)


def test_spread_of_gradients_and_weights_by_layer():
    model = squared_weights()
    images, labels = np.zeros((4, 2), "float32"), np.zeros((4, 1), "float32")
    logs = history(model, callbacks.Histograms(images, labels, lambda *row: None))
    for kind in ("gradient", "weight"):  # the gradient of half the square is the weight itself
        # 3 and 4: 0.5 from their mean, the quartiles 3.25 and 3.75; 0 and 12: 6, and 3 and 9.
        for layer, width in (("first", 0.5), ("second", 6)):
            assert logs[f"{kind}_sd/{layer}"] == pytest.approx([width])
            assert logs[f"{kind}_iqr/{layer}"] == pytest.approx([width])


def test_inference_accuracy_is_without_dropout_and_of_the_last_three_epochs():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dropout(0.9), keras.layers.Dense(2, use_bias=False)])
    model.layers[-1].set_weights([np.eye(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.0), loss, metrics=[keras.metrics.SparseCategoricalAccuracy(name="acc")])
    images, labels = np.eye(2)[[0, 1, 0, 1]], np.array([0, 1, 0, 0])
    added = callbacks.InferenceAccuracy(images, labels)
    fitted = model.fit(images, labels, epochs=5, callbacks=[added], verbose=0)
    assert fitted.history["train_acc_inference"] == [0.75] * 3


def test_recalibrated_accuracy_is_by_the_mean_of_the_batch_statistics():
    # 3 and 5 in one batch, 7 and 9 in the other: mean 6, variance 1. By the moving mean of 0 all are positive.
    norm = keras.layers.BatchNormalization(center=False, scale=False, momentum=0.99)
    dense = keras.layers.Dense(2, use_bias=False)
    model = keras.Sequential([keras.Input((1,)), norm, dense])
    dense.set_weights([np.array([[-1.0, 1.0]])])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.0), loss, metrics=[keras.metrics.SparseCategoricalAccuracy(name="acc")])
    batches = [(np.array([[3.0], [5.0]]), None), (np.array([[7.0], [9.0]]), None)]
    images, labels = np.array([[3.0], [5.5], [6.5], [9.0]]), np.array([0, 0, 1, 1])
    before = [keras.ops.convert_to_numpy(v).copy() for v in norm.weights]
    callback, logs = callbacks.RecalibratedAccuracy(batches, images, labels), {}
    callback.set_model(model)
    callback.set_params({"epochs": 1})
    assert callbacks.accuracy(model, images, labels) == 0.5
    callback.on_epoch_end(0, logs)
    assert logs == {"val_acc_recalibrated": 1.0}
    after = [keras.ops.convert_to_numpy(v) for v in norm.weights]
    assert [a.tolist() for a in after] == [b.tolist() for b in before] and norm.momentum == 0.99


def test_layer_name_is_the_path_without_the_variable():
    assert callbacks.layer_name("dense_1/kernel") == "dense_1"
    assert callbacks.layer_name("block/conv/kernel") == "block/conv"


def test_gradient_ratio_in_anybodys_fit_names_the_optimizer_that_it_needs():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    with pytest.raises(InputError, match=r"Received a plain Adam. Compile .*tracked\(keras.optimizers.Adam\)"):
        history(model, callbacks.GradientRatio())


def epoch_line(caplog, epoch, epochs, **logs):
    bar = callbacks.ProgressBar(progress.progress())
    bar.set_params({"epochs": epochs, "steps": 1})
    with caplog.at_level("INFO", "fer_keras"):
        bar.on_epoch_end(epoch, logs)
    return caplog.messages[-1]


def test_line_of_an_epoch_fits_80_columns(caplog):
    logs = {"loss": 1.23456, "acc": 0.5, "grad_ratio": 1.0, "val_loss": 2.0, "val_acc": 0.25, "epoch_time": 12.345}
    line = "epoch 2/10  loss 1.235  acc 0.500  val_loss 2.000  val_acc 0.250  12.3 s"
    assert epoch_line(caplog, 1, 10, **logs) == line
    huge = {"loss": 123456.7, "acc": 0.5, "val_loss": 2.5e30, "val_acc": 0.25, "epoch_time": 12345.6}
    assert len(epoch_line(caplog, 998, 999, **huge)) <= 80

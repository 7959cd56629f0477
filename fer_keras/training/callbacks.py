"""Keras callbacks: metrics in the epoch's `logs`, log lines, progress bar, reseeding, distributed training.

The callbacks of checkpoints and learning-rate schedules are in `checkpoints` and `schedules`. Metrics are written
into `logs`, where `History` and later callbacks read them. `EpochTime` must come first: its figure would include
the callbacks before it.
"""

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from rich.progress import Progress

from fer_keras.backend import distribution, private
from fer_keras.backend.gradients import GradientStatistics, batch_gradients
from fer_keras.core.errors import InputError
from fer_keras.experiment import LAST_EPOCHS
from fer_keras.training.dataset import Batches

LOGGER = logging.getLogger("fer_keras")


class EpochTime(keras.callbacks.Callback):
    """Adds `epoch_time`: seconds of the epoch, training and validation."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs["epoch_time"] = time.perf_counter() - self.start


class FiniteLoss(keras.callbacks.Callback):
    """Stops the training if the loss becomes NaN or infinite, before that epoch is saved.

    It checks the running mean, which stays NaN or infinite until the end of the epoch.

    Raises:
        InputError: with the loss, the epoch, the step at which it was detected, and what to try.
    """

    async_safe = True  # runs in a thread, so that training need not wait for the GPU

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if "loss" in logs:  # `fer_keras.training.loop` reads the loss only after the epoch
            self._check("training", logs["loss"], f"by step {batch + 1} of")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._check("training", logs["loss"], "after")
        self._check("validation", logs.get("val_loss", 0.0), "after")

    def _check(self, kind: str, loss: float, place: str) -> None:
        if not math.isfinite(loss):
            rate = float(ops.convert_to_numpy(self.model.optimizer.learning_rate))
            raise InputError(
                f"The {kind} loss became {loss} {place} epoch {self.epoch + 1}, at a learning rate of {rate:g}. "
                "Try a smaller learning_rate, optimizer_options.global_clipnorm=1.0, or --precision float32. "
                "The run directory keeps the earlier epochs."
            )


class GradientRatio(keras.callbacks.Callback):
    """Adds `grad_ratio`: norm of the gradient in percent of the weights' norm, averaged over the epoch's steps.

    100 ‖g‖₂ / ‖w‖₂ over all kernels together, and `grad_ratio/<layer>` for each. Needs an optimizer from
    `fer_keras.backend.gradients.tracked`.
    """

    def on_train_begin(self, logs: Any = None) -> None:
        optimizer = self.model.optimizer
        self.optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # of a `LossScaleOptimizer`
        if not isinstance(self.optimizer, GradientStatistics):
            name = type(self.optimizer).__name__
            raise InputError(
                "GradientRatio needs an optimizer that keeps gradient statistics. Received a plain "
                f"{name}. Compile with fer_keras.backend.gradients.tracked(keras.optimizers.{name})(...)."
            )

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        ratios = self.optimizer.read_ratios()
        logs["grad_ratio"] = 100 * ratios.pop("total")
        logs.update({f"grad_ratio/{layer_name(path)}": 100 * ratio for path, ratio in ratios.items()})


class WeightNorm(keras.callbacks.Callback):
    """Adds `weight_norm`: L2 norm of all kernels together at the end of the epoch, and `weight_norm/<layer>`."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        kernels = {v.path: v for v in self.model.trainable_variables if len(v.shape) > 1}
        norms = {path: float(np.linalg.norm(ops.convert_to_numpy(v))) for path, v in kernels.items()}
        logs["weight_norm"] = float(np.linalg.norm(list(norms.values())))
        logs.update({f"weight_norm/{layer_name(path)}": norm for path, norm in norms.items()})


class LearningRate(keras.callbacks.Callback):
    """Adds `learning_rate`: the rate of the epoch's last step."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        optimizer = self.model.optimizer
        rate = private.learning_rate(optimizer)
        if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
            rate = rate(optimizer.iterations - 1)
        logs["learning_rate"] = float(ops.convert_to_numpy(rate))


class InferenceAccuracy(keras.callbacks.Callback):
    """Adds `train_acc_inference` to the last epochs: accuracy on training images without dropout and augmentation.

    Args:
        images: fixed training images, (n, 48, 48, 1).
        targets: as the loss takes them.
        averaging: callbacks that swap in averaged weights for evaluation.
    """

    def __init__(
        self, images: np.ndarray, targets: np.ndarray, averaging: Sequence[keras.callbacks.Callback] = ()
    ) -> None:
        super().__init__()
        self.images, self.targets, self.averaging = images, targets, list(averaging)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if epoch >= self.params["epochs"] - LAST_EPOCHS:
            logs["train_acc_inference"] = accuracy(self.model, self.images, self.targets, self.averaging)


class RecalibratedAccuracy(keras.callbacks.Callback):
    """Adds `val_acc_recalibrated` to the last epoch: validation accuracy with recomputed BatchNorm statistics.

    The statistics are the mean of the batch statistics over one pass through the training batches, with dropout,
    augmentation and fixed weights. All variables are restored. Without BatchNorm it adds nothing.

    Args:
        batches: `fer_keras.training.dataset.Batches`.
        images: validation images, (n, 48, 48, 1).
        targets: as the loss takes them.
    """

    def __init__(self, batches: Batches, images: np.ndarray, targets: np.ndarray) -> None:
        super().__init__()
        self.batches, self.images, self.targets = batches, images, targets

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        layers = [x for x in private.flatten_layers(self.model) if isinstance(x, keras.layers.BatchNormalization)]
        if not layers or epoch < self.params["epochs"] - 1:
            return
        kept = [ops.convert_to_numpy(v).copy() for v in self.model.non_trainable_variables]
        momenta = [layer.momentum for layer in layers]
        for step in range(len(self.batches)):
            for layer in layers:
                layer.momentum = step / (step + 1)  # the moving average becomes the mean so far
            self.model(ops.convert_to_tensor(self.batches[step][0]), training=True)
        logs["val_acc_recalibrated"] = accuracy(self.model, self.images, self.targets)
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        for variable, value in zip(self.model.non_trainable_variables, kept, strict=True):
            variable.assign(value)


class Histograms(keras.callbacks.Callback):
    """Passes histograms of gradients and weights by layer on after each epoch, and adds their spread to `logs`.

    `gradient_sd/<layer>` and `weight_sd/<layer>` are standard deviations over a kernel's elements,
    `gradient_iqr/<layer>` and `weight_iqr/<layer>` interquartile ranges, which are robust to outliers.

    Args:
        images: fixed training images, (n, 48, 48, 1), for the gradients.
        labels: (n,).
        on_histograms: called with the epoch (from 1) and {"gradients": {layer: histogram}, "parameters": …}, where
            a histogram is what `histogram` returns.
    """

    def __init__(
        self, images: np.ndarray, labels: np.ndarray, on_histograms: Callable[[int, dict[str, Any]], None]
    ) -> None:
        super().__init__()
        self.images, self.labels, self.on_histograms = images, labels, on_histograms

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        model = self.model
        gradients = batch_gradients(model, self.images, self.labels)
        parameters = {v.path: ops.convert_to_numpy(v) for v in model.trainable_variables}
        kinds = {"gradients": gradients, "parameters": parameters}
        logs.update(_spread("gradient", gradients) | _spread("weight", parameters))
        self.on_histograms(epoch + 1, {kind: _histograms(arrays) for kind, arrays in kinds.items()})


class DistributedLogs(keras.callbacks.Callback):
    """Averages `logs` over the processes of data-parallel training, and sets the batch size that layers see.

    It must come before callbacks that read `logs` or add to it. Every metric is a mean over images.

    Args:
        batches: `Batches`.
        validation: `distribution.Part` of the validation images that this process scores.
    """

    def __init__(self, batches: Batches, validation: distribution.Part) -> None:
        super().__init__()
        self.batches, self.validation = batches, validation
        wholes = [batches.size(index) for index in range(len(batches))]
        own = sum(distribution.part(whole).share * whole for whole in wholes)
        self.share = own / sum(wholes)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        distribution.start_step(self.batches.size(batch))

    def on_test_begin(self, logs: Any = None) -> None:
        distribution.end_step()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        distribution.end_step()
        shares = {name: self.validation.share if name.startswith("val_") else self.share for name in logs}
        logs.update(distribution.sum_of({name: value * shares[name] for name, value in logs.items()}))


class ReseedEachEpoch(keras.callbacks.Callback):
    """Reseeds shuffling, dropout and augmentation by seed and epoch, so that a resumed run gives equal results."""

    def __init__(self, batches: Batches, seed: int) -> None:
        super().__init__()
        self.batches, self.seed = batches, seed

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.batches.start(epoch)
        sequence = np.random.SeedSequence([self.seed, epoch])
        # On a GPU, Dropout uses torch's global generator. All other layers have their own state, which is the same
        # in every process.
        keras.utils.set_random_seed((int(sequence.generate_state(1)[0]) + distribution.rank()) % 2**32)
        states = [v for v in self.model.variables if v.name == "seed_generator_state"]
        for state, child in zip(states, sequence.spawn(len(states)), strict=True):
            state.assign(child.generate_state(2))


class EpochRows(keras.callbacks.Callback):
    """Passes each epoch's `logs` to `on_epoch` as a row with the study's names."""

    NAMES = {"loss": "train_loss", "acc": "train_acc"}

    def __init__(self, on_epoch: Callable[[dict[str, Any]], None]) -> None:
        super().__init__()
        self.on_epoch = on_epoch

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        row = {self.NAMES.get(name, name): float(value) for name, value in logs.items()}
        self.on_epoch({"epoch": epoch + 1, **row})


class ProgressBar(keras.callbacks.Callback):
    """Shows a progress bar of the steps, and logs one line of at most 80 characters for each epoch.

    Args:
        progress: a started `rich.progress.Progress`.
    """

    async_safe = True  # see `FiniteLoss`

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self.progress, self.task = progress, progress.add_task("")

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        description = f"epoch {epoch + 1}/{self.params['epochs']}"
        self.progress.reset(self.task, total=self.params["steps"], description=description)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.progress.update(self.task, completed=batch + 1)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        names = [name for name in ("loss", "acc", "val_loss", "val_acc") if name in logs]
        figures = [f"{name} {_short(logs[name])}" for name in names]
        time = logs.get("epoch_time")
        seconds = [] if time is None else [f"{time:.1f} s" if time < 100 else f"{time:.0f} s"]
        line = "  ".join([f"epoch {epoch + 1}/{self.params['epochs']}", *figures, *seconds])
        LOGGER.info(line, extra={"values": {"epoch": epoch + 1, **logs}})


def _short(value: float) -> str:
    return f"{value:.3f}" if value < 100 else f"{value:.1e}"


def _histograms(arrays: Mapping[str, np.ndarray]) -> dict[str, dict[str, Any]]:
    return {layer_name(path): histogram(array) for path, array in arrays.items() if array.ndim > 1}


def histogram(values: np.ndarray) -> dict[str, Any]:
    """Return {"scale", "limit", "counts"} of the finite `values`: 64 counts between `histogram_edges`."""
    values = values[np.isfinite(values)]
    magnitudes = np.abs(values[values != 0])
    scale, limit = (float(np.median(magnitudes)), float(magnitudes.max())) if len(magnitudes) else (1.0, 1.0)
    counts, _ = np.histogram(values, histogram_edges(scale, limit))
    return {"scale": scale, "limit": limit, "counts": counts.tolist()}


def histogram_edges(scale: float, limit: float, bins: int = 64) -> np.ndarray:
    """Return the `bins` + 1 edges of a histogram up to ±`limit`, linear below `scale` and logarithmic beyond.

    Gradients and weights peak at 0 and have long tails: one of equally wide bins would hold nearly all values.
    """
    edges = scale * np.sinh(np.linspace(-1, 1, bins + 1) * np.arcsinh(limit / scale))
    edges[[0, -1]] = -limit, limit  # exact, so that no value falls outside
    return edges


def _spread(kind: str, arrays: Mapping[str, np.ndarray]) -> dict[str, float]:
    spread = {}
    for path, array in arrays.items():
        if array.ndim > 1:
            low, high = np.percentile(array, [25, 75])
            spread[f"{kind}_sd/{layer_name(path)}"] = float(array.std(dtype="float64"))
            spread[f"{kind}_iqr/{layer_name(path)}"] = float(high - low)
    return spread


def accuracy(
    model: keras.Model, images: np.ndarray, targets: np.ndarray, averaging: Sequence[keras.callbacks.Callback] = ()
) -> float:
    """Return the model's compiled accuracy on images, a fraction, in inference mode."""
    return model.evaluate(images, targets, batch_size=512, verbose=0, return_dict=True, callbacks=averaging)["acc"]


def layer_name(path: str) -> str:
    """Return the layer's part of a variable's path: `"dense_1/kernel"` gives `"dense_1"`."""
    return path.rpartition("/")[0]

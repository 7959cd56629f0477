"""Learning-rate schedules, see `Experiment.schedule`."""

import math
from typing import Any

import keras
from keras import ops

from fer_keras.experiment import Experiment
from fer_keras.training.checkpoints import built_optimizer

WARMUP = 0.2  # fraction of a one-cycle schedule's steps
STEPS_START, STEPS_EVERY, STEPS_FACTOR = 0.32, 0.02, 0.9  # fractions of the epochs
PLATEAU = {"factor": 0.75, "patience": 6}  # a patience of 5 in PyTorch's ReduceLROnPlateau


def rate(name: str, learning_rate: float, steps: int) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Return the learning rate, or a Keras schedule over `steps` steps, for an optimizer."""
    if name in ("constant", "plateau", "steps"):  # `callbacks` change the last two
        return learning_rate
    if name == "cosine":
        return keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    return OneCycle(learning_rate, steps)


class OneCycle(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up from 0 to `highest`, then cosine decay to 0, in `steps` steps altogether.

    Equal to Keras' `CosineDecay` with a warm-up, up to rounding. That class branches on the step, so on torch the
    CPU would wait for the GPU at every weight of every step.
    """

    def __init__(self, highest: float, steps: int) -> None:
        self.highest, self.steps = highest, steps
        self.rise = max(round(WARMUP * steps), 1)
        self.fall = max(steps - self.rise, 1)

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, "float32")
        fallen = ops.minimum((step - self.rise) / self.fall, 1.0)
        shares = step / self.rise, 0.5 * (1 + ops.cos(math.pi * fallen))
        return self.highest * ops.where(step < self.rise, *shares)

    def get_config(self) -> dict[str, Any]:
        return {"highest": self.highest, "steps": self.steps}


def callbacks(model: keras.Model, experiment: Experiment) -> list[keras.callbacks.Callback]:
    """Return the callbacks of the schedules that change the learning rate between epochs."""
    if experiment.schedule == "plateau":
        return [Plateau(model)]
    if experiment.schedule != "steps":
        return []
    start = round(STEPS_START * experiment.epochs)
    length = max(round(STEPS_EVERY * experiment.epochs), 1)
    return [
        keras.callbacks.LearningRateScheduler(
            lambda epoch: experiment.learning_rate * STEPS_FACTOR ** max((epoch - start) // length, 0)
        )
    ]


class Plateau(keras.callbacks.ReduceLROnPlateau):
    """`ReduceLROnPlateau` on validation accuracy; its state is an optimizer variable, so checkpoints have it."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__("val_acc", mode="max", **PLATEAU)
        self.memory = built_optimizer(model).add_variable((2,), name="plateau")  # best accuracy, epochs since

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.best, self.wait = map(float, ops.convert_to_numpy(self.memory))
        super().on_epoch_end(epoch, logs)
        self.memory.assign([self.best, self.wait])

"""How the learning rate goes; see `Experiment.schedule`."""

import keras
from keras import ops

from fer_keras.checkpoints import built_optimizer

WARMUP = 0.2  # fraction of a one-cycle schedule's steps
STEPS_START, STEPS_EVERY, STEPS_FACTOR = 0.32, 0.02, 0.9  # fractions of the epochs
PLATEAU = {"factor": 0.75, "patience": 6}  # PyTorch's ReduceLROnPlateau calls six epochs a patience of 5


def rate(name, learning_rate, steps):
    """Return the learning rate, or Keras' schedule of it over so many `steps`, for an optimizer."""
    if name in ("constant", "plateau", "steps"):  # the last two by `callbacks`
        return learning_rate
    if name == "cosine":
        return keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    warmup = max(round(WARMUP * steps), 1)
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(steps - warmup, 1), warmup_target=learning_rate, warmup_steps=warmup
    )


def callbacks(model, experiment):
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
    """Keras' own, by validation accuracy; it remembers in a variable of the optimizer, which checkpoints hold."""

    def __init__(self, model):
        super().__init__("val_acc", mode="max", **PLATEAU)
        self.memory = built_optimizer(model).add_variable((2,), name="plateau")  # best accuracy, epochs since

    def on_epoch_end(self, epoch, logs=None):
        self.best, self.wait = map(float, ops.convert_to_numpy(self.memory))
        super().on_epoch_end(epoch, logs)
        self.memory.assign([self.best, self.wait])

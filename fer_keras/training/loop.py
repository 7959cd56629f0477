"""A training loop around `fer_keras.backend.step`: `Model.fit` that does not read from the device in each step."""

import keras
import numpy as np

from fer_keras.backend.step import GraphedStep, Step
from fer_keras.training.dataset import Batches

VALIDATION_BATCH = 512


def train(
    model: keras.Model,
    step: Step | GraphedStep,
    batches: Batches,
    *,
    epochs: int,
    initial_epoch: int,
    validation_data: tuple[np.ndarray, np.ndarray] | None,
    callbacks: list[keras.callbacks.Callback],
) -> None:
    """Train `model` with `step`; the arguments are those of `Model.fit`.

    Callbacks are called as in `fit`. After a step their `logs` are empty, since metrics stay on the device until
    the epoch ends.

    Args:
        model: compiled `keras.Model`.
        step: `fer_keras.backend.step.Step` or `GraphedStep` of that model.
        batches: `fer_keras.training.dataset.Batches`, started for each epoch by a callback.
        epochs, initial_epoch: counted from 0.
        validation_data: (images, targets) to score after every epoch, or `None`.
        callbacks: list of `keras.callbacks.Callback`.
    """
    called = keras.callbacks.CallbackList(callbacks, model=model, epochs=epochs, steps=len(batches))
    called.on_train_begin()
    for epoch in range(initial_epoch, epochs):
        model.reset_metrics()
        called.on_epoch_begin(epoch)
        step.start(batches.plan())
        for index in range(len(batches)):
            called.on_train_batch_begin(index)
            step(batches.size(index))
            called.on_train_batch_end(index, {})
        logs = {name: float(value) for name, value in model.get_metrics_result().items()}
        if validation_data is not None:
            scores = model.evaluate(
                *validation_data, VALIDATION_BATCH, verbose=0, callbacks=called, return_dict=True
            )
            logs |= {f"val_{name}": value for name, value in scores.items()}
        called.on_epoch_end(epoch, logs)
    model.optimizer.finalize_variable_values(model.trainable_weights)
    called.on_train_end()

"""Losses by name. All take logits: backends differ in how they handle saturated softmax outputs."""

from typing import Any

import keras
from keras import ops

from fer_keras.experiment import Experiment


class GeneralizedCrossEntropy(keras.losses.Loss):
    """(1 - p^q) / q, where p is the probability of the target; Zhang & Sabuncu 2018, arXiv:1805.07836.

    Unlike Keras' class of the same name, it takes soft targets and logits.
    """

    def __init__(self, q: float = 0.7) -> None:
        super().__init__()
        self.q = q

    def call(self, y_true: Any, y_pred: Any) -> Any:
        probability = ops.sum(y_true * ops.softmax(y_pred), axis=-1)
        return (1 - ops.power(ops.maximum(probability, 1e-7), self.q)) / self.q


LOSSES = {
    "cross_entropy": lambda: keras.losses.CategoricalCrossentropy(from_logits=True),
    "focal": lambda: keras.losses.CategoricalFocalCrossentropy(from_logits=True, alpha=1.0),
    "generalized_cross_entropy": GeneralizedCrossEntropy,
}


def uses_soft_targets(experiment: Experiment) -> bool:
    """Return whether the targets are distributions over the classes instead of class numbers."""
    return bool(
        experiment.label_smoothing
        or experiment.mixup
        or experiment.cutmix
        or experiment.loss != "cross_entropy"
        or experiment.teachers
        or experiment.labels == "fer+8"
    )


def loss_and_accuracy(experiment: Experiment) -> tuple[keras.losses.Loss, keras.metrics.Metric]:
    """Return the experiment's loss and the metric `acc`, for targets as `uses_soft_targets` says."""
    if uses_soft_targets(experiment):
        return LOSSES[experiment.loss](), keras.metrics.CategoricalAccuracy(name="acc")
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return cross_entropy, keras.metrics.SparseCategoricalAccuracy(name="acc")

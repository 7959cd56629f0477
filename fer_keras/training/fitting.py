"""Compile and fit. An interrupted training resumes after its last epoch, with equal results."""

import dataclasses
import logging
import math
import pathlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from sklearn.utils.class_weight import compute_class_weight

from fer_keras import models
from fer_keras.backend import device, distribution, step
from fer_keras.backend.gradients import tracked
from fer_keras.backend.optimizers import Muon, fused, sharpness_aware
from fer_keras.core.errors import InputError
from fer_keras.core.progress import progress
from fer_keras.data import Faces
from fer_keras.experiment import Experiment
from fer_keras.models.preprocessing import preprocessing
from fer_keras.training import callbacks, checkpoints, distillation, loop, schedules
from fer_keras.training.dataset import Batches, targets_of
from fer_keras.training.losses import loss_and_accuracy

LOGGER = logging.getLogger("fer_keras")
OPTIMIZERS = {
    "adam": fused(keras.optimizers.Adam),
    "adamw": fused(keras.optimizers.AdamW),
    "muon": Muon,
    "rmsprop": fused(keras.optimizers.RMSprop),
    "sgd": fused(keras.optimizers.SGD),
}
OVERFIT_IMAGES = 128  # of the overfit check: one batch, so one step per epoch
OVERFIT_EPOCHS = 100
PROBE = 128  # training images for the gradient histograms
INFERENCE_IMAGES = 2870  # training images scored in inference mode, as many as the validation split has


def build(experiment: Experiment, train: Faces) -> keras.Model:
    """Return the compiled model of `experiment`: raw images (n, 48, 48, 1) to logits (n, classes).

    Args:
        experiment: `Experiment`.
        train: `Faces`, for the normalization's statistics and the length of the schedule.

    Raises:
        InputError: if the model, an option or an augmentation is unknown, or only one of `teachers` and
            `distillation` is set.
    """
    if bool(experiment.teachers) != bool(experiment.distillation):
        raise InputError(
            "Set both teachers and distillation (their share of the target), or neither. Received "
            f"teachers={experiment.teachers!r}, distillation={experiment.distillation!r}."
        )
    keras.utils.set_random_seed(experiment.seed)
    layers = preprocessing(
        train.images,
        normalization=experiment.normalization,
        augmentation=experiment.augmentation,
        seed=experiment.seed,
    )
    model = models.build(experiment.model, experiment.model_options, layers, num_classes=len(train.class_names))
    steps = experiment.epochs * math.ceil(len(train.labels) / experiment.batch_size)
    loss, metric = loss_and_accuracy(experiment)
    model.compile(optimizer=_optimizer(experiment, steps), loss=loss, metrics=[metric])
    return model


def _class_weight(labels: np.ndarray, experiment: Experiment) -> dict[int, float] | None:
    if experiment.class_weight is None:
        return None
    classes = np.unique(labels)
    return dict(zip(classes.tolist(), compute_class_weight("balanced", classes=classes, y=labels), strict=True))


def _optimizer(experiment: Experiment, steps: int) -> keras.optimizers.Optimizer:
    chosen = OPTIMIZERS[experiment.optimizer]
    try:
        optimizer = tracked(sharpness_aware(chosen) if experiment.sam else chosen)(
            learning_rate=schedules.rate(experiment.schedule, experiment.learning_rate, steps),
            **experiment.optimizer_options,
        )
    except (TypeError, ValueError) as error:
        raise InputError(f"optimizer_options do not fit {experiment.optimizer!r}: {error}") from error
    if experiment.sam:
        optimizer.radius = experiment.sam
    return optimizer


def fit(
    model: keras.Model,
    experiment: Experiment,
    batches: Batches,
    validation: Faces | None,
    *,
    on_epoch: Callable[[dict[str, Any]], None] | None = None,
    on_histograms: Callable[[int, dict[str, Any]], None] | None = None,
    checkpoint: pathlib.Path | None = None,
    capture: bool = False,
) -> None:
    """Train `model` for the experiment's epochs, continuing from `checkpoint` if that file exists.

    In a group of processes (see `distribution.joined`), all must call this. Only process 0 needs `on_epoch` and
    the arguments after it.

    Args:
        model: from `build`.
        experiment: `Experiment`.
        batches: `fer_keras.training.dataset.Batches` of the training images, with soft targets if the experiment
            has teachers.
        validation: `Faces` to score after every epoch; `None`, only in a single process, for no validation.
        on_epoch: called with each epoch's row: `epoch` (from 1), `train_loss`, `train_acc`, `val_loss`, `val_acc`
            (accuracies are fractions; the last two need validation) and the metrics of
            `fer_keras.training.callbacks`.
        on_histograms: called with the epoch and its histograms, see `callbacks.Histograms`; `None` for none.
        checkpoint: path of an `.npz` file, replaced atomically after every epoch; `None` for none.
        capture: replay the training step as a CUDA graph, see `fer_keras.backend.step`. If that is not possible,
            the log says why and training continues without.

    Raises:
        InputError: if the loss becomes NaN or infinite.
        Lost: if one of several processes ends, see `distribution`.
    """
    first = distribution.rank() == 0
    scored, shared = None, []
    if validation is not None:
        own = distribution.part(len(validation.labels))
        scored = validation.images[own.rows], targets_of(validation, experiment)[own.rows]
        shared = [callbacks.DistributedLogs(batches, own)] if distribution.size() > 1 else []
    averaging = [keras.callbacks.SwapEMAWeights()] if model.optimizer.use_ema else []
    scheduling = schedules.callbacks(model, experiment)  # before `restore`, which assigns their variables
    restored = checkpoints.restore(model, checkpoint) if checkpoint and first else 0
    epochs_done = checkpoints.share(model, restored)
    recording = _recording(batches, experiment, scored, averaging, on_histograms) if first else []
    batches.images = device.resident(batches.images)
    with progress(show=first) as bars:
        if first:
            recording += [callbacks.EpochRows(on_epoch)] if on_epoch else []
            recording += [checkpoints.Checkpoint(checkpoint)] if checkpoint else []
            recording.append(callbacks.ProgressBar(bars))
        fitted: dict[str, Any] = {
            "epochs": experiment.epochs,
            "initial_epoch": epochs_done,
            "validation_data": scored,
            "callbacks": [
                *averaging,
                *shared,
                callbacks.EpochTime(),
                callbacks.ReseedEachEpoch(batches, experiment.seed),
                callbacks.FiniteLoss(),
                callbacks.LearningRate(),
                *scheduling,
                *recording,
            ],
        }
        class_weight = _class_weight(batches.train.labels, experiment)
        if function := _step(model, experiment, batches, class_weight, capture):
            loop.train(model, function, batches, **fitted)
        else:
            model.fit(
                batches,
                validation_batch_size=loop.VALIDATION_BATCH,
                shuffle=False,  # Batches does it, by seed and epoch
                verbose=0,
                class_weight=class_weight,
                **fitted,
            )


def _recording(
    batches: Batches,
    experiment: Experiment,
    scored: tuple[np.ndarray, np.ndarray] | None,
    averaging: list[keras.callbacks.Callback],
    on_histograms: Callable[[int, dict[str, Any]], None] | None,
) -> list[keras.callbacks.Callback]:
    """Return the callbacks that add metrics to the history; those on fixed images only with `on_histograms`."""
    recording = [callbacks.GradientRatio(), callbacks.WeightNorm()]
    if on_histograms:
        probe = np.asarray(batches.images[:PROBE]), batches.targets[:PROBE]
        recording.append(callbacks.Histograms(*probe, on_histograms))
        if scored and distribution.size() == 1:
            rows = stratified(batches.train.labels, INFERENCE_IMAGES)
            known = batches.images[rows], targets_of(batches.train, experiment)[rows]
            recording.append(callbacks.InferenceAccuracy(*known, averaging))
            if not averaging:
                recording.append(callbacks.RecalibratedAccuracy(batches, *scored))
    return recording


def _step(
    model: keras.Model,
    experiment: Experiment,
    batches: Batches,
    class_weight: dict[int, float] | None,
    capture: bool,
) -> step.Step | step.GraphedStep | None:
    """Return the training step as a function, a graph with `capture`; `None` leaves it to `Model.fit`."""
    in_view = bool(experiment.teachers) and experiment.teacher_view == "augmented"
    obstacle = capture and step.obstacle(sam=experiment.sam)
    if obstacle:
        LOGGER.warning("The training step is not captured: %s.", obstacle)
    if in_view and (keras.backend.backend() != "torch" or distribution.size() > 1 or experiment.sam):
        raise InputError("teacher_view='augmented' needs the torch backend, a single process and sam=0.")
    if not in_view and (obstacle or not capture):
        return None
    checkpoints.built_optimizer(model)
    teacher = view = None
    if in_view:
        teacher, view = distillation.teacher(experiment, model, batches.train.class_names)
    eager = step.Step(
        model,
        batches.images,
        batches.targets,
        experiment.batch_size,
        class_weight=class_weight,
        distillation=experiment.distillation,
        teacher=teacher,
        view=view,
    )
    return step.GraphedStep(eager) if capture and not obstacle else eager


def stratified(labels: np.ndarray, count: int) -> np.ndarray:
    """Return up to `count` indices of `labels`, stratified by class and the same in every call."""
    by_class = np.argsort(labels, kind="stable")
    return np.sort(by_class[np.linspace(0, len(labels), min(count, len(labels)), endpoint=False).astype(int)])


def overfit_losses(experiment: Experiment, train: Faces) -> list[float]:
    """Return the losses of the study's overfit check: one fixed batch, up to 100 epochs, no augmentation.

    It trains at the experiment's learning rate, held constant. The losses are the cross-entropy of each training
    step in nats, without the L2 penalty, which never reaches 0. Training stops below 0.01.
    """
    subset = train.take(np.arange(min(OVERFIT_IMAGES, len(train.labels))))
    images = np.asarray(subset.images)
    plainly: dict[str, Any] = {
        **{"schedule": "constant", "augmentation": (), "mixup": 0.0, "cutmix": 0.0, "label_smoothing": 0.0},
        **{"loss": "cross_entropy", "sam": 0.0, "teachers": (), "distillation": 0.0, "labels": "original"},
    }
    model = build(dataclasses.replace(experiment, **plainly), subset)
    cross_entropy = keras.metrics.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(model.optimizer, model.loss, metrics=[cross_entropy])
    losses = []
    with progress(show=distribution.rank() == 0) as bars:
        for _ in bars.track(range(OVERFIT_EPOCHS), description="overfit check"):
            model.reset_metrics()
            losses.append(float(model.train_on_batch(images, subset.labels)[-1]))
            if losses[-1] < 0.01:
                break
    return losses

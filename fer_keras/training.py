"""Compile and fit; an interrupted training continues where it stopped, with the same numbers."""

import contextlib
import dataclasses
import logging
import math
import sys
import zipfile
import zlib

import keras
import numpy as np
from keras import ops
from rich.console import Console
from rich.progress import Progress
from sklearn.utils.class_weight import compute_class_weight

from fer_keras import callbacks, distribution, models
from fer_keras.data import EMOTIONS
from fer_keras.errors import InputError
from fer_keras.files import writing
from fer_keras.gradients import tracked
from fer_keras.mixing import mix, smooth
from fer_keras.optimizers import Muon, fused, sharpness_aware
from fer_keras.preprocessing import preprocessing

LOGGER = logging.getLogger("fer_keras")
OPTIMIZERS = {
    "adam": fused(keras.optimizers.Adam),
    "adamw": fused(keras.optimizers.AdamW),
    "muon": Muon,
    "rmsprop": keras.optimizers.RMSprop,
    "sgd": keras.optimizers.SGD,
}
LOSSES = {
    "cross_entropy": lambda: keras.losses.CategoricalCrossentropy(from_logits=True),
    "focal": lambda: keras.losses.CategoricalFocalCrossentropy(from_logits=True, alpha=1.0),
    "generalized_cross_entropy": lambda: GeneralizedCrossEntropy(),
}
WARMUP = 0.2  # fraction of a one-cycle schedule's steps; see Experiment.schedule
STEPS_START, STEPS_EVERY, STEPS_FACTOR = 0.32, 0.02, 0.9  # fractions of the epochs; see Experiment.schedule
PLATEAU = {"factor": 0.75, "patience": 6}  # PyTorch's ReduceLROnPlateau calls six epochs a patience of 5
OVERFIT_IMAGES = 128  # the overfit check's subset: one batch, so that an epoch is a step
OVERFIT_EPOCHS = 100
CLIMB = 4  # a SAM step climbs by one in so many images of its batch; see Experiment.sam
PROBE = 128  # training images that the gradient histograms are taken from


def build(experiment, train):
    """Return the compiled model of `experiment`: raw images (n, 48, 48, 1) to logits (n, 7).

    Args:
        experiment: `Experiment`.
        train: `Faces`; their images decide the normalization, their number the length of the schedule.

    Raises:
        InputError: if the experiment names a model, an option or an augmentation that is not there, or teachers
            without a share of the target, or a share without them.
    """
    if bool(experiment.teachers) != bool(experiment.distillation):
        raise InputError(
            "teachers and distillation, their share of the target, go together. Received "
            f"teachers={experiment.teachers!r}, distillation={experiment.distillation!r}."
        )
    keras.utils.set_random_seed(experiment.seed)
    layers = preprocessing(
        train.images,
        normalization=experiment.normalization,
        augmentation=experiment.augmentation,
        seed=experiment.seed,
    )
    model = models.build(experiment.model, experiment.model_options, layers)
    steps = experiment.epochs * math.ceil(len(train.labels) / experiment.batch_size)
    # Logits, since a softmax head is not the same loss on every backend where it saturates.
    if _blends(experiment):
        loss, metric = LOSSES[experiment.loss](), keras.metrics.CategoricalAccuracy(name="acc")
    else:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        metric = keras.metrics.SparseCategoricalAccuracy(name="acc")
    model.compile(optimizer=_optimizer(experiment, steps), loss=loss, metrics=[metric])
    return model


class GeneralizedCrossEntropy(keras.losses.Loss):
    """(1 - p^q) / q for p the probability of the target; Zhang & Sabuncu 2018, arXiv:1805.07836.

    Keras' own takes class numbers and probabilities only: no blended targets, no logits.
    """

    def __init__(self, q=0.7):
        super().__init__()
        self.q = q

    def call(self, y_true, y_pred):
        probability = ops.sum(y_true * ops.softmax(y_pred), axis=-1)
        return (1 - ops.power(ops.maximum(probability, 1e-7), self.q)) / self.q


def _blends(experiment):
    """Whether the targets are rows of shares instead of class numbers."""
    return bool(
        experiment.label_smoothing
        or experiment.mixup
        or experiment.cutmix
        or experiment.loss != "cross_entropy"
        or experiment.teachers
    )


def _targets(labels, experiment, smoothing=0.0):
    return smooth(labels, len(EMOTIONS), smoothing) if _blends(experiment) else labels


def training_targets(train, experiment):
    """Return what the model is to say of the training images: class numbers (n,), or shares (n, 7) float32.

    Args:
        train: `Faces`; with teachers, their probabilities as `soft_labels`, see `fer_keras.teaching`.
        experiment: `Experiment`.
    """
    targets = _targets(train.labels, experiment, experiment.label_smoothing)
    if not experiment.teachers:
        return targets
    share = np.float32(experiment.distillation)
    return (1 - share) * targets + share * train.soft_labels


def _class_weight(labels, experiment):
    if experiment.class_weight is None:
        return None
    classes = np.unique(labels)
    return dict(zip(classes.tolist(), compute_class_weight("balanced", classes=classes, y=labels), strict=True))


def _optimizer(experiment, steps):
    chosen = OPTIMIZERS[experiment.optimizer]
    try:
        optimizer = tracked(sharpness_aware(chosen) if experiment.sam else chosen)(
            learning_rate=_schedule(experiment.schedule, experiment.learning_rate, steps),
            **experiment.optimizer_options,
        )
    except (TypeError, ValueError) as error:
        raise InputError(f"optimizer_options do not fit {experiment.optimizer!r}: {error}") from error
    if experiment.sam:
        optimizer.radius = experiment.sam
    return optimizer


def _schedule(name, learning_rate, steps):
    if name in ("constant", "plateau", "steps"):  # the last two by callbacks, see `_scheduling`
        return learning_rate
    if name == "cosine":
        return keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    warmup = max(round(WARMUP * steps), 1)
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(steps - warmup, 1), warmup_target=learning_rate, warmup_steps=warmup
    )


def _scheduling(model, experiment):
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
        self.memory = _built_optimizer(model).add_variable((2,), name="plateau")  # best accuracy, epochs since

    def on_epoch_end(self, epoch, logs=None):
        self.best, self.wait = map(float, ops.convert_to_numpy(self.memory))
        super().on_epoch_end(epoch, logs)
        self.memory.assign([self.best, self.wait])


def check_parts(experiment, train, validation):
    """Check that there is an image for each process in every batch and among those of validation.

    Raises:
        InputError: if there is not.
    """
    batches = Batches(train.images, train.labels, experiment)
    for count in (*map(batches.whole, range(len(batches))), len(validation)):
        distribution.part(count)


def fit(model, experiment, train, validation, *, on_epoch=None, on_histograms=None, checkpoint=None):
    """Train `model` for the experiment's epochs, continuing from `checkpoint` where that file exists.

    Where `distribution` has joined several processes, all must call this; process 0 alone needs the keywords.

    Args:
        model: from `build`.
        experiment: `Experiment`.
        train: `Faces` to train on, see `training_targets`.
        validation: `Faces` to score after every epoch.
        on_epoch: called with each epoch's row: `epoch` (from 1), `train_loss`, `train_acc`, `val_loss`, `val_acc`
            (accuracies as fractions) and what `fer_keras.callbacks` adds.
        on_histograms: called with the epoch and its histograms, see `callbacks.Histograms`.
        checkpoint: path of an `.npz` file, rewritten whole after every epoch.

    Raises:
        InputError: if the loss becomes infinite or no number.
        Lost: if one of several processes ends, see `distribution`.
    """
    targets = training_targets(train, experiment)
    batches = Batches(train.images, targets, experiment)
    averaging = [keras.callbacks.SwapEMAWeights()] if model.optimizer.use_ema else []
    own = distribution.part(len(validation.labels))
    sharing = [Sharing(batches, own)] if distribution.size() > 1 else []
    scheduling = _scheduling(model, experiment)
    epochs_done = _together(model, restore(model, checkpoint) if distribution.rank() == 0 else 0)
    with _progress() as progress:
        recording = [
            callbacks.GradientRatio(),
            callbacks.WeightNorm(),
            callbacks.Histograms(train.images[:PROBE], targets[:PROBE], on_histograms),
            EpochRows(on_epoch),
            Checkpoint(checkpoint),
            ProgressBar(progress),
        ]
        model.fit(
            batches,
            epochs=experiment.epochs,
            initial_epoch=epochs_done,
            validation_data=(validation.images[own.rows], _targets(validation.labels[own.rows], experiment)),
            validation_batch_size=512,
            shuffle=False,  # Batches does it, by seed and epoch
            verbose=0,
            class_weight=_class_weight(train.labels, experiment),
            callbacks=[
                *averaging,
                *sharing,
                callbacks.EpochTime(),
                EpochSeeds(batches, experiment.seed),
                callbacks.FiniteLoss(),
                callbacks.LearningRate(),
                *scheduling,
                *(recording if distribution.rank() == 0 else []),
            ],
        )


def overfit_losses(experiment, train):
    """Return the losses of the study's overfit check: one fixed batch, up to 100 epochs, no augmentation.

    Cross-entropy of each training step in nats, without the L2 penalty, which never goes down to 0. Stops when it
    has come below 0.01, where nothing is left to see.
    """
    subset = train.take(np.arange(min(OVERFIT_IMAGES, len(train.labels))))
    images = np.asarray(subset.images)
    plainly = {
        **{"schedule": "constant", "augmentation": (), "mixup": 0.0, "cutmix": 0.0, "label_smoothing": 0.0},
        **{"loss": "cross_entropy", "sam": 0.0, "teachers": (), "distillation": 0.0},
    }
    model = build(dataclasses.replace(experiment, **plainly), subset)
    cross_entropy = keras.metrics.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(model.optimizer, model.loss, metrics=[cross_entropy])
    losses = []
    with _progress() as progress:
        for _ in progress.track(range(OVERFIT_EPOCHS), description="overfit check"):
            model.reset_metrics()
            losses.append(float(model.train_on_batch(images, subset.labels)[-1]))
            if losses[-1] < 0.01:
                break
    return losses


class Batches(keras.utils.PyDataset):
    """The training images in batches, blended as the experiment says, in an order that seed and epoch decide.

    With SAM, each batch comes after its own first quarter, see `fer_keras.optimizers.SharpnessAware`.
    Where several processes share a batch, each gets its own part of it.

    Args:
        images: (n, 48, 48, 1) uint8; the model's first layer converts them.
        targets: (n,) class numbers or (n, 7) shares.
        experiment: `Experiment`; an epoch's last batch may be smaller than its `batch_size`.
    """

    def __init__(self, images, targets, experiment):
        super().__init__()
        self.images, self.targets, self.experiment = images, targets, experiment
        self.start(epoch=0)

    def start(self, epoch):
        """Shuffle for `epoch`."""
        self.epoch = epoch
        self.order = np.random.default_rng([self.experiment.seed, epoch]).permutation(len(self.targets))

    def __len__(self):
        return math.ceil(len(self.order) / self.experiment.batch_size) * (2 if self.experiment.sam else 1)

    def __getitem__(self, index):
        rows = self._rows(index)
        rng = np.random.default_rng([self.experiment.seed, self.epoch, index])
        mixup, cutmix = self.experiment.mixup, self.experiment.cutmix
        images, targets = mix(self.images[rows], self.targets[rows], rng, mixup=mixup, cutmix=cutmix)
        own = distribution.part(len(rows)).rows
        return images[own], targets[own]

    def whole(self, index):
        """Return the number of images in a batch, all processes' parts together."""
        return len(self._rows(index))

    def _rows(self, index):
        size, climbs = self.experiment.batch_size, False
        if self.experiment.sam:
            index, second = divmod(index, 2)
            climbs = not second
        rows = self.order[index * size : (index + 1) * size]
        return rows[: math.ceil(len(rows) / CLIMB)] if climbs else rows


class Sharing(keras.callbacks.Callback):
    """Lets several processes train as one: tells which part of a batch is here, and makes `logs` those of all.

    Must stand before the callbacks that read or add to `logs`: each metric is taken for a mean over images.

    Args:
        batches: `Batches`.
        validation: `distribution.Part` of the validation images that this process scores.
    """

    def __init__(self, batches, validation):
        super().__init__()
        self.batches, self.validation = batches, validation
        wholes = [batches.whole(index) for index in range(len(batches))]
        own = sum(distribution.part(whole).share * whole for whole in wholes)
        self.share = own / sum(wholes)

    def on_train_batch_begin(self, batch, logs=None):
        distribution.start_step(self.batches.whole(batch))

    def on_train_batch_end(self, batch, logs=None):
        distribution.end_step()

    def on_epoch_end(self, epoch, logs=None):
        shares = {name: self.validation.share if name.startswith("val_") else self.share for name in logs}
        logs.update(distribution.sum_of({name: value * shares[name] for name, value in logs.items()}))


class EpochSeeds(keras.callbacks.Callback):
    """Reseeds shuffling, dropout and augmentation by seed and epoch, so that a resumed epoch draws the same."""

    def __init__(self, batches, seed):
        super().__init__()
        self.batches, self.seed = batches, seed

    def on_epoch_begin(self, epoch, logs=None):
        self.batches.start(epoch)
        sequence = np.random.SeedSequence([self.seed, epoch])
        # On a GPU, Dropout draws from torch's global generator; everything else from a state of its own, the same
        # in every process.
        keras.utils.set_random_seed((int(sequence.generate_state(1)[0]) + distribution.rank()) % 2**32)
        states = [v for v in self.model.variables if v.name == "seed_generator_state"]
        for state, child in zip(states, sequence.spawn(len(states)), strict=True):
            state.assign(child.generate_state(2))


class EpochRows(keras.callbacks.Callback):
    """Hands each epoch's `logs` to `on_epoch` as a row under the study's names."""

    NAMES = {"loss": "train_loss", "acc": "train_acc"}

    def __init__(self, on_epoch):
        super().__init__()
        self.on_epoch = on_epoch

    def on_epoch_end(self, epoch, logs=None):
        row = {self.NAMES.get(name, name): float(value) for name, value in logs.items()}
        self.on_epoch({"epoch": epoch + 1, **row})


class Checkpoint(keras.callbacks.Callback):
    """Writes everything a continued training needs after each epoch: weights, optimizer state, epoch."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def on_epoch_end(self, epoch, logs=None):
        arrays = {str(i): array for i, array in enumerate(_arrays(self.model))}
        with writing(self.path) as temporary:
            np.savez(temporary, epochs=epoch + 1, **arrays)


def restore(model, checkpoint):
    """Load a `Checkpoint` file into the compiled `model`; return the epochs done, 0 where there is no file.

    Raises:
        InputError: if the file is damaged or of another model.
    """
    epochs = epochs_done(checkpoint)
    if epochs:
        with _opened(checkpoint) as arrays:
            _assign(model, [arrays[str(i)] for i in range(len(arrays) - 1)])
        LOGGER.info("Continuing after epoch %d.", epochs)
    return epochs


def epochs_done(checkpoint):
    """Return the epochs that a `Checkpoint` file holds, 0 where there is no file.

    Raises:
        InputError: if the file is damaged.
    """
    if not checkpoint.exists():
        return 0
    with _opened(checkpoint) as arrays:
        return int(arrays["epochs"])


@contextlib.contextmanager
def _opened(checkpoint):
    try:
        with open(checkpoint, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            yield arrays
    except (zipfile.BadZipFile, zlib.error, ValueError, KeyError, EOFError, AttributeError) as error:
        raise InputError(
            f"{checkpoint} is damaged: {error}. Delete it and run again to train from the first epoch on."
        ) from error


def _together(model, epochs_done):
    """Give every process the state of process 0's model; return its number of epochs done."""
    if distribution.size() > 1:
        epochs_done, arrays = distribution.of_first((epochs_done, _arrays(model)))
        _assign(model, arrays)
    return epochs_done


def _arrays(model):
    return [ops.convert_to_numpy(v) for v in _state(model)]


def _assign(model, arrays):
    for variable, array in zip(_state(model), arrays, strict=True):
        variable.assign(array)


def _state(model):
    return [*model.variables, *_built_optimizer(model).variables]


def _built_optimizer(model):
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    return model.optimizer


class ProgressBar(keras.callbacks.Callback):
    """Moves a bar with the steps, and logs a line for each epoch.

    Args:
        progress: started `rich.progress.Progress`.
    """

    LINE = (
        "epoch {epoch}/{epochs}  loss {loss:.3f}  acc {acc:.3f}  val_loss {val_loss:.3f}  val_acc {val_acc:.3f}  "
        "grad_ratio {grad_ratio:.2f} %  weight_norm {weight_norm:.1f}  {epoch_time:.1f} s"
    )

    def __init__(self, progress):
        super().__init__()
        self.progress, self.task = progress, progress.add_task("")

    def on_epoch_begin(self, epoch, logs=None):
        description = f"epoch {epoch + 1}/{self.params['epochs']}"
        self.progress.reset(self.task, total=self.params["steps"], description=description)

    def on_train_batch_end(self, batch, logs=None):
        self.progress.update(self.task, completed=batch + 1)

    def on_epoch_end(self, epoch, logs=None):
        line = self.LINE.format(epoch=epoch + 1, epochs=self.params["epochs"], **logs)
        LOGGER.info(line, extra={"values": {"epoch": epoch + 1, **logs}})


def _progress():
    console = Console(file=sys.stderr, soft_wrap=True)
    shown = console.is_terminal and LOGGER.isEnabledFor(logging.INFO) and distribution.rank() == 0
    return Progress(console=console, transient=True, disable=not shown)

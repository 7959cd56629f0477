"""The training images as a training meets them: what is to be said of each, in which batches, by which draws."""

import math

import keras
import numpy as np

from fer_keras import distribution
from fer_keras.data import EMOTIONS
from fer_keras.mixing import mix, smooth

CLIMB = 4  # a SAM step climbs by one in so many images of its batch; see Experiment.sam


def blends(experiment):
    """Whether the targets are rows of shares instead of class numbers."""
    return bool(
        experiment.label_smoothing
        or experiment.mixup
        or experiment.cutmix
        or experiment.loss != "cross_entropy"
        or experiment.teachers
    )


def targets_of(labels, experiment, smoothing=0.0):
    """Return what the model is to say of images with these labels, in the form that its loss takes."""
    return smooth(labels, len(EMOTIONS), smoothing) if blends(experiment) else labels


def training_targets(train, experiment):
    """Return what the model is to say of the training images: class numbers (n,), or shares (n, 7) float32.

    Args:
        train: `Faces`; with teachers, their probabilities as `soft_labels`, see `fer_keras.teaching`.
        experiment: `Experiment`.
    """
    targets = targets_of(train.labels, experiment, experiment.label_smoothing)
    if not experiment.teachers:
        return targets
    share = np.float32(experiment.distillation)
    return (1 - share) * targets + share * train.soft_labels


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


def check_parts(experiment, train, validation):
    """Check that there is an image for each process in every batch and among those of validation.

    Raises:
        InputError: if there is not.
    """
    batches = Batches(train.images, train.labels, experiment)
    for count in (*map(batches.whole, range(len(batches))), len(validation)):
        distribution.part(count)


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

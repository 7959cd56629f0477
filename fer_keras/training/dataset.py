"""The training images as a training meets them: what is to be said of each, in which batches, by which draws."""

import math

import keras
import numpy as np

from fer_keras.backend import distribution
from fer_keras.backend.step import Plan
from fer_keras.data import EMOTIONS
from fer_keras.training.mixup import draw, mix, smooth

CLIMB = 4  # a SAM step climbs by one in so many images of its batch; see Experiment.sam
TAUGHT_DRAWS = 5  # ways of blending the images that teachers look at before the first is met again


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
    """Return what the labels want said of the training images: class numbers (n,), or shares (n, 7) float32."""
    return targets_of(train.labels, experiment, experiment.label_smoothing)


class Batches(keras.utils.PyDataset):
    """The training images in batches, blended as the experiment says, in an order that seed and epoch decide.

    With SAM, each batch comes after its own first quarter, see `fer_keras.backend.optimizers.SharpnessAware`.
    Where several processes share a batch, each gets its own part of it. With teachers, batches that are blended
    repeat after `draws` epochs, so that the teachers need not look at each one of them.

    Args:
        images: (n, 48, 48, 1) uint8, an array or a tensor of PyTorch; the model's first layer converts them.
        targets: (n,) class numbers or (n, 7) shares.
        experiment: `Experiment`; an epoch's last batch may be smaller than its `batch_size`.
        taught: (draws, n, 7) what its teachers say of each image as it is blended in each draw, see
            `fer_keras.training.distillation.soft_labels`.
    """

    def __init__(self, images, targets, experiment, taught=None):
        super().__init__()
        self.images, self.targets, self.experiment, self.taught = images, targets, experiment, taught
        self.draws = TAUGHT_DRAWS if experiment.mixup or experiment.cutmix else 1
        self.steps = math.ceil(len(targets) / experiment.batch_size)
        self.start(epoch=0)

    def start(self, epoch):
        """Shuffle for `epoch`."""
        repeated = self.experiment.teachers and self.experiment.teacher_view == "blended" and self.draws > 1
        self.epoch, self.draw = epoch, epoch % self.draws if repeated else epoch
        self.order = np.random.default_rng([self.experiment.seed, self.draw]).permutation(len(self.targets))

    def __len__(self):
        return self.steps * (2 if self.experiment.sam else 1)

    def __getitem__(self, index):
        step = index // 2 if self.experiment.sam else index
        images, targets = self.blended(step)
        if self.taught is not None:
            share = np.float32(self.experiment.distillation)
            targets = (1 - share) * targets + share * self.taught[self.epoch % self.draws, self.rows(step)]
        count = self.whole(index)
        own = distribution.part(count).rows
        return images[:count][own], targets[:count][own]

    def whole(self, index):
        """Return the number of images in a batch, all processes' parts together."""
        step, second = divmod(index, 2) if self.experiment.sam else (index, True)
        count = len(self.rows(step))
        return count if second else math.ceil(count / CLIMB)

    def rows(self, step):
        """Return which images a step takes, in order."""
        size = self.experiment.batch_size
        return self.order[step * size : (step + 1) * size]

    def blended(self, step):
        """Return the images of a step and their targets, blended as the experiment says."""
        rows = self.rows(step)
        mixup, cutmix = self.experiment.mixup, self.experiment.cutmix
        return mix(self.images[rows], self.targets[rows], self._generator(step), mixup=mixup, cutmix=cutmix)

    def plan(self):
        """Return what this epoch's steps take and how they blend it, as `fer_keras.backend.step.Step` needs it."""
        taught = None if self.taught is None else self.taught[self.epoch % self.draws]
        mixup, cutmix = self.experiment.mixup, self.experiment.cutmix
        if not (mixup or cutmix):
            return Plan(self.order, taught=taught)
        size, blends = self.images.shape[1:3], []
        for step in range(self.steps):
            blends.append(draw(len(self.rows(step)), *size, self._generator(step), mixup=mixup, cutmix=cutmix))
        return Plan(
            self.order,
            np.concatenate([self.rows(step)[blend.partner] for step, blend in enumerate(blends)]),
            np.array([(blend.share, blend.target_share) for blend in blends], "float32"),
            np.array([blend.box for blend in blends]),
            taught,
        )

    def _generator(self, step):
        return np.random.default_rng([self.experiment.seed, self.draw, step])


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

    def on_test_begin(self, logs=None):
        distribution.end_step()

    def on_epoch_end(self, epoch, logs=None):
        distribution.end_step()
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

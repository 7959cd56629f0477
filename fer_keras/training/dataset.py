"""The training set: images and targets in batches, shuffled and blended by seed and epoch."""

import math
from typing import Any

import keras
import numpy as np

from fer_keras.backend import distribution
from fer_keras.backend.step import Plan
from fer_keras.data import Faces
from fer_keras.experiment import Experiment
from fer_keras.training.losses import uses_soft_targets
from fer_keras.training.mixup import draw, mix, smooth

SAM_SHARE = 4  # a SAM step computes its ascent gradient on every fourth image of its batch
DISTILLATION_DRAWS = 5  # draws of mixup and CutMix that the teachers classify; the student's epochs repeat them


def targets_of(faces: Faces, experiment: Experiment, smoothing: float = 0.0) -> np.ndarray:
    """Return the targets of the experiment's loss: class numbers (n,), or distributions (n, classes) float32.

    Args:
        faces: labelled images; the distributions are their `soft_labels` if they have any, else one-hot.
        experiment: see `fer_keras.training.losses.uses_soft_targets`.
        smoothing: share of each distribution that is spread evenly over the classes.
    """
    if not uses_soft_targets(experiment):
        return faces.labels
    if faces.soft_labels is None:
        return smooth(np.eye(len(faces.class_names), dtype="float32")[faces.labels], smoothing)
    return smooth(faces.soft_labels, smoothing)


class Batches(keras.utils.PyDataset):
    """The batches of an epoch, with mixup and CutMix, shuffled by seed and epoch.

    With SAM, each batch is preceded by its first quarter, see `fer_keras.backend.optimizers.SharpnessAware`. Each
    process gets a part of the batch. With teachers, blended batches repeat after `draws` epochs, so that the
    teachers classify each image only `draws` times.

    Args:
        train: `Faces` to train on.
        experiment: `Experiment`; the last batch of an epoch may be smaller than its `batch_size`.
        soft_targets: (draws, n, classes), the teachers' probabilities for each image as blended in each draw, see
            `fer_keras.training.distillation.soft_targets`; may be set later.

    Attributes:
        images: (n, 48, 48, 1) uint8, an array or a tensor of the backend.
        train: as given.
        targets: (n,) class numbers, or (n, classes) float32 with the experiment's label smoothing.
        steps: batches of an epoch; a SAM pair counts once.
        draws: number of different draws of mixup and CutMix, if the experiment has teachers.
    """

    def __init__(self, train: Faces, experiment: Experiment, soft_targets: np.ndarray | None = None) -> None:
        super().__init__()
        self.images: Any = train.images
        self.train, self.experiment, self.soft_targets = train, experiment, soft_targets
        self.targets = targets_of(train, experiment, experiment.label_smoothing)
        self.draws = DISTILLATION_DRAWS if experiment.mixup or experiment.cutmix else 1
        self.steps = math.ceil(len(self.targets) / experiment.batch_size)
        self.start(epoch=0)

    def start(self, epoch: int) -> None:
        """Shuffle for `epoch`, counted from 0."""
        repeated = self.experiment.teachers and self.experiment.teacher_view == "blended" and self.draws > 1
        self.epoch, self.draw = epoch, epoch % self.draws if repeated else epoch
        self.order = np.random.default_rng([self.experiment.seed, self.draw]).permutation(len(self.targets))

    def __len__(self) -> int:
        return self.steps * (2 if self.experiment.sam else 1)

    def __getitem__(self, index: int) -> tuple[Any, np.ndarray]:
        step = index // 2 if self.experiment.sam else index
        images, targets = self.mixed(step)
        if self.soft_targets is not None:
            share = np.float32(self.experiment.distillation)
            soft = self.soft_targets[self.epoch % self.draws, self.rows(step)]
            targets = (1 - share) * targets + share * soft
        count = self.size(index)
        own = distribution.part(count).rows
        return images[:count][own], targets[:count][own]

    def size(self, index: int) -> int:
        """Return the number of images in a batch, over all processes."""
        step, second = divmod(index, 2) if self.experiment.sam else (index, 1)
        count = len(self.rows(step))
        return count if second else math.ceil(count / SAM_SHARE)

    def rows(self, step: int) -> np.ndarray:
        """Return the indices of a step's images, in order."""
        size = self.experiment.batch_size
        return self.order[step * size : (step + 1) * size]

    def mixed(self, step: int) -> tuple[Any, np.ndarray]:
        """Return the images of a step and their targets after mixup or CutMix, without soft targets."""
        rows = self.rows(step)
        mixup, cutmix = self.experiment.mixup, self.experiment.cutmix
        return mix(self.images[rows], self.targets[rows], self._generator(step), mixup=mixup, cutmix=cutmix)

    def plan(self) -> Plan:
        """Return the images of this epoch's steps and how to blend them, for `fer_keras.backend.step.Step`."""
        soft_targets = None if self.soft_targets is None else self.soft_targets[self.epoch % self.draws]
        mixup, cutmix = self.experiment.mixup, self.experiment.cutmix
        if not (mixup or cutmix):
            return Plan(self.order, soft_targets=soft_targets)
        height, width = self.images.shape[1:3]
        mixes: list[Any] = []
        for step in range(self.steps):
            count, generator = len(self.rows(step)), self._generator(step)
            mixes.append(draw(count, height, width, generator, mixup=mixup, cutmix=cutmix))
        return Plan(
            self.order,
            np.concatenate([self.rows(step)[blend.partner] for step, blend in enumerate(mixes)]),
            np.array([(blend.share, blend.target_share) for blend in mixes], "float32"),
            np.array([blend.box for blend in mixes]),
            soft_targets,
        )

    def _generator(self, step: int) -> np.random.Generator:
        return np.random.default_rng([self.experiment.seed, self.draw, step])

    def check_processes(self, validation: Faces) -> None:
        """Check that each process gets at least one image of every batch and of the validation split.

        Raises:
            InputError: if one does not.
        """
        for count in (*map(self.size, range(len(self))), len(validation)):
            distribution.part(count)

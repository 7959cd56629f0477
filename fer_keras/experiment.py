"""One training run, described by plain values."""

import ast
import dataclasses
import difflib
import functools
import math
import os
import pathlib
import re
import runpy
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from fer_keras.core import renames
from fer_keras.core.errors import InputError

OPTIMIZERS = ("adam", "adamw", "muon", "rmsprop", "sgd")
SCHEDULES = ("constant", "cosine", "one_cycle", "plateau", "steps")
LABELS = ("original", "fer+", "fer+8")
TEACHER_VIEWS = ("blended", "augmented")
LOSSES = ("cross_entropy", "focal", "generalized_cross_entropy")
LAST_EPOCHS = 3  # a run is evaluated by their mean
ABBREVIATIONS = {"lr": "learning_rate", "bs": "batch_size", "batch": "batch_size", "lr_schedule": "schedule"}
WORDS = {"true": True, "false": False, "none": None, "null": None}

T = TypeVar("T")


def _naming_settings(cls: type[T]) -> type[T]:
    """Class decorator: an unknown keyword raises an `InputError` that suggests the correct setting."""
    init: Callable[..., None] = cls.__init__
    fields: Mapping[str, Any] = vars(cls)["__dataclass_fields__"]

    @functools.wraps(init)
    def __init__(self: T, *values: Any, **settings: Any) -> None:
        for name in settings.keys() - fields.keys():
            raise _unknown_setting(name)
        init(self, *values, **settings)

    cls.__init__ = __init__  # type: ignore[assignment]
    return cls


@_naming_settings
@dataclasses.dataclass(frozen=True)
class Experiment:
    """Settings of one run. The defaults are the study's protocol; an experiment file states its differences.

    Args:
        name: name of the run in wandb and in the records: letters, digits, `-`, `_` and `.`.
        model: architecture, a key of `fer_keras.models.MODELS`.
        model_options: keyword arguments of that architecture's function.
        labels: `"original"`, or by the FER+ votes next to the data: `"fer+"` for the majority over seven classes,
            `"fer+8"` for eight classes with contempt, where the target of a training image is the distribution of
            its votes. Images without such a label are left out of every split, see `fer_keras.data.votes.relabel`.
        deduplicate: remove training images that are also in another split, duplicates with different labels, and
            all but one of the other duplicates, see `fer_keras.data.deduplicate`.
        normalization: standardize by mean and variance of the training images; otherwise only scale to [0, 1].
        augmentation: names of `fer_keras.models.preprocessing.AUGMENTATIONS`, applied in order, in training only.
        mixup: alpha of the Beta distribution of mixup's weights, 0 for no mixup.
        cutmix: alpha for CutMix. With both, each batch uses one of them at random.
        label_smoothing: share of a training label that is spread evenly over all classes.
        loss: `"cross_entropy"`, `"focal"` (Lin et al. 2017, arXiv:1708.02002) or `"generalized_cross_entropy"`
            (for noisy labels, Zhang & Sabuncu 2018, arXiv:1805.07836).
        class_weight: `None`, or `"balanced"`: every class counts the same in the loss.
        sam: radius of sharpness-aware minimization (SAM, Foret et al. 2021, arXiv:2010.01412), 0 for none. Each
            step takes its gradient at the point within that radius where the loss of a quarter of the batch is
            highest, to first order. It delays memorization of labels; a step takes 25 % longer.
        teachers: `.keras` files of trained networks. The mean of their probabilities for a training image and its
            mirror image, blended by mixup or cutmix but not augmented, becomes part of its target (Hinton et al.
            2015, arXiv:1503.02531; of blended images, Beyer et al. 2022, arXiv:2106.05237). If the validation
            split depends on the seed, a teacher of another seed was trained on some of its images.
        teacher_view: `"blended"`: as above, computed once for five draws of mixup and CutMix. `"augmented"`: in
            every step the teachers classify the same blended and augmented images as the student
            (function matching, Beyer et al. 2022); needs the torch backend and is meant for a GPU.
        distillation: weight of the soft targets, 0 to 1; the label, smoothed or not, has the rest.
        optimizer: `"adam"`, `"adamw"`, `"muon"`, `"rmsprop"` or `"sgd"`.
        optimizer_options: further keyword arguments of that Keras optimizer, such as `momentum` or `weight_decay`.
        learning_rate: peak learning rate.
        schedule: `"constant"`, `"cosine"` (down to 0 at the end), `"one_cycle"` (linear warm-up over the first
            fifth of the steps, then cosine down to 0), `"plateau"` (times 0.75 after every 6 epochs without
            a better validation accuracy) or `"steps"` (from 32 % of the epochs on, times 0.9 every 2 % of them).
        batch_size: images per step.
        epochs: passes over the training images.
        seed: of the split, initial weights, shuffling, dropout and augmentation.

    Raises:
        InputError: if a value is out of its range.
    """

    name: str
    model: str = "nn"
    model_options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    labels: str = "original"
    deduplicate: bool = False
    normalization: bool = False
    augmentation: tuple[str, ...] = ()
    mixup: float = 0.0
    cutmix: float = 0.0
    label_smoothing: float = 0.0
    loss: str = "cross_entropy"
    class_weight: str | None = None
    sam: float = 0.0
    teachers: tuple[str, ...] = ()
    teacher_view: str = "blended"
    distillation: float = 0.0
    optimizer: str = "adam"
    optimizer_options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    learning_rate: float = 1e-3
    schedule: str = "constant"
    batch_size: int = 128
    epochs: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        expected = {
            "labels": (self.labels in LABELS, f"one of: {', '.join(LABELS)}"),
            "deduplicate": (isinstance(self.deduplicate, bool), "True or False"),
            "normalization": (isinstance(self.normalization, bool), "True or False"),
            "name": (
                isinstance(self.name, str) and re.fullmatch(r"[A-Za-z0-9][\w.-]*", self.name),
                "letters, digits, '-', '_' and '.'",
            ),
            "optimizer": (self.optimizer in OPTIMIZERS, f"one of: {', '.join(OPTIMIZERS)}"),
            "schedule": (self.schedule in SCHEDULES, f"one of: {', '.join(SCHEDULES)}"),
            "loss": (self.loss in LOSSES, f"one of: {', '.join(LOSSES)}"),
            "class_weight": (self.class_weight in (None, "balanced"), "None or 'balanced'"),
            "mixup": (_number(self.mixup) and 0 <= self.mixup < math.inf, "a number from 0"),
            "cutmix": (_number(self.cutmix) and 0 <= self.cutmix < math.inf, "a number from 0"),
            "sam": (_number(self.sam) and 0 <= self.sam < math.inf, "a number from 0"),
            "label_smoothing": (
                _number(self.label_smoothing) and 0 <= self.label_smoothing < 1,
                "a number from 0 to below 1",
            ),
            "teachers": (
                isinstance(self.teachers, tuple | list) and all(isinstance(path, str) for path in self.teachers),
                "a tuple of paths, such as ('teacher.keras',)",
            ),
            "teacher_view": (self.teacher_view in TEACHER_VIEWS, f"one of: {', '.join(TEACHER_VIEWS)}"),
            "distillation": (_number(self.distillation) and 0 <= self.distillation <= 1, "a number from 0 to 1"),
            "learning_rate": (
                _number(self.learning_rate) and 0 < self.learning_rate < math.inf,
                "a number above 0",
            ),
            "batch_size": (_integer(self.batch_size) and self.batch_size > 0, "a whole number above 0"),
            "epochs": (_integer(self.epochs) and self.epochs > 0, "a whole number above 0"),
            "seed": (_integer(self.seed) and 0 <= self.seed < 2**32, "a whole number from 0 to 4294967295"),
            "augmentation": (isinstance(self.augmentation, tuple | list), "a tuple of names, such as ('flip',)"),
            "model_options": (isinstance(self.model_options, Mapping), "a dict"),
            "optimizer_options": (isinstance(self.optimizer_options, Mapping), "a dict"),
        }
        for field, (valid, expectation) in expected.items():
            if not valid:
                raise InputError(f"Experiment {field} must be {expectation}. Received {getattr(self, field)!r}.")


def files_in(folder: str | os.PathLike[str]) -> list[pathlib.Path]:
    """Return the paths of the experiment files in `folder`, sorted.

    Hidden files are ignored, since a killed process may leave a temporary file.

    Raises:
        InputError: if there are none.
    """
    files = sorted(path for path in pathlib.Path(folder).glob("*.py") if not path.name.startswith("."))
    if not files:
        raise InputError(
            f"No experiment files in {os.fspath(folder)!r}. Those of the study are in the folder experiments of a "
            "clone of the repository: run the command there, or name another folder."
        )
    return files


def load(path: str | os.PathLike[str]) -> Experiment:
    """Return the `Experiment` that the Python file at `path` defines as `experiment`.

    The file is executed, so load only files that you trust.

    Raises:
        InputError: if the file does not exist, cannot be executed or does not define `experiment`.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(
            f"No experiment file {os.fspath(path)!r}. Expected a path such as experiments/cnn_best.py."
        )
    try:
        experiment = runpy.run_path(os.fspath(path)).get("experiment")
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{path} cannot be executed: {type(error).__name__}: {error}") from error
    if not isinstance(experiment, Experiment):
        raise InputError(f"{path} must define `experiment = Experiment(...)`. Received {experiment!r}.")
    return experiment


def override(experiment: Experiment, assignments: Iterable[str]) -> Experiment:
    """Return `experiment` with changed settings, such as `override(experiment, ["model_options.dropout=0.3"])`.

    Args:
        experiment: `Experiment`.
        assignments: texts `KEY=VALUE`. A key is a field, or `FIELD.OPTION` for a field of options. A value is a
            Python literal, or true, false or none in any letter case; everything else is text.

    Raises:
        InputError: if a key is unknown or a value is out of its range.
    """
    for assignment in assignments:
        key, sign, text = assignment.partition("=")
        if not (key and sign):
            raise InputError(f"A setting must be KEY=VALUE, such as learning_rate=0.01. Received {assignment!r}.")
        field, _, option = key.partition(".")
        if field not in Experiment.__dataclass_fields__:
            raise _unknown_setting(field)
        value, old = text if field == "name" else _value(text), getattr(experiment, field)
        if option and not isinstance(old, Mapping):
            raise InputError(f"The setting {field!r} has no options. Received {assignment!r}.")
        change: dict[str, Any] = {field: {**old, option: value} if option else value}
        experiment = dataclasses.replace(experiment, **change)
    return experiment


def _unknown_setting(name: str) -> InputError:
    if name in renames.SETTINGS:
        return InputError(f"The setting {name!r} of an experiment is now {renames.SETTINGS[name]!r}.")
    fields = list(Experiment.__dataclass_fields__)
    close = [ABBREVIATIONS[name]] if name in ABBREVIATIONS else difflib.get_close_matches(name, fields, n=1)
    hint = f"Did you mean {close[0]!r}?" if close else f"Expected one of: {', '.join(fields)}."
    return InputError(f"An experiment has no setting {name!r}. {hint}")


def _value(text: str) -> Any:
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    try:
        value = ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text
    return tuple(value) if isinstance(value, list) else value


def _integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any) -> bool:
    return _integer(value) or isinstance(value, float)

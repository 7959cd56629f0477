"""Trained networks on labelled images: the Python side of `fer-keras evaluate`."""

import dataclasses
import json
import logging
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from fer_keras import data as data_room
from fer_keras.core import renames
from fer_keras.core.choices import EVALUATED_SPLITS, INPUT_SCALES, EvaluatedSplit, InputScale, Split, Tta
from fer_keras.core.errors import InputError
from fer_keras.core.files import StrPath
from fer_keras.data import EMOTIONS, Faces, FaceSet
from fer_keras.data.aliases import PUBLIC, TRAINING, class_key
from fer_keras.data.faces import fingerprints
from fer_keras.data.votes import relabel
from fer_keras.evaluation import metrics
from fer_keras.evaluation.groups import COVERAGE, by_group, groups_table, read_groups
from fer_keras.inference import conformal
from fer_keras.model_files.pretrained import card, is_name, refuse_options

if TYPE_CHECKING:
    import keras

    Model: TypeAlias = str | os.PathLike[str] | keras.Model

LOG = logging.getLogger("fer_keras")
TRIED_IMAGES = 40  # of each class, to find out the input scale
LEAST_DIFFERENCE = 0.1  # of two accuracies, for one scale to be clearly better
STANDARD_ERRORS = 3  # that the difference must be above


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The result of `evaluate`.

    Args:
        models: the network, or the members of the ensemble, as given; a `keras.Model` by its name.
        class_names: of the data, in the order of the scores.
        data: `source`, `digest`, `synthetic` and number of `images` in each split.
        split: the evaluated split.
        tta: test-time augmentation.
        seed: of the split.
        labels: of the images, "original", "fer+" or "fer+8".
        scores: as `fer_keras.evaluation.scores` returns them.
        groups: as `fer_keras.evaluation.groups.by_group` returns them; empty without groups.
    """

    models: tuple[str, ...]
    class_names: tuple[str, ...]
    data: dict[str, Any]
    split: EvaluatedSplit
    tta: Tta
    seed: int
    labels: str
    scores: dict[str, Any] = dataclasses.field(repr=False)
    groups: dict[str, Any] = dataclasses.field(default_factory=dict, repr=False)

    def table(self) -> str:
        """Return the scores as text, with a line for each class and each group."""
        tables = metrics.table(self.scores, self.class_names), groups_table(self.groups)
        return "\n\n".join(filter(None, tables))

    def as_dict(self) -> dict[str, Any]:
        """Return everything for a JSON file; `model` is a name, or a list of names for an ensemble."""
        about = {key: value for key, value in vars(self).items() if key != "models"}
        return {"model": self.models[0] if len(self.models) == 1 else list(self.models), **about}


def evaluate(
    models: "Model | Sequence[Model]" = "best",
    data: str | os.PathLike[str] | FaceSet | Faces | None = None,
    *,
    split: EvaluatedSplit = "test",
    tta: Tta = "none",
    seed: int | None = None,
    labels: str | None = None,
    class_order: Sequence[str] | None = None,
    input_scale: InputScale | None = None,
    groups: StrPath | None = None,
    trusted: bool = False,
) -> Evaluation:
    """Score a network, or an ensemble of several by the mean of their probabilities.

    Args:
        models: `.keras` files, "best", "tiny" or "ferplus", or `keras.Model`s from images to probabilities or
            logits. One of these, or a sequence.
        data: `Faces`, or what `fer_keras.data.load` takes.
        split: "train", "validation", "test", or "all" for all labelled images.
        tta: test-time augmentation, see `fer_keras.inference.prediction.probabilities`.
        seed: of the split; default: that of the run that wrote the model file, else 0.
        labels: "original", or FER+'s majority with seven classes, "fer+", or with contempt, "fer+8"; default:
            those that the network was trained on, else, or for data without FER+ votes, "original".
        class_order: names of the outputs of networks that are not the package's, see
            `fer_keras.model_files.saving.load`.
        input_scale: range of pixel values that these networks expect; default: detected from their layers, else
            what is clearly best on 40 training images of each class, with "all" on 40 of its images.
        groups: CSV file of groupings of the images, see `fer_keras.evaluation.groups.read_groups`. A single
            network with thresholds, and no classes that the data lacks, also gets the coverage of its prediction
            sets for 0.9.
        trusted: the model files are known to be harmless, see `fer_keras.model_files.saving.load`.

    Returns:
        `Evaluation`. Its leak-free figures exclude images with an exact copy in an earlier split.

    Raises:
        InputError: if a model or the data cannot be used; if their classes differ; if the models' runs have
            different seeds or labels and none are given; if the input scale is unknown, or another one is clearly
            better on training images; if a network was fine-tuned on most of the images of the split.
    """
    from fer_keras.model_files import saving

    if split not in EVALUATED_SPLITS:
        raise InputError(f"Unknown split {split!r}. Expected one of: {', '.join(EVALUATED_SPLITS)}.")
    given = list(models) if isinstance(models, list | tuple) else [models]
    order = tuple(class_order) if class_order else None
    if all(map(is_name, given)):
        refuse_options(_name(given[0]), order, input_scale)
    loaded = {
        _name(model): saving.load(model, classes=None if is_name(model) else order, trusted=trusted)
        if isinstance(model, str | os.PathLike)
        else saving.named(model, order)
        for model in given
    }
    runs = {name: run for name in loaded if (run := _run_of(name))}
    if seed is None:  # another seed would have trained on images of this validation split
        seed = int(_common("seed", runs, 0))
    wanted = labels
    if wanted is None:
        cards = {name: card(name) for name in loaded if is_name(name)}
        wanted = str(_common("labels", runs | cards, "original"))
    faces = data if isinstance(data, Faces) else data_room.load(data, classes=_classes(loaded))
    if labels is None and wanted != "original" and faces.votes is None:
        LOG.warning("There are no FER+ votes beside %s, so its own labels are used.", faces.source)
        wanted = "original"
    faces = faces if isinstance(data, Faces) else relabel(faces, wanted)
    numbers = np.arange(len(faces)) if faces.row_numbers is None else faces.row_numbers
    faces = dataclasses.replace(
        faces, names=numbers.astype(str).astype(object) if faces.names is None else faces.names
    )
    parts = _parts(faces, seed, split)
    of_split, of_all = (np.asarray(part.names) for part in (parts[split], faces))
    found = read_groups(groups, of_split.tolist(), set(of_all)) if groups else {}
    for warning in data_room.quality_checks(parts):
        LOG.warning(warning)
    for name, run in runs.items():
        if run["data"]["digest"] != faces.digest:
            _check_trained_on(name, parts[split], split)
    ready = [
        model if is_name(name) else _with_scale(model, name, input_scale, parts.get("train", parts[split]))
        for name, model in loaded.items()
    ]
    shares = _mean_probabilities(ready, parts[split], tta)
    return Evaluation(
        models=tuple(loaded),
        class_names=faces.class_names,
        data=describe_data(faces, parts),
        split=split,
        tta=tta,
        seed=seed,
        labels=wanted,
        scores=metrics.scores(parts[split].labels, shares, _unseen(parts, split)),
        groups=by_group(
            found, shares.argmax(axis=1) == parts[split].labels, _covered(ready, shares, parts[split], tta)
        ),
    )


def evaluate_split(
    models: "keras.Model | Sequence[keras.Model]", parts: Mapping[str, Faces], split: Split, *, tta: Tta = "none"
) -> dict[str, Any]:
    """Return the `scores` of a network, or of an ensemble, on one split.

    The leak-free figures exclude images with an exact copy in an earlier split.

    Args:
        models: their `class_names` (default: `EMOTIONS`) must hold those of the data, in any order; the
            probabilities of others are left out, with a warning.
        parts: the splits, as `fer_keras.data.split` returns them.
        split: "train", "validation" or "test".
        tta: test-time augmentation, see `fer_keras.inference.prediction.probabilities`.

    Raises:
        InputError: if a model lacks a class of the data.
    """
    members = list(models) if isinstance(models, list | tuple) else [models]
    return metrics.scores(
        parts[split].labels, _mean_probabilities(members, parts[split], tta), _unseen(parts, split)
    )


def _mean_probabilities(members: "Sequence[keras.Model]", faces: Faces, tta: Tta) -> np.ndarray:
    """Return the mean probabilities of networks, (n, classes) in the order of the data's classes."""
    for model in members:  # raise for wrong classes before any inference
        _columns(model, faces)
    return np.mean([_probabilities(model, faces, tta) for model in members], axis=0)


def _probabilities(model: "keras.Model", faces: Faces, tta: Tta) -> np.ndarray:
    """Return a network's probabilities of the data's classes; its other classes are left out."""
    from fer_keras.inference.prediction import probabilities

    found = probabilities(model, faces.images, tta=tta)[:, _columns(model, faces)]
    known = set(map(class_key, faces.class_names))
    extra = [name for name in getattr(model, "class_names", EMOTIONS) if class_key(name) not in known]
    if not extra:
        return found
    LOG.warning("%s: classes that the data lacks are left out: %s.", model.name, ", ".join(extra))
    return found / np.maximum(found.sum(axis=1, keepdims=True), 1e-12)


def _unseen(parts: Mapping[str, Faces], split: str) -> np.ndarray | None:
    """Return which images of a split have no exact copy in an earlier split; None for the first split."""
    names = list(parts)
    seen = [parts[name] for name in names[: names.index(split)]]
    return data_room.leak_free(parts[split], *seen) if seen else None


def _covered(
    members: "Sequence[keras.Model]", probabilities: np.ndarray, faces: Faces, tta: Tta
) -> np.ndarray | None:
    """Return whether each image's prediction set contains its label; None without thresholds for these classes."""
    calibration = (getattr(members[0], "conformal", None) or {}).get(tta) if len(members) == 1 else None
    names = getattr(members[0], "class_names", EMOTIONS)
    if calibration is None or len(names) > len(faces.class_names):
        return None
    chosen = conformal.in_set(probabilities, conformal.threshold(calibration, COVERAGE, members[0].name))
    return chosen[np.arange(len(faces)), faces.labels]


def describe_data(faces: Faces, parts: Mapping[str, Faces]) -> dict[str, Any]:
    """Return a record's description of its data: file or folder, content hash, class names, images of each split.

    `pipeline.run` adds `left_out`, the number of removed training images by reason, and `teachers`, the SHA-256 of
    each teacher's file, if the experiment has them.
    """
    return {
        "source": pathlib.Path(os.path.abspath(faces.source)).name,  # also of "."
        "digest": faces.digest,
        "synthetic": faces.synthetic,
        "class_names": list(faces.class_names),
        "images": {name: len(part.labels) for name, part in parts.items()},
    }


def _parts(faces: Faces, seed: int, split: EvaluatedSplit) -> dict[str, Faces]:
    """Return the splits of `faces`, or all of them as one; say if the evaluated one is not that of the data."""
    stated = (faces.usages == TRAINING).any() and (faces.usages > TRAINING).any()
    if split == "all":
        if stated:
            LOG.warning("All images of %s are evaluated, its training split too.", faces.source)
        return {"all": faces.take(faces.labels >= 0)}
    parts = data_room.split(faces, seed)
    if not stated:
        LOG.warning(
            "%s has no splits: its %s split is a random one of %d of its %d images. For all, give --split all "
            '(in Python, split="all").',
            *(faces.source, split, len(parts[split]), len(faces)),
        )
    return parts


def _check_trained_on(name: str, faces: Faces, split: EvaluatedSplit) -> None:
    """Tell whether the network in the file `name` may have been trained on images of other data, or refuse it."""
    kept = pathlib.Path(name).parent / "faces"  # of a fine-tuning
    if split == "train" or not kept.is_dir():
        LOG.warning("%s was trained on other data, which may hold images of this %s split.", name, split)
        return
    own = data_room.load(kept, classes="own", progress=False)
    used = fingerprints(own.take(np.isin(own.usages, (TRAINING, PUBLIC))).images)
    count = int(np.isin(fingerprints(faces.images), used).sum())
    if 2 * count > len(faces):
        raise InputError(
            f"{count} of the {len(faces)} images are training or validation images of {name}. For the images "
            f"that it has not seen, give --data {kept}."
        )
    if count:
        LOG.warning(
            "%d of the %d images are training or validation images of %s. For the images that it has not seen, "
            "give --data %s.",
            *(count, len(faces), name, kept),
        )


def _classes(models: "Mapping[str, keras.Model]") -> tuple[str, ...] | None:
    """Return the classes to read from the data: those of the first model, `None` for FER-2013's seven."""
    names = next(iter(models.values())).class_names
    return None if names == EMOTIONS else names


def _name(model: "Model") -> str:
    return str(model) if isinstance(model, str | os.PathLike) else f"keras.Model({model.name!r})"


def _run_of(name: str) -> dict[str, Any] | None:
    """Return the settings and the data of the run that wrote the model file `name`; None for other models."""
    path = pathlib.Path(name).parent / "run.json"
    if not path.is_file():
        return None
    try:
        return renames.read_record(json.loads(path.read_bytes()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} is damaged: {error!r}. Move the model to another folder, or train again."
        ) from None


def _common(setting: str, runs: Mapping[str, dict[str, Any]], default: Any) -> Any:
    """Return the value of a setting, which must be equal in all runs; the default without runs."""
    values = {path: run["experiment"].get(setting, default) for path, run in runs.items()}
    if len(set(values.values())) > 1:
        found = ", ".join(f"{path}: {value}" for path, value in values.items())
        raise InputError(f"The models are of runs with different {setting}: {found}. Choose with --{setting}.")
    return next(iter(values.values()), default)


def _columns(model: "keras.Model", faces: Faces) -> list[int]:
    """Return the indices of the model's outputs in the order of the data's classes, which the model must have."""
    expected = faces.class_names
    found = getattr(model, "class_names", EMOTIONS)
    keys = list(map(class_key, found))
    if not set(map(class_key, expected)) <= set(keys):
        raise InputError(
            f"Model {model.name!r} has the classes {', '.join(found)}, but the data has {', '.join(expected)}. "
            "Name its outputs with --class-order (in Python, class_order=), or give the data of its classes."
        )
    return [keys.index(class_key(name)) for name in expected]


def _with_scale(model: "keras.Model", name: str, given: InputScale | None, train: Faces) -> "keras.Model":
    """Return `model` for values [0, 255], after checking its input scale on training images."""
    from fer_keras.inference import input_scale

    assumed = given or input_scale.known(model)
    images, labels = _balanced(train)
    if not len(labels):
        return input_scale.with_scale(model, given)
    right, faults = {}, []
    for scale in INPUT_SCALES:
        try:
            right[scale] = _accuracy(input_scale.with_scale(model, scale), images, labels, train)
        except InputError as error:  # a wrong scale can give infinite values
            right[scale] = 0.0
            faults.append(error)
    if len(faults) == len(INPUT_SCALES):
        raise faults[0]
    best, second = sorted(right, key=lambda scale: (right[scale], scale == assumed), reverse=True)[:2]
    figures = ", ".join(f"{scale}: {accuracy:.2f}" for scale, accuracy in right.items())
    figures = f"accuracy on {len(labels)} training images by input scale: {figures}"
    if assumed is None:
        if not _clearly_better(right[best], right[second], len(labels)):
            raise InputError(
                f"{name} does not show which pixel values it expects, nor do its results ({figures}). "
                "Give them with --input-scale (in Python, input_scale=)."
            )
        LOG.info("%s expects the input scale %s (%s).", name, best, figures)
        return input_scale.with_scale(model, best)
    if _clearly_better(right[best], right[assumed], len(labels)):
        raise InputError(
            f"{name} {'was given' if given else 'seems to expect'} the input scale {assumed}, but is clearly "
            f"better with {best} ({figures}). Nothing is reported: give --input-scale {best}."
        )
    return input_scale.with_scale(model, given)


def _balanced(faces: Faces) -> tuple[np.ndarray, np.ndarray]:
    """Return images and labels, up to `TRIED_IMAGES` of each class, the same in every call."""
    random = np.random.default_rng(0)
    classes = (np.flatnonzero(faces.labels == code) for code in range(len(faces.class_names)))
    rows = np.sort(np.concatenate([random.permutation(rows)[:TRIED_IMAGES] for rows in classes]))
    return np.asarray(faces.take(rows).images), faces.labels[rows]


def _accuracy(model: "keras.Model", images: np.ndarray, labels: np.ndarray, faces: Faces) -> float:
    from fer_keras.inference.prediction import probabilities

    found = probabilities(model, images)
    return float((found[:, _columns(model, faces)].argmax(axis=1) == labels).mean())


def _clearly_better(accuracy: float, other: float, images: int) -> bool:
    error = ((accuracy * (1 - accuracy) + other * (1 - other)) / images) ** 0.5
    return accuracy - other > max(LEAST_DIFFERENCE, STANDARD_ERRORS * error)

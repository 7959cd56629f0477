"""From a folder of images of any classes to a network for them: read, split, fine-tune, calibrate, evaluate."""

import contextlib
import json
import logging
import os
import pathlib
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

import keras
from matplotlib.figure import Figure

from fer_keras import evaluation
from fer_keras.backend import device, machine
from fer_keras.core import plotting
from fer_keras.core.choices import Tta
from fer_keras.core.errors import InputError
from fer_keras.core.files import StrPath, make_folder, plain, write_json, write_text
from fer_keras.core.progress import bar
from fer_keras.data import Faces, FaceSet
from fer_keras.data.skipped import skipped_text
from fer_keras.inference import conformal, input_scale
from fer_keras.inference.prediction import probabilities
from fer_keras.model_files import saving
from fer_keras.runs import own_faces, plots, records
from fer_keras.runs.release import temperature
from fer_keras.training import finetuning

LOG = logging.getLogger("fer_keras")
CALIBRATED_TTA: tuple[Tta, ...] = ("none", "flip")  # test-time augmentations with their own thresholds
SHOWN_COVERAGES = (0.8, 0.9, 0.95)
MOST_SEED = 2**31 - 2  # augmentation uses the next one too


def finetune(
    folder: StrPath | FaceSet,
    *,
    base: "StrPath | keras.Model" = "best",
    output: StrPath = "runs",
    persons: StrPath | None = None,
    seed: int = 0,
) -> tuple[pathlib.Path, dict[str, Any]]:
    """Train a network for the classes of an image folder, starting from a trained one.

    First the last layer is fitted as a logistic regression on features of the frozen network. Then all layers are
    trained at a low learning rate until the validation loss stops falling. All classes have the same weight,
    regardless of their number of images. The temperature and the thresholds of prediction sets are measured on the
    validation images, on which no weight was trained.

    Args:
        folder: 2 to 50 folders of images, one for each class, possibly inside train, val and test; crops of faces
            or photographs, see `fer_keras.runs.own_faces.read`. Missing splits are chosen at random. A `FaceSet`
            gives the classes to use, what numbered folders stand for, or the bit depth.
        base: "best", "tiny" or "ferplus", a `.keras` file or a `keras.Model`, for images of 48 x 48 pixels.
        output: folder of all run directories.
        persons: CSV file with the columns `file` (path inside `folder`) and `person`. A random split keeps all
            images of a person on one side. Default: by the names of files and folders, see
            `fer_keras.runs.own_faces.persons_by_name`.
        seed: of the split, of shuffling and of augmentation.

    Returns:
        `(directory, record)`: the run directory `output`/Finetune-FOLDER/TIME, and its record, see
        `fer_keras.runs.records.read`, with the content of `finetune.json` as `"finetune"`. `model.keras` is the
        network, `faces` contains the crops by split, `card.md` the figures. If it fails, no directory is left.

    Raises:
        InputError: if images, classes, splits, `persons` or `base` cannot be used.
    """
    _check_arguments(folder, base, seed)
    given = folder if isinstance(folder, FaceSet) else FaceSet(folder)
    name = f"Finetune-{pathlib.Path(given.path or '').resolve().name}"
    with _removing_new(pathlib.Path(output, name), pathlib.Path(output)), device.training_in("float32"):
        make_folder(output)
        keras.utils.set_random_seed(seed)  # before the layers of the base draw their own
        start = saving.load(base, named=False) if isinstance(base, str | os.PathLike) else base
        if (scale := input_scale.known(start)) != "0-255":
            raise InputError(
                f"{start.name} expects the input scale {scale or 'that its layers do not show'}. Only networks "
                "for values from 0 to 255, such as those of `fer-keras run`, can be fine-tuned."
            )
        body = finetuning.body_of(start)
        parts, about = _data(given, persons, seed)
        base_name = str(base) if isinstance(base, str | os.PathLike) else start.name
        settings: dict[str, Any] = {"name": name, "base": base_name, "seed": seed, "model_options": {}}
        directory = records.create(output, settings, about, machine.environment())
        try:
            with records.locked(directory):
                _fill(directory, body, parts, seed)
        except BaseException:  # an interrupt too
            shutil.rmtree(directory)
            raise
    details = json.loads((directory / "finetune.json").read_text(encoding="utf-8"))
    return directory, records.read(directory) | {"finetune": details}


def _check_arguments(folder: Any, base: Any, seed: Any) -> None:
    if not isinstance(folder, str | os.PathLike | FaceSet):
        raise InputError(f"folder must be a path or a FaceSet. Received {folder!r:.60}.")
    if not isinstance(base, str | os.PathLike | keras.Model):
        raise InputError(f"base must be a network's name, a .keras file or a keras.Model. Received {base!r:.60}.")
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= MOST_SEED:
        raise InputError(f"seed must be a whole number from 0 to {MOST_SEED}. Received {seed!r:.60}.")


@contextlib.contextmanager
def _removing_new(*folders: pathlib.Path) -> Iterator[None]:
    """Remove those of `folders` that did not exist before and are empty, if an error ends the block."""
    new = [folder for folder in folders if not folder.exists()]
    try:
        yield
    except BaseException:  # an interrupt too
        for folder in new:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        raise


def _data(folder: FaceSet, persons: StrPath | None, seed: int) -> tuple[dict[str, Faces], dict[str, Any]]:
    """Return the splits of the images in `folder`, and the record's description of them."""
    faces = own_faces.read(folder)
    for line in filter(None, [*faces.notes, skipped_text(faces.skipped)]):
        LOG.warning("%s: %s", faces.source, line)
    names = [] if faces.names is None else faces.names.tolist()
    given = own_faces.read_persons(persons, names) if persons else None
    found = given or own_faces.persons_by_name(names, faces.labels, faces.class_names)
    parts, left_out = own_faces.split(faces, found, seed)
    counts = {"persons": len(set(found))} if found else {}
    if found and not given:
        LOG.info(
            "The images are of %d persons by the names of their files or folders, such as %r.",
            counts["persons"],
            found[0],
        )
    LOG.info("Classes: %s.", _counts_text(faces))
    if reasons := own_faces.reasons_text(left_out):
        LOG.warning("Training images left out: %s.", reasons)
    return parts, evaluation.describe_data(faces, parts) | {
        "digest": own_faces.digest_of(parts),
        "left_out": left_out,
        "skipped": dict(faces.skipped),
        **counts,
    }


def _counts_text(faces: Faces) -> str:
    counts = (f"{name} ({int((faces.labels == code).sum()):,})" for code, name in enumerate(faces.class_names))
    return ", ".join(counts)


def _fill(directory: pathlib.Path, body: keras.Model, parts: dict[str, Faces], seed: int) -> None:
    """Train and write all files of the run; scores.json comes last and completes it."""
    train, validation = parts["train"], parts["validation"]
    with bar("Features", 2 * len(train) + len(validation)) as advance:
        features = finetuning.features_of(body, train, validation, advance)
    curve, head = finetuning.learning_curve(features, len(train.class_names))
    LOG.info("Last layer alone: %.3f of the validation images are right.", head.accuracy)
    model = finetuning.with_head(body, head)
    history = finetuning.fit_all(model, train, validation, seed)
    value = _calibrate(model, validation)
    network = saving.named(saving.publish(model), train.class_names)
    details: dict[str, Any] = {"learning_curve": curve, "temperature": value, "head_accuracy": head.accuracy}
    details |= _coverage(network, parts)
    scores = evaluation.evaluate_split(network, parts, "test")
    details["validation"] = evaluation.evaluate_split(network, parts, "validation")
    own_faces.write(parts, directory / "faces")
    saving.save(network, directory / "model.keras", train.class_names, conformal=details["conformal"])
    for row in history:
        records.append(directory / records.HISTORY, row)
    write_json(directory / "finetune.json", plain(details))
    record = records.read(directory) | {"scores": scores, "history": history}
    write_text(directory / "card.md", card_text(record, details))
    _draw(record, curve, directory)
    records.write(directory, "scores", scores)


def _calibrate(model: keras.Model, validation: Faces) -> float:
    """Return the temperature of the validation images, after dividing the weights of the logits by it."""
    logits = model.get_layer("logits")
    value = temperature(probabilities(model, validation.images), validation.labels)
    logits.set_weights([array / value for array in logits.get_weights()])
    return value


def _coverage(network: keras.Model, parts: Mapping[str, Faces]) -> dict[str, Any]:
    """Return by view the thresholds of prediction sets, and their coverage and the risk-coverage curve on test."""
    calibration, found, curves = {}, {}, {}
    for tta in CALIBRATED_TTA:
        validation, test = (
            probabilities(network, parts[name].images, tta=tta)[:, _order(network, parts[name])]
            for name in ("validation", "test")
        )
        calibration[tta] = conformal.calibrate(validation, parts["validation"].labels)
        labels = parts["test"].labels
        found[tta] = conformal.coverage_figures(test, labels, calibration[tta], SHOWN_COVERAGES)
        curves[tta] = evaluation.risk_coverage(labels, test)
    return {"conformal": calibration, "coverage": found, "risk_coverage": curves}


def _order(network: keras.Model, faces: Faces) -> list[int]:
    """Return the network's outputs in the order of the classes of the data."""
    return [network.class_names.index(name) for name in faces.class_names]


def _draw(record: dict[str, Any], curve: list[dict[str, Any]], directory: pathlib.Path) -> None:
    drawings: dict[str, plotting.Drawing] = {
        "Confusion Matrix Curve": (plots.confusion, record["scores"], record["data"]["class_names"]),
        "Learning Curve": (learning_curve, curve),
    }
    if record["history"]:
        drawings["Training Curve"] = (plots.training_curve, record["history"])
    plotting.write(record["experiment"]["name"], drawings, directory)


def learning_curve(rows: list[dict[str, Any]]) -> Figure:
    """Return a `Figure` of the validation accuracy by the number of training images."""
    figure, axes = plotting.new_figure()
    images = [row["images"] for row in rows]
    axes.plot(images, [100 * row["accuracy"] for row in rows], "o-", color=plotting.VALIDATION)
    axes.set(xlabel="training images", ylabel="validation accuracy, %", xticks=images)
    axes.set_title("last layer alone, all other layers as in the base network")
    return figure


def card_text(record: Mapping[str, Any], details: Mapping[str, Any]) -> str:
    """Return the model card as Markdown: what the network is, its figures, its limits."""
    settings, about, scores = record["experiment"], record["data"], record["scores"]
    names, images = about["class_names"], about["images"]
    classes = [
        f"| {name} | {sum(scores['confusion'][i]):,} | {scores[f'recall_{i}']:.3f} "
        f"| {scores[f'precision_{i}']:.3f} |"
        for i, name in enumerate(names)
    ]
    curve = [f"| {row['images']:,} | {row['accuracy']:.3f} |" for row in details["learning_curve"]]
    coverage = [
        f"| {row['coverage']:.2f} | {row['covered']:.3f} | {row['set_size']:.2f} |"
        for row in details["coverage"]["none"]
    ]
    persons = f", of {about['persons']:,} persons" if "persons" in about else ""
    reasons = own_faces.reasons_text(about["left_out"])
    left_out = f"Training images left out: {reasons}." if reasons else ""
    unused = "".join(f" {text}" for text in (skipped_text(about["skipped"]), left_out) if text)
    return f"""# {settings["name"]}

Fine-tuned from `{settings["base"]}`, seed {settings["seed"]}, for the classes {", ".join(names)}.

## Figures

{images["train"]:,} training, {images["validation"]:,} validation and {images["test"]:,} test images of
`{about["source"]}`{persons}, digest {about["digest"][:16]}.{unused}

Accuracy on test: {scores["accuracy"]:.3f}, macro F1 {scores["macro_f1"]:.3f}, calibration error
{scores["calibration_error"]:.3f}. Without exact copies of training and validation images:
{_figure(scores["leak_free_accuracy"])} of {scores["leak_free_images"]:,}.

| class | test images | recall | precision |
|---|---|---|---|
{chr(10).join(classes)}

Learning curve: validation accuracy of the last layer alone, the other layers as in the base network.

| training images | accuracy |
|---|---|
{chr(10).join(curve)}

## Prediction sets

The temperature {details["temperature"]:.3f} and the thresholds were measured on the
{images["validation"]:,} validation images. No weight was trained on them, but they decided when training stopped.
On test, without test-time augmentation:

| requested | covered | mean classes |
|---|---|---|
{chr(10).join(coverage)}

Coverage is an average over images like these. It does not hold for each class, each person or other images.

Abstaining below a confidence (`--min-confidence`), on the same images and in the same view:

{evaluation.risk_coverage_table(details["risk_coverage"]["none"])}

## Not for

Deciding anything about a person. A face shows an expression, not an emotion. The figures hold for images like
those in the folder; it is unknown how the errors differ between people.
"""


def _figure(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"

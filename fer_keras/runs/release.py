"""From a finished run to a pretrained network: calibrated, in half precision, evaluated as it is released."""

import pathlib
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from scipy.optimize import minimize_scalar

from fer_keras import evaluation
from fer_keras.backend.layers import plain
from fer_keras.core.choices import TTA, Tta
from fer_keras.core.errors import InputError
from fer_keras.core.files import StrPath, write_text
from fer_keras.data import Faces, FaceSet, leak_free, split
from fer_keras.data.votes import EIGHT_CODES, majority
from fer_keras.inference import conformal, export
from fer_keras.inference.outputs import calibrated
from fer_keras.inference.prediction import probabilities
from fer_keras.model_files import saving
from fer_keras.model_files.pretrained import class_names, pack, pretrained
from fer_keras.runs import pipeline

COVERAGES = (0.8, 0.9, 0.95)  # of the card's table
LIMITS = (0.2, 5.0)  # of the temperature
SERVED = {"tta": "flip", "detector": "mtcnn"}  # the defaults of `FER`, which a card names
FER2013_IMAGES = {  # labelled, by the kind of labels: without and with PrivateTest
    "original": (28_709 + 3_589, 28_709 + 2 * 3_589),
    "fer+": (24_941 + 3_186, 24_941 + 3_186 + 3_137),
    "fer+8": (27_956 + 3_199, 27_956 + 3_199 + 3_153),
}


def release(
    run: StrPath, name: str, folder: StrPath, *, data: StrPath | FaceSet | None = None, refit: bool = False
) -> tuple[pathlib.Path, pathlib.Path]:
    """Write the model of `run` as the network `name` into `folder`.

    The temperatures of its probabilities and the thresholds of its prediction sets are those of images that it was
    not trained on, one for each view. The card's figures on test are of the released file.

    Args:
        run: a finished run directory; with `refit` also its record, a file as in `experiments/results`.
        name: file name without ending.
        folder: see `fer_keras.model_files.pretrained.pretrained`.
        data: the data that the run was trained on, see `fer_keras.data.load`.
        refit: release what `pipeline.refit` makes of the run's experiment, trained on half of the validation
            images too and calibrated on the other half. The card's accuracy on validation is that of the run.

    Returns:
        Paths of the card as JSON and as Markdown.

    Raises:
        InputError: if the run is not finished, or was trained on other data or on synthetic faces; if ONNX
            cannot be written, which takes its packages and the backend torch; with `refit`, as `pipeline.refit`.
    """
    record, faces = pipeline.finished(run, data)
    if record["data"]["synthetic"]:
        raise InputError(
            f"{run} was trained on synthetic faces, which is no network to release. Train it on FER-2013."
        )
    export.check(pathlib.Path(folder, f"{name}.onnx"), "onnx")
    parts = split(faces, record["experiment"]["seed"])
    validation = {"none": {"accuracy": record["history"][-1]["val_acc"]}}
    if refit:
        model, record = pipeline.refit(run, data=data)
        merged = split(faces, record["experiment"]["seed"], merged=True)
        calibration = _calibrated(model, merged["calibration"], merged["train"])
    else:
        model = saving.load(pathlib.Path(run, "model.keras"), trusted=True)
        unseen = parts["validation"].take(leak_free(parts["validation"], parts["train"]))
        calibration = _calibrated(model, unseen, parts["train"])
    model.temperatures = {}  # the card holds them, not the files
    about = {
        "experiment": record["experiment"],
        "data": record["data"],
        "environment": record["environment"],
        "minutes": sum(row["epoch_time"] for row in record["history"]) / 60,
        "parameters": model.count_params(),
        **calibration,
        "served": SERVED,
        "refit": refit,
    }
    fair = leak_free(parts["test"], parts["train"], parts["validation"])
    with tempfile.TemporaryDirectory() as trial:
        onnx = pathlib.Path(trial, f"{name}.onnx")
        export.export(model, onnx, "onnx", half=True)
        ours = plain(model)
        pack(ours, onnx, about, "trial", trial)
        released = pretrained("trial", folder=trial)
        shares = {tta: probabilities(released, parts["test"].images, tta=tta) for tta in TTA}
        labels = parts["test"].labels
        test = {tta: evaluation.scores(labels, found, fair) for tta, found in shares.items()}
        if fair.any():
            kept = {tta: found[fair] for tta, found in shares.items()}
            about |= _prediction_sets(kept, labels[fair], calibration["conformal"])
        about["scores"] = {"validation": validation, "test": test}
        card = pack(ours, onnx, about, name, folder)
    text = card.with_suffix(".md")
    write_text(text, card_text(name, about))
    return card, text


def _calibrated(model: keras.Model, images: Faces, train: Faces) -> dict[str, Any]:
    """Calibrate `model` on `images` with a temperature for each view; return the card's entries.

    If the labels are distributions of votes, the probabilities estimate the shares of votes. Prediction sets are
    calibrated on the images that are scored, which are those with a majority label.

    Raises:
        InputError: if there is none of `images`, or an exact copy of one is among the training images `train`.
    """
    copies = int((~leak_free(images, train)).sum())
    if copies or not len(images):
        raise InputError(
            f"{copies} of {len(images)} calibration images are among the training images, expected 0 of at least "
            "1: the network would seem surer than it is."
        )
    targets = images.labels if images.soft_labels is None else images.soft_labels
    scored = np.full(len(images), True)
    if images.soft_labels is not None and images.votes is not None:
        scored = majority(images.votes, EIGHT_CODES) >= 0
    model.temperatures = {}
    shares = {tta: probabilities(model, images.images, tta=tta) for tta in TTA}
    model.temperatures = {tta: temperature(found, targets) for tta, found in shares.items()}
    sets = {
        tta: conformal.calibrate(calibrated(found, model.temperatures[tta])[scored], images.labels[scored])
        for tta, found in shares.items()
    }
    about = {"images": len(images), "scored": int(scored.sum()), "digest": images.digest}
    return {"temperatures": dict(model.temperatures), "conformal": sets, "calibration": about}


def _prediction_sets(
    shares: Mapping[Tta, np.ndarray], labels: np.ndarray, thresholds: Mapping[Tta, dict[str, Any]]
) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Return by view what prediction sets cover of test images, and what abstention gains there.

    Args:
        shares: by view, the probabilities (n, classes) of the images.
        labels: (n,) class codes.
        thresholds: by view, as `conformal.calibrate` returns them.
    """
    return {
        "coverage": {
            tta: conformal.coverage_figures(found, labels, thresholds[tta], COVERAGES)
            for tta, found in shares.items()
        },
        "risk_coverage": {tta: evaluation.risk_coverage(labels, found) for tta, found in shares.items()},
    }


def card_text(name: str, about: dict) -> str:
    """Return the model card as Markdown: what it is, its figures by class, its limits."""
    settings, scores, names = about["experiment"], about["scores"], class_names(about)
    test, chosen = scores["test"]["none"], scores["validation"]["none"]["accuracy"]
    rows = [
        f"| {word} | {sum(test['confusion'][i]):,} | {test[f'recall_{i}']:.3f} | {test[f'precision_{i}']:.3f} "
        f"| {test[f'f1_{i}']:.3f} | {_mistaken_for(test['confusion'][i], i, names)} |"
        for i, word in enumerate(names)
    ]
    environment = about["environment"]
    return f"""# {name}

A single network of {about["parameters"]:,} weights, stored in half precision, from 48x48 grey faces to the
probabilities of {", ".join(names)}.

## Figures

Test split ({_source(about)}{_by(settings)}, {test["images"]:,} images), not used for any choice.
Leak-free: without the images of which an exact copy is in the training or validation images.

| | accuracy | leak-free accuracy | macro F1 | loss | calibration error |
|---|---|---|---|---|---|
{_row("one view", test)}
{_row("image and mirror image", scores["test"]["flip"])}
{_row("ten crops", scores["test"]["ten-crop"])}

| class | images | recall | precision | F1 | most often taken for |
|---|---|---|---|---|---|
{chr(10).join(rows)}

{_sets(about)}Validation, which chose: {chosen:.4f}{_before(about)}. {_calibration(about)}
{_served(about["served"])}

## Made by

Run `{settings["name"]}`, seed {settings["seed"]}: model `{settings["model"]}`, {settings["epochs"]} epochs in
{about["minutes"]:.0f} minutes, keras {environment["keras"]} on {environment["backend"]}
{environment["backend_version"]}, {environment["precision"]}, {environment["device"]}. All settings are in
`{name}.json`.

{_data(about)}

## Not for

Deciding anything about a person: hiring, policing, border control, health, education, insurance. A face shows an
expression, not an emotion.{_limits(about)}
"""


def _is_fer2013(about: dict[str, Any]) -> bool:
    data = about["data"]
    images = sum(data["images"].values()) + sum(data.get("left_out", {}).values())
    return images in FER2013_IMAGES[about["experiment"].get("labels", "original")]


def _source(about: dict[str, Any]) -> str:
    return "PublicTest of FER-2013" if _is_fer2013(about) else f"of `{about['data']['source']}`"


def _data(about: dict[str, Any]) -> str:
    data = about["data"]
    counts = f"digest {data['digest'][:16]}:\n{data['images']['train']:,} training images, no others."
    if _is_fer2013(about):
        return (
            f"Data: FER-2013 (Goodfellow et al. 2013, arXiv:1307.0414), {counts} Its faces were collected by a "
            "search engine and\nlabelled by few people; no consent of those shown is known, and its terms allow "
            "research only."
        )
    return f"Data: `{data['source']}`, {counts}"


def _limits(about: dict[str, Any]) -> str:
    votes = " More than a third of these images have another label in FER+, where ten people voted."
    by_votes = _by(about["experiment"])
    return (votes if _is_fer2013(about) and not by_votes else "") + (
        "\nFaces were grouped by no age, origin or gender here, so nothing is known of how the errors differ "
        "between people."
    )


def _served(served: Mapping[str, str]) -> str:
    return f'`FER` serves it by default with the detector `{served["detector"]}` and `tta="{served["tta"]}"`.'


def _calibration(about: dict[str, Any]) -> str:
    source = "(Guo et al. 2017, arXiv:1706.04599)"
    if "temperature" in about:  # a network of 0.1.0
        value = f"{about['temperature']:.3f} {source}"
        return f"Calibrated there with\ntemperature {value}, which is part of the weights."
    values = ", ".join(f"{tta} {value:.3f}" for tta, value in about["temperatures"].items())
    images = f"{about['calibration']['images']:,} images that they were not trained on"
    votes = ""
    if about["experiment"].get("labels") == "fer+8":
        votes = (
            "\nA probability estimates the share of annotators who choose the class. It may be below the accuracy."
        )
    return f"Calibrated on\n{images}, with a temperature for each view {source}:\n{values}.{votes}"


def _sets(about: dict[str, Any]) -> str:
    if "coverage" not in about:  # a network of 0.1.0
        return ""
    rows = [
        f"| {tta} | {row['coverage']:.2f} | {row['covered']:.3f} | {row['set_size']:.2f} |"
        for tta, figures in about["coverage"].items()
        for row in figures
    ]
    return (
        f"Prediction sets, calibrated on {about['calibration']['scored']:,} images that the weights were not "
        "trained on, scored on\nleak-free test images. Coverage is an average over images like these, no promise "
        "for a class or for photographs.\n\n"
        "| test-time augmentation | requested | covered | mean classes |\n|---|---|---|---|\n"
        f"{chr(10).join(rows)}\n\n"
        f"{_served_sets(about)}"
    )


def _served_sets(about: dict[str, Any]) -> str:
    """Return the coverage by class and the risk-coverage curve of the view that is served, as tables."""
    served = about["served"]["tta"]
    at_90 = next(row for row in about["coverage"][served] if row["coverage"] == 0.9)
    names = class_names(about)
    covered = ["-" if share is None else f"{share:.3f}" for share in at_90["by_class"]]
    return (
        f"Of these for 0.90, view {served}, covered by class:\n\n| {' | '.join(names)} |\n"
        f"|{'---|' * len(names)}\n| {' | '.join(covered)} |\n\n"
        "Abstaining below a confidence (`--min-confidence`), on the same images and in the same view:\n\n"
        f"{evaluation.risk_coverage_table(about['risk_coverage'][served])}\n\n"
    )


def _by(settings: Mapping[str, Any]) -> str:
    return "" if settings.get("labels", "original") == "original" else " by FER+ labels"


def _before(about: dict[str, Any]) -> str:
    images = "half of those images" if "calibration" in about else "those images"
    return f", before these weights were trained on {images} too" if about["refit"] else ""


def _row(name: str, scores: dict[str, Any]) -> str:
    figures = (scores[key] for key in ("accuracy", "leak_free_accuracy", "macro_f1", "loss", "calibration_error"))
    return f"| {name} | {' | '.join(f'{figure:.4f}' for figure in figures)} |"


def _mistaken_for(counts: Sequence[int], right: int, names: Sequence[str]) -> str:
    wrong = {name: count for i, (name, count) in enumerate(zip(names, counts, strict=True)) if i != right}
    most = max(wrong, key=lambda name: wrong[name])
    return f"{most} ({wrong[most]})"


def temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the number that the logits are to be divided by for the least cross-entropy on these images.

    Guo et al. 2017, arXiv:1706.04599, section 4.2. Between 0.2 and 5.

    Args:
        probabilities: (n, classes), rows that sum to 1; their logarithm serves as the logits.
        labels: (n,), class numbers; or (n, classes), distributions.
    """
    logits = np.log(np.clip(probabilities.astype("float64"), 1e-12, 1))
    targets = np.eye(logits.shape[1])[labels] if labels.ndim == 1 else labels

    def loss(value: float) -> float:
        scaled = logits / value
        scaled -= scaled.max(axis=1, keepdims=True)
        return np.mean(np.log(np.exp(scaled).sum(axis=1)) - (targets * scaled).sum(axis=1))

    return float(minimize_scalar(loss, bounds=LIMITS, method="bounded").x)

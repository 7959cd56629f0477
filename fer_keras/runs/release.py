"""From a finished run to a network that can be shipped: calibrated, in half precision, judged as it ships."""

import pathlib

import keras
import numpy as np
from scipy.optimize import minimize_scalar

from fer_keras import evaluation
from fer_keras.backend.layers import plain
from fer_keras.core.choices import TTA
from fer_keras.core.errors import InputError
from fer_keras.core.files import write_text
from fer_keras.data import EMOTIONS, split
from fer_keras.inference.prediction import probabilities
from fer_keras.model_files import saving
from fer_keras.model_files.pretrained import pack, pretrained
from fer_keras.runs import pipeline

LIMITS = (0.2, 5.0)  # of the temperature


def release(run, name, folder, *, data=None, refit=False):
    """Write the model of the run directory `run` as the network `name` into `folder`; return the paths written.

    Its probabilities are calibrated on the validation images; the card's figures on test are of the released file.

    Args:
        run: a finished run directory.
        name: file name without ending.
        folder: see `fer_keras.model_files.pretrained.pretrained`.
        data: the FER-2013 that the run was trained on, see `fer_keras.data.load`.
        refit: release what `pipeline.refit` makes of the run's experiment, with validation images too, at the
            temperature of the run's own model. The card's figures on validation are then those of the run.

    Raises:
        InputError: if the run is not finished, or was trained on other data or on synthetic faces; with
            `refit`, as `pipeline.refit`.
    """
    record, faces = pipeline.finished(run, data)
    if record["data"]["synthetic"]:
        raise InputError(
            f"{run} was trained on synthetic faces, which is no network to release. Train it on FER-2013."
        )
    parts = split(faces, record["experiment"]["seed"])
    model = plain(saving.load(pathlib.Path(run, "model.keras")))
    value = temperature(probabilities(model, parts["validation"].images), parts["validation"].labels)
    _scale_temperature(model, value)
    validation = _figures(model, parts, "validation")
    if refit:
        model, record = pipeline.refit(run, data=data)
        model = plain(model)
        _scale_temperature(model, value)
    about = {
        "experiment": record["experiment"],
        "data": record["data"],
        "environment": record["environment"],
        "minutes": sum(row["epoch_time"] for row in record["history"]) / 60,
        "parameters": model.count_params(),
        "temperature": value,
        "refit": refit,
    }
    pack(model, about, name, folder)
    test = _figures(pretrained(name, folder=folder), parts, "test")
    about["scores"] = {"validation": validation, "test": test}
    text = pathlib.Path(folder, f"{name}.md")
    write_text(text, card_text(name, about))
    return *pack(model, about, name, folder), text


def _figures(model, parts, part):
    return {tta: evaluation.evaluate_split(model, parts, part, tta=tta) for tta in TTA}


def card_text(name, about):
    """Return the model card as Markdown: what it is, its figures by class, its limits."""
    settings, scores = about["experiment"], about["scores"]
    test = scores["test"]["none"]
    rows = [
        f"| {emotion} | {sum(test['confusion'][i]):,} | {test[f'recall_{i}']:.3f} | {test[f'precision_{i}']:.3f} "
        f"| {test[f'f1_{i}']:.3f} | {_mistaken_for(test['confusion'][i], i)} |"
        for i, emotion in enumerate(EMOTIONS)
    ]
    environment = about["environment"]
    return f"""# {name}

A single network of {about["parameters"]:,} weights, stored in half precision, from 48x48 grey faces to the
probabilities of {", ".join(EMOTIONS)}.

## Figures

Test split (PublicTest of FER-2013{_by(settings)}, {test["images"]:,} images), not used for any choice. Leak-free:
without the images of which an exact copy stands in the training or validation images.

| | accuracy | leak-free accuracy | macro F1 | loss | calibration error |
|---|---|---|---|---|---|
{_row("one view", test)}
{_row("image and mirror image", scores["test"]["flip"])}
{_row("ten crops", scores["test"]["ten-crop"])}

| emotion | images | recall | precision | F1 | most often taken for |
|---|---|---|---|---|---|
{chr(10).join(rows)}

Validation, which chose: {scores["validation"]["none"]["accuracy"]:.4f}{_before(about)}. Calibrated there with
temperature {about["temperature"]:.3f} (Guo et al. 2017, arXiv:1706.04599), which is part of the weights.

## Made by

Run `{settings["name"]}`, seed {settings["seed"]}: model `{settings["model"]}`, {settings["epochs"]} epochs in
{about["minutes"]:.0f} minutes, keras {environment["keras"]} on {environment["backend"]}
{environment["backend_version"]}, {environment["precision"]}, {environment["device"]}. All settings are in
`{name}.json`.

Data: FER-2013 (Goodfellow et al. 2013, arXiv:1307.0414), digest {about["data"]["digest"][:16]}:
{about["data"]["images"]["train"]:,} training images, no others. Its faces were collected by a search engine and
labelled by few people; no consent of those shown is known, and its terms allow research only.

## Not for

Deciding anything about a person: hiring, policing, border control, health, education, insurance. A face shows an
expression, not an emotion. More than a third of these images have another label in FER+, where ten people voted.
Faces were grouped by no age, origin or gender here, so nothing is known of how the errors differ between people.
"""


def _by(settings):
    return " by FER+ labels" if settings.get("labels") == "fer+" else ""


def _before(about):
    return ", before these weights were trained on those images too" if about["refit"] else ""


def _row(name, scores):
    figures = (scores[key] for key in ("accuracy", "leak_free_accuracy", "macro_f1", "loss", "calibration_error"))
    return f"| {name} | {' | '.join(f'{figure:.4f}' for figure in figures)} |"


def _mistaken_for(counts, right):
    wrong = {emotion: count for i, (emotion, count) in enumerate(zip(EMOTIONS, counts, strict=True)) if i != right}
    most = max(wrong, key=wrong.get)
    return f"{most} ({wrong[most]})"


def temperature(probabilities, labels):
    """Return the number that the logits are to be divided by for the least cross-entropy on these images.

    Guo et al. 2017, arXiv:1706.04599, section 4.2. Between 0.2 and 5.

    Args:
        probabilities: (n, 7), rows that sum to 1; their logarithm serves as the logits.
        labels: (n,), 0..6.
    """
    logits = np.log(np.clip(probabilities.astype("float64"), 1e-12, 1))

    def loss(value):
        scaled = logits / value
        scaled -= scaled.max(axis=1, keepdims=True)
        return np.mean(np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(labels)), labels])

    return float(minimize_scalar(loss, bounds=LIMITS, method="bounded").x)


def _scale_temperature(model, value):
    """Divide the logits by `value`, in the weights of the layer that gives them."""
    for variable in model.get_layer("logits").variables:
        variable.assign(keras.ops.convert_to_numpy(variable) / value)

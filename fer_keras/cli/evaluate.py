"""Commands on a trained model: judge it, release it."""

import logging
import pathlib

import click

from fer_keras.cli.options import class_order_option, data_option, parse_classes, synthetic_note, tta_option
from fer_keras.core.choices import SPLITS
from fer_keras.core.errors import InputError
from fer_keras.experiment import LABELS

LOG = logging.getLogger("fer_keras")


@click.command()
@click.argument("models", nargs=-1, metavar="[MODEL]...", type=click.Path(path_type=pathlib.Path))
@data_option
@click.option("--split", "part", type=click.Choice(SPLITS), default="test", show_default=True)
@tta_option
@class_order_option
@click.option(
    "--labels",
    type=click.Choice(LABELS),
    help="FER-2013's own, or FER+'s majority. [default: that of the run MODEL is of, else original]",
)
@click.option(
    "--seed", type=click.IntRange(0), help="Seed of the split. [default: that of the run MODEL is of, else 0]"
)
@click.option(
    "--output",
    type=click.Path(path_type=pathlib.Path),
    help="Folder for scores.json and the confusion matrix. [default: MODEL_SPLIT beside the model, or here]",
)
def evaluate(models, data, part, tta, class_order, labels, seed, output):
    """Judge the Keras model in the file MODEL, or the network that comes with the package.

    MODEL is this project's, or any with the same seven classes. Several are judged as one: an ensemble, whose
    answer is the mean of their probabilities.

    \b
    fer-keras evaluate --data fer2013.csv
    fer-keras evaluate runs/3-2-Best/20300101-120000/model.keras --tta flip
    fer-keras evaluate runs/Resnet-Medium/*/model.keras --tta flip
    """
    from fer_keras import evaluation
    from fer_keras.core.files import write_json
    from fer_keras.data import load, quality_checks, split
    from fer_keras.model_files import saving
    from fer_keras.model_files.pretrained import pretrained
    from fer_keras.runs import pipeline, plots, records

    classes = parse_classes(class_order)
    loaded = [saving.load(model, classes=classes) for model in models] or [pretrained()]
    models = models or (pathlib.Path("best"),)
    runs = {m: records.read(m.parent) for m in models if (m.parent / "run.json").is_file()}
    if seed is None:  # another seed would have trained on images of this validation split
        seed = _common("seed", runs, 0)
    labels = labels or _common("labels", runs, "original")
    faces = load(data, labels=labels)
    parts = split(faces, seed)
    for warning in quality_checks(parts):
        LOG.warning(warning)
    for model, run in runs.items():
        if run["data"]["digest"] != faces.digest:
            LOG.warning("%s was trained on other data, which may hold images of this %s split.", model, part)
    about = records.describe(faces, parts)
    scores = pipeline.judge(loaded, parts, part, tta=tta)
    if len(models) == 1:
        (path,) = models
        name, told, drawn = path.name, path.name, path.stem
    else:
        path, told = pathlib.Path("ensemble"), [str(model) for model in models]
        name = drawn = f"ensemble of {len(models)}"
    title = f"{name} on the {part} split{synthetic_note(about)}"
    title += f", test-time augmentation: {tta}" if tta != "none" else ""
    title += ", by FER+ labels" if labels == "fer+" else ""
    click.echo(title)
    click.echo(evaluation.table(scores))
    kind = f"{part}{'_ferplus' if labels == 'fer+' else ''}{f'_{tta}' if tta != 'none' else ''}"
    folder = output or path.with_name(f"{path.stem}_{kind}")
    result = {"model": told, "data": about, "split": part, "seed": seed, "labels": labels}
    write_json(folder / "scores.json", result | {"tta": tta, "scores": scores})
    plots.draw(
        {"experiment": {"name": drawn}, "data": about, "history": [], "overfit": None, "scores": scores},
        folder,
    )
    click.echo(f"written: {folder}")


def _common(setting, runs, default):
    """Return the value of a setting that all runs share, or the default where there are none."""
    values = {path: run["experiment"].get(setting, default) for path, run in runs.items()}
    if len(set(values.values())) > 1:
        told = ", ".join(f"{path}: {value}" for path, value in values.items())
        raise InputError(f"The models are of runs with different {setting}: {told}. Choose with --{setting}.")
    return next(iter(values.values()), default)


@click.command()
@click.argument("run", type=click.Path(path_type=pathlib.Path))
@click.argument("name")
@data_option
@click.option(
    "--output",
    type=click.Path(path_type=pathlib.Path),
    default="fer_keras/model_files/weights",
    show_default=True,
    help="Folder of the released networks.",
)
@click.option("--refit", is_flag=True, help="Train it anew first, on training and validation images together.")
def release(run, name, data, output, refit):
    """Release the model of the run directory RUN as the network NAME: calibrated, half precision, with its card.

    \b
    fer-keras release runs/3-2-Best/20300101-120000 best --data fer2013.csv
    """
    from fer_keras.runs.release import release

    for path in release(run, name, output, data=data, refit=refit):
        click.echo(f"written: {path}")

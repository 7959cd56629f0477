"""Commands that evaluate or release a trained model."""

import pathlib
from typing import TYPE_CHECKING, Any

import click

from fer_keras.cli.options import (
    class_order_option,
    data_options,
    input_scale_option,
    parse_classes,
    synthetic_note,
    tta_option,
)
from fer_keras.core.choices import EVALUATED_SPLITS, EvaluatedSplit
from fer_keras.experiment import LABELS

if TYPE_CHECKING:
    from fer_keras import evaluation
    from fer_keras.data import FaceSet


@click.command()
@click.argument("models", nargs=-1, metavar="[MODEL]...", type=click.Path(path_type=pathlib.Path))
@data_options
@click.option("--split", type=click.Choice(EVALUATED_SPLITS), default="test", show_default=True)
@tta_option
@class_order_option
@input_scale_option
@click.option(
    "--labels",
    type=click.Choice(LABELS),
    help="FER-2013's own, or FER+'s majority over seven or eight classes. [default: those of MODEL's training]",
)
@click.option(
    "--seed", type=click.IntRange(0), help="Seed of the split. [default: that of the run of MODEL, else 0]"
)
@click.option(
    "--groups",
    type=click.Path(path_type=pathlib.Path),
    help="CSV with the column file (path inside the data, or number of the row from 0) and a column for each "
    "grouping, such as person or light: accuracy by group.",
)
@click.option(
    "--output",
    type=click.Path(path_type=pathlib.Path),
    help="Folder for scores.json and the confusion matrix. [default: MODEL_SPLIT, for data other than "
    "fer2013.csv MODEL_DATA_SPLIT, next to the model, or here]",
)
def evaluate(
    models: tuple[pathlib.Path, ...],
    data: "FaceSet",
    split: EvaluatedSplit,
    output: pathlib.Path | None,
    **options: Any,
) -> None:
    """Score the Keras model MODEL: a .keras file, or best, tiny or ferplus, which come with the package.

    Several models are scored as an ensemble, by the mean of their probabilities.

    \b
    fer-keras evaluate --data fer2013.csv
    fer-keras evaluate runs/3-2-Best/20300101-120000/model.keras --tta flip
    fer-keras evaluate runs/Resnet-Medium/*/model.keras --tta flip
    """
    from fer_keras import evaluation
    from fer_keras.core.files import write_json
    from fer_keras.runs import plots

    options["class_order"] = parse_classes(options["class_order"])
    result = evaluation.evaluate(models or ["best"], data, split=split, **options)
    name = pathlib.Path(result.models[0]).name if len(models) < 2 else f"ensemble of {len(models)}"
    title = f"{name} on the {split} split{synthetic_note(result.data)}"
    title += f", test-time augmentation: {result.tta}" if result.tta != "none" else ""
    click.echo(title + ("" if result.labels == "original" else ", FER+ labels"))
    click.echo(result.table())
    folder = output or _folder(result)
    write_json(folder / "scores.json", result.as_dict())
    record: dict[str, Any] = {"experiment": {"name": name}, "data": result.data, "history": [], "overfit": None}
    plots.draw(record | {"scores": result.scores}, folder)
    click.echo(f"written: {folder}")


def _folder(result: "evaluation.Evaluation") -> pathlib.Path:
    """Return the folder of the figures: next to a model file, else in the working directory.

    Its name holds that of the data unless this is FER-2013's own, so that each data set has its own folder.
    """
    from fer_keras.data.tables import OFFICIAL

    path = pathlib.Path(result.models[0] if len(result.models) == 1 else "ensemble")
    source = result.data["source"]
    parts = [path.stem, *([] if source in ("fer2013", *OFFICIAL) else [source]), result.split]
    parts += ["ferplus"] if result.labels != "original" else []
    parts += [result.tta] if result.tta != "none" else []
    return path.with_name("_".join(parts))


@click.command()
@click.argument("run", type=click.Path(path_type=pathlib.Path))
@click.argument("name")
@data_options
@click.option(
    "--output",
    type=click.Path(path_type=pathlib.Path),
    default="fer_keras/model_files/weights",
    show_default=True,
    help="Folder of the released networks.",
)
@click.option(
    "--refit", is_flag=True, help="First train it again, on the training images and half of the validation images."
)
def release(run: pathlib.Path, name: str, data: "FaceSet", output: pathlib.Path, refit: bool) -> None:
    """Release the model of the run directory RUN as the network NAME: calibrated, half precision, with its card.

    With --refit, RUN may also be the record of a run.

    \b
    fer-keras release runs/3-2-Best/20300101-120000 mine --data fer2013.csv
    fer-keras release experiments/results/resnet_fine_long/0.json best --refit --data fer2013.csv
    """
    from fer_keras.runs.release import release

    for path in release(run, name, output, data=data, refit=refit):
        click.echo(f"written: {path}")

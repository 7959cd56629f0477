"""The command that trains a network for the user's own classes."""

import pathlib
import sys
from typing import TYPE_CHECKING

import click

from fer_keras.cli.options import INTERRUPTED, folder_options, output_option

if TYPE_CHECKING:
    from fer_keras.data import FaceSet


@click.command()
@click.argument("folder", type=click.Path(path_type=pathlib.Path))
@folder_options
@click.option(
    "--base", default="best", show_default=True, help="Network to start from: best, tiny or a .keras file."
)
@output_option
@click.option(
    "--persons",
    type=click.Path(path_type=pathlib.Path),
    help="CSV with the columns file and person; a random split keeps the images of a person on one side. "
    "[default: file names before the first _, -, . or space, if each class has 5 different ones]",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
def finetune(folder: "FaceSet", base: str, output: pathlib.Path, persons: pathlib.Path | None, seed: int) -> None:
    """Train a network for the classes in FOLDER, which has a folder of images for each of 2 to 50 classes.

    Images are face crops or photographs; of these, the largest face is used. Splits (folders train, val, test) are
    kept; missing ones are chosen at random.

    \b
    fer-keras finetune my_faces
    fer-keras finetune my_faces --base tiny --output runs
    fer-keras predict a.jpg --model runs/Finetune-my_faces/TIME/model.keras
    """
    from fer_keras import evaluation
    from fer_keras.core import jobs
    from fer_keras.runs.finetune import finetune

    try:
        with jobs.exit_on_sigterm():
            directory, record = finetune(folder, base=base, output=output, persons=persons, seed=seed)
    except KeyboardInterrupt:
        click.echo("\nInterrupted. Nothing was written.", err=True)
        sys.exit(INTERRUPTED)
    click.echo("test split")
    click.echo(evaluation.table(record["scores"], record["data"]["class_names"]))
    click.echo("\ntraining images  validation accuracy of the last layer alone")
    for row in record["finetune"]["learning_curve"]:
        click.echo(f"{row['images']:>15,}  {row['accuracy']:.4f}")
    click.echo(f"written: {directory}")

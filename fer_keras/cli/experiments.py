"""Commands for one experiment file: run, overfit, show."""

import json
import pathlib
from typing import TYPE_CHECKING

import click

from fer_keras.cli.options import (
    data_options,
    end_interrupted,
    epochs_option,
    file_argument,
    output_option,
    read_experiment,
    seed_option,
    synthetic_note,
    wandb_option,
)
from fer_keras.experiment import files_in, load, override

if TYPE_CHECKING:
    from fer_keras.data import FaceSet


@click.command()
@file_argument
@click.argument("settings", nargs=-1, metavar="[KEY=VALUE]...")
@data_options
@seed_option
@epochs_option
@output_option
@wandb_option("auto")
@click.option(
    "--precision", type=click.Choice(["float32", "mixed_bfloat16"]), help="[default: the fast one of the device]"
)
@click.option("--capture", is_flag=True, help="Replay each training step as one CUDA graph.")
def run(
    file: pathlib.Path,
    settings: tuple[str, ...],
    data: "FaceSet",
    seed: int | None,
    epochs: int | None,
    output: pathlib.Path,
    wandb: str,
    precision: str | None,
    capture: bool,
) -> None:
    """Train and evaluate the experiment in FILE; run it again to continue an interrupted training.

    KEY=VALUE changes a setting of the experiment, as in the last line:

    \b
    fer-keras run experiments/cnn_best.py
    fer-keras run experiments/cnn_best.py --seed 1 --wandb disabled
    fer-keras run experiments/cnn_best.py learning_rate=0.001
    """
    experiment = override(read_experiment(file, seed=seed, epochs=epochs), settings)
    from fer_keras import evaluation
    from fer_keras.core import jobs
    from fer_keras.runs import pipeline

    try:
        with jobs.exit_on_sigterm():  # so that wandb's run ends, too
            folder, record = pipeline.run(
                experiment, data=data, output=output, tracking=wandb, precision=precision, capture=capture
            )
    except KeyboardInterrupt:
        end_interrupted()
    if record is None:
        return  # process 0 of torchrun prints
    click.echo(f"{experiment.name} on the test split{synthetic_note(record['data'])}")
    click.echo(evaluation.table(record["scores"], record["data"]["class_names"]))
    click.echo(f"record: {folder}")


@click.command("list")
@click.argument("folder", type=click.Path(path_type=pathlib.Path), default="experiments")
def list_(folder: pathlib.Path) -> None:
    """List the experiments in FOLDER with their questions.

    \b
    fer-keras list
    """
    for file in files_in(folder):
        click.echo(f"{file}  {load(file).name}")
        click.echo(f"    {_question(file)}")


@click.command()
@file_argument
def show(file: pathlib.Path) -> None:
    """Print every setting of the experiment in FILE, defaults included, as JSON.

    \b
    fer-keras show experiments/cnn_best.py
    """
    from fer_keras.models import resolved

    click.echo(json.dumps(resolved(load(file)), indent=2))


@click.command()
@file_argument
@data_options
@seed_option
def overfit(file: pathlib.Path, data: "FaceSet", seed: int | None) -> None:
    """Check that the experiment in FILE can overfit one batch, before training it.

    \b
    fer-keras overfit experiments/cnn_best.py
    """
    experiment = read_experiment(file, seed=seed)
    from fer_keras import data as faces_data
    from fer_keras import evaluation
    from fer_keras.backend import device
    from fer_keras.training import fitting

    train = faces_data.split(faces_data.load(data, labels=experiment.labels), experiment.seed)["train"]
    with device.training_in():
        losses = fitting.overfit_losses(experiment, train)
    click.echo(evaluation.overfit_verdict(losses, len(train.class_names))["text"])


def _question(file: pathlib.Path) -> str:
    lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    return next((line.removeprefix("Question").strip() for line in lines if line.startswith("Question")), "")

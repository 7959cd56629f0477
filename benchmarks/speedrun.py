"""Time to accuracy: how soon an experiment's network reaches a goal on PublicTest.

    python benchmarks/speedrun.py experiments/speedrun_60.py --goal 0.60
    python benchmarks/speedrun.py experiments/speedrun_60.py --goal 0.60 --split validation batch_size=128
    python benchmarks/speedrun.py experiments/speedrun_70.py --goal 0.70 --tta ten-crop --models runs/speedrun_70

Each seed trains on all images of the Training usage, without a look at others, and is evaluated once at the end,
averaged over each image and its mirror image unless `--tta` says otherwise. Seconds are those of the clock, from
reading the cached data to the last prediction, without starting Python and importing Keras. Exits with 1 where a
seed misses the goal. To choose settings, use `--split validation`: it trains without the validation images and is
evaluated on those. KEY=VALUE changes a setting, as for `fer-keras run`.
"""

# ruff: noqa: I001
import dataclasses
import itertools
import pathlib
import sys
import time

import fer_keras  # noqa: F401  chooses the backend, before Keras is imported
import click
import keras

from fer_keras import data, evaluation
from fer_keras.backend import allocator, device
from fer_keras.core import logs
from fer_keras.core.choices import TTA
from fer_keras.runs import records
from fer_keras.model_files import saving
from fer_keras.training import fitting
from fer_keras.training.dataset import Batches
from fer_keras.data import USAGES
from fer_keras.experiment import load, override
from fer_keras.inference.prediction import probabilities


def race(experiment, path, split, tta, on_epoch):
    """Return the trained model, its `scores` and the seconds of loading, training and evaluating."""
    marks = [time.perf_counter()]
    faces = data.load(path, progress=False)
    if split == "validation":
        parts = data.split(faces, experiment.seed)
        train, scored = parts["train"], parts["validation"]
    else:
        train, scored = (faces.take(faces.usages == USAGES.index(usage)) for usage in ("Training", split))
    with device.training_in():
        model = fitting.build(experiment, train)
        marks.append(time.perf_counter())
        fitting.fit(model, experiment, Batches(train, experiment), None, on_epoch=on_epoch)
    marks.append(time.perf_counter())
    published = saving.publish(model)
    found = evaluation.scores(scored.labels, probabilities(published, scored.images, tta=tta))
    marks.append(time.perf_counter())
    return published, found, [after - before for before, after in itertools.pairwise(marks)]


def keep(model, rows, folder):
    folder.mkdir(parents=True, exist_ok=True)
    saving.save(model, folder / "model.keras")
    for row in rows:
        records.append(folder / records.HISTORY, row)


@click.command(help=__doc__)
@click.argument("file", type=click.Path(exists=True, path_type=pathlib.Path))
@click.argument("settings", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--goal", type=float, required=True, help="Accuracy, 0 to 1.")
@click.option("--split", type=click.Choice(["PublicTest", "validation"]), default="PublicTest", show_default=True)
@click.option("--seeds", default=3, show_default=True)
@click.option("--tta", type=click.Choice(TTA), default="flip", show_default=True)
@click.option("--models", type=click.Path(path_type=pathlib.Path), help="Folder to keep models and epochs in.")
@click.option("--data", "path", help="As for `fer-keras run`.")
def main(file, settings, goal, split, seeds, tta, models, path):
    logs.start()
    allocator.keep_freed()  # as `fer-keras run` does
    experiment = override(load(file), settings)
    data.load(path)  # so that it is in the cache
    click.echo(f"{experiment.name}, {keras.backend.backend()}, Keras {keras.__version__}\n")
    click.echo("| seed | load s | train s | evaluate s | seconds | accuracy | reached |")
    click.echo("|--:|--:|--:|--:|--:|--:|---|")
    missed = 0
    for seed in range(seeds):
        rows = []
        model, found, seconds = race(dataclasses.replace(experiment, seed=seed), path, split, tta, rows.append)
        if models:
            keep(model, rows, models / str(seed))
        reached = found["accuracy"] >= goal
        missed += not reached
        times = " | ".join(f"{s:.1f}" for s in [*seconds, sum(seconds)])
        click.echo(f"| {seed} | {times} | {found['accuracy']:.4f} | {'yes' if reached else 'no'} |")
    sys.exit(missed > 0)


if __name__ == "__main__":
    main()

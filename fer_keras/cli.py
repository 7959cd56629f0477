"""The command line. Commands parse, call the library and print; what is slow to import is imported in them."""

import errno
import json
import logging
import pathlib
import signal
import sys

import click

from fer_keras import __version__
from fer_keras.errors import InputError
from fer_keras.experiment import load as load_experiment
from fer_keras.experiment import override

USERS_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS}
INTERRUPTED = 130  # the shell's code for a program ended by Ctrl-C


class Failure(click.ClickException):
    """What the user gave cannot be used: one line, exit code 2."""

    exit_code = 2


class Commands(click.Group):
    """Turns the errors a user can mend into messages; every other one keeps its traceback."""

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except InputError as error:
            raise Failure(str(error)) from error
        except OSError as error:
            if error.errno not in USERS_ERRORS:
                raise
            raise Failure(str(error)) from error


@click.group(cls=Commands)
@click.version_option(__version__)
def cli():
    """Study, train and judge facial-expression classifiers on FER-2013.

    \b
    fer-keras run experiments/cnn_best.py    train and judge one experiment
    fer-keras evaluate MODEL                 judge a Keras model
    fer-keras data audit                     show what is wrong with the data
    """
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("fer_keras").setLevel(logging.INFO)


file_argument = click.argument("file", type=click.Path(path_type=pathlib.Path))
data_option = click.option(
    "--data",
    type=click.Path(),
    help="FER-2013 in any form: CSV, folder, archive, parquet; 'demo' for the drawn faces. "
    "[default: FER_DATA, then what `fer-keras data fetch` fetched, then the drawn faces]",
)
seed_option = click.option("--seed", type=click.IntRange(0), help="Instead of the experiment's own seed.")
output_option = click.option(
    "--output",
    type=click.Path(path_type=pathlib.Path),
    default="runs",
    show_default=True,
    help="Folder of the run directories.",
)


def wandb_option(default):
    return click.option(
        "--wandb",
        type=click.Choice(["auto", "online", "offline", "disabled"]),
        default=default,
        show_default=True,
        help="auto: online where you are logged in, else offline.",
    )


epochs_option = click.option("--epochs", type=click.IntRange(1), help="Instead of the experiment's own epochs.")


@cli.command()
@file_argument
@click.argument("settings", nargs=-1, metavar="[KEY=VALUE]...")
@data_option
@seed_option
@epochs_option
@output_option
@wandb_option("auto")
@click.option(
    "--precision", type=click.Choice(["float32", "mixed_bfloat16"]), help="[default: what the device does fast]"
)
def run(file, settings, data, seed, epochs, output, wandb, precision):
    """Train and judge the experiment in FILE; run it again to continue an interrupted training.

    KEY=VALUE changes a setting of the experiment, as in the last line:

    \b
    fer-keras run experiments/cnn_best.py
    fer-keras run experiments/cnn_best.py --seed 1 --wandb disabled
    fer-keras run experiments/cnn_best.py learning_rate=0.001 model_options.dropout=0.5
    """
    experiment = override(_experiment(file, seed=seed, epochs=epochs), settings)
    from fer_keras import evaluation, pipeline

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that wandb's run is ended too
    try:
        folder, record = pipeline.run(experiment, data=data, output=output, tracking=wandb, precision=precision)
    except KeyboardInterrupt:
        _interrupted()
    click.echo(f"{experiment.name} on the test split{_demo_note(record['data'])}, without mirrored images")
    click.echo(evaluation.table(record["scores"]))
    click.echo(f"record: {folder}")


@cli.command("list")
@click.argument("folder", type=click.Path(path_type=pathlib.Path), default="experiments")
def list_(folder):
    """List the experiments in FOLDER with the question that each asks.

    \b
    fer-keras list
    """
    files = sorted(folder.glob("*.py"))
    if not files:
        raise InputError(f"No experiment files in {str(folder)!r}. Name their folder: fer-keras list FOLDER.")
    for file in files:
        click.echo(f"{file}  {load_experiment(file).name}")
        click.echo(f"    {_question(file)}")


@cli.command()
@file_argument
def show(file):
    """Print every setting of the experiment in FILE, defaults included, as JSON.

    \b
    fer-keras show experiments/cnn_best.py
    """
    from fer_keras.pipeline import resolved

    click.echo(json.dumps(resolved(load_experiment(file)), indent=2))


@cli.command()
@file_argument
@data_option
@seed_option
def overfit(file, data, seed):
    """Try whether the experiment in FILE can learn one batch by heart, before training it.

    \b
    fer-keras overfit experiments/cnn_best.py
    """
    experiment = _experiment(file, seed=seed)
    from fer_keras import device, evaluation, training
    from fer_keras.data import load, split

    train = split(load(data), experiment.seed)["train"]
    with device.training_in():
        losses = training.overfit_losses(experiment, train)
    click.echo(evaluation.overfit_verdict(losses)["text"])


@cli.command()
@click.argument("model", type=click.Path(path_type=pathlib.Path))
@data_option
@click.option(
    "--split", "part", type=click.Choice(["train", "validation", "test"]), default="test", show_default=True
)
@click.option("--flip", is_flag=True, help="Average over each image and its mirror image.")
@click.option(
    "--seed", type=click.IntRange(0), help="Seed of the split. [default: that of the run MODEL is of, else 0]"
)
@click.option(
    "--output",
    type=click.Path(path_type=pathlib.Path),
    help="Folder for scores.json and the confusion matrix. [default: MODEL_SPLIT beside the model]",
)
def evaluate(model, data, part, flip, seed, output):
    """Judge the Keras model in the file MODEL: this project's, or any with the same seven classes.

    \b
    fer-keras evaluate runs/3-2-Best/20300101-120000/model.keras --flip
    """
    from fer_keras import evaluation, pictures, pipeline, records, saving
    from fer_keras.data import load, split
    from fer_keras.files import write_json

    loaded = saving.load(model)
    if seed is None:  # another seed would have trained on images of this validation split
        is_run = (model.parent / "run.json").is_file()
        seed = records.read(model.parent)["experiment"]["seed"] if is_run else 0
    faces = load(data)
    parts = split(faces, seed)
    about = pipeline.describe(faces, parts)
    scores = pipeline.judge(loaded, parts, part, flip=flip)
    title = f"{model.name} on the {part} split{_demo_note(about)}, {'with' if flip else 'without'} mirrored images"
    click.echo(title)
    click.echo(evaluation.table(scores))
    folder = output or model.parent / f"{model.stem}_{part}{'_flip' if flip else ''}"
    result = {"model": model.name, "data": about, "split": part, "seed": seed, "flip": flip, "scores": scores}
    write_json(folder / "scores.json", result)
    pictures.draw(
        {"experiment": {"name": model.stem}, "data": about, "history": [], "overfit": None, "scores": scores},
        folder,
    )
    click.echo(f"written: {folder}")


@cli.command()
@click.argument("names", nargs=-1)
@data_option
@click.option("--step", type=int, help="Only the runs of this step of the study.")
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="Seeds of each run, from 0.")
@epochs_option
@click.option("--workers", type=click.IntRange(1), help="Processes at a time. [default: one for each core]")
@output_option
@wandb_option("disabled")
def study(names, data, step, seeds, epochs, workers, output, wandb):
    """Run what is missing of the study: all of it, or the runs NAMES.

    Small results go to experiments/results, which `fer-keras report` reads. What is recorded with the same
    settings and data is not run again, what was interrupted continues.

    \b
    fer-keras study --step 3
    fer-keras study 3-2-Best --seeds 1
    """
    from fer_keras import runner

    options = {"step": step, "seeds": seeds, "epochs": epochs, "workers": workers, "data": data, "output": output}
    try:
        done, failed = runner.run(names, tracking=wandb, **options)
    except KeyboardInterrupt:
        _interrupted()
    click.echo(f"{len(done)} runs done, {len(failed)} failed")
    sys.exit(1 if failed else 0)


@cli.command()
@file_argument
@data_option
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Trials at a time here.")
@click.option(
    "--storage",
    envvar="FER_KERAS_STORAGE",
    help="postgresql://USER@HOST/DATABASE for many machines, or the path of a journal file. "
    "[default: FER_KERAS_STORAGE, then sweeps/NAME/journal.log]",
)
@output_option
@wandb_option("disabled")
def sweep(file, data, workers, storage, output, wandb):
    """Search the settings of an experiment as FILE says, in the format of `wandb sweep`.

    Run it again to continue; on other machines with the same --storage to take part.

    \b
    fer-keras sweep experiments/sweep.yaml
    """
    from fer_keras import sweep as sweeps

    try:
        result = sweeps.run(file, storage=storage, workers=workers, data=data, output=output, tracking=wandb)
    except KeyboardInterrupt:
        _interrupted()
    click.echo(sweeps.table(result))


@cli.command()
@click.option(
    "--results",
    type=click.Path(path_type=pathlib.Path),
    default="experiments/results",
    show_default=True,
    help="Folder of the study's results.",
)
@click.option("--output", type=click.Path(path_type=pathlib.Path), default=".", help="Folder for the report.")
@click.option("--update", is_flag=True, help="Also renew the figures in README.md and in the experiment files.")
@click.option(
    "--data",
    type=click.Path(),
    envvar="FER_DATA",
    help="The FER-2013 of the results, to show the most confused faces. [default: FER_DATA, else without faces]",
)
@click.option(
    "--wandb",
    metavar="PROJECT",
    help="Also save it as a report in this wandb project, or ENTITY/PROJECT. Needs fer-keras[report] and a login.",
)
def report(results, output, update, data, wandb):
    """Write report.html, one page that opens offline, report.md and report.csv.

    \b
    fer-keras report --data fer2013.csv
    """
    from fer_keras import report as reporting
    from fer_keras import wandb_report
    from fer_keras.data import load

    paths = reporting.write(results, output, load(data) if data else None)
    if update:
        reporting.update(results)
    click.echo(f"written: {', '.join(map(str, paths))}")
    if wandb:
        click.echo(f"saved: {wandb_report.publish(reporting.read(results), wandb)}")


@cli.group()
def data():
    """Get FER-2013 and look for its faults."""


@data.command()
def fetch():
    """Download FER-2013 from Kaggle with your own login, to where every command finds it.

    \b
    pip install fer-keras[fetch] && fer-keras data fetch
    """
    from fer_keras.data import fetch

    click.echo(f"fetched: {fetch()}")


@data.command()
@data_option
@click.option("--votes", type=click.Path(path_type=pathlib.Path), help="FER+ votes, fer2013new.csv.")
@click.option(
    "--output", type=click.Path(path_type=pathlib.Path), default=".", help="Folder of the JSON and the picture."
)
def audit(data, votes, output):
    """Count classes, duplicates, conflicting labels, blank images and disagreement with FER+.

    \b
    fer-keras data audit --data fer2013.csv --votes fer2013new.csv
    """
    from fer_keras import data as faces_data
    from fer_keras.files import write_json

    faces = faces_data.load(data, votes=votes)
    report = faces_data.audit(faces)
    write_json(output / "audit.json", report)
    faces_data.audit_picture(report, faces, output / "audit.png")
    click.echo(faces_data.audit_text(report))
    click.echo(f"written: {output / 'audit.json'}, {output / 'audit.png'}")


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell):
    """Print the script that completes commands and options in SHELL.

    \b
    source <(fer-keras completion bash)
    """
    from click.shell_completion import get_completion_class

    click.echo(get_completion_class(shell)(cli, {}, "fer-keras", "_FER_KERAS_COMPLETE").source())


def _experiment(file, **changes):
    import dataclasses

    given = {name: value for name, value in changes.items() if value is not None}
    return dataclasses.replace(load_experiment(file), **given)


def _interrupted():
    click.echo("\nInterrupted. Run the same command again to continue after the last whole epoch.", err=True)
    sys.exit(INTERRUPTED)


def _question(file):
    lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    return next((line.removeprefix("Question").strip() for line in lines if line.startswith("Question")), "")


def _demo_note(about):
    return " of the DRAWN demo faces" if about["demo"] else ""

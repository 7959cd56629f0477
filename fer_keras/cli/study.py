"""Commands for many runs: the study, a sweep, the report."""

import pathlib
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from fer_keras.cli.options import (
    data_option,
    end_interrupted,
    epochs_option,
    file_argument,
    output_option,
    wandb_option,
)

if TYPE_CHECKING:
    from fer_keras.study import running


@click.command()
@click.argument("names", nargs=-1)
@data_option
@click.option("--step", type=int, help="Only the runs of this step of the study.")
@click.option(
    "--seeds", type=click.IntRange(1), help="Seeds of each run. [default: those of the first look at the findings]"
)
@click.option("--decide", is_flag=True, help="Add seeds until each finding is decided or all looks are used up.")
@epochs_option
@click.option("--workers", type=click.IntRange(1), help="Processes at a time. [default: one for each core]")
@output_option
@wandb_option("disabled")
def study(
    names: tuple[str, ...],
    data: str | None,
    step: int | None,
    seeds: int | None,
    decide: bool,
    epochs: int | None,
    workers: int | None,
    output: pathlib.Path,
    wandb: str,
) -> None:
    """Run the missing runs of the study: all of them, or NAMES.

    Results go to experiments/results, which `fer-keras report` reads. Runs with a result of the same settings and
    data are skipped, interrupted ones continue.

    \b
    fer-keras study --step 3
    fer-keras study 3-2-Best --seeds 1
    fer-keras study --decide
    """
    from fer_keras.study import running

    if decide and (names or seeds):
        raise click.UsageError("--decide chooses runs and seeds itself. Give it neither NAMES nor --seeds.")
    options: dict[str, Any] = {"step": step, "epochs": epochs, "workers": workers, "data": data, "output": output}
    options |= {"seeds": seeds} if seeds else {}
    try:
        if decide:
            failed = _decide(running.decide(tracking=wandb, **options))
        else:
            done, failed = running.run(names, tracking=wandb, **options)
            click.echo(f"{len(done)} runs done, {len(failed)} failed")
    except KeyboardInterrupt:
        end_interrupted()
    sys.exit(1 if failed else 0)


def _decide(looks: "Iterable[running.Look]") -> "list[running.Job]":
    """Print each look when it ends; return the failed jobs of the last one."""
    for look in looks:
        count = len(look.decided) + len(look.inconclusive)
        click.echo(
            f"{look.seeds} seeds: {len(look.done)} runs done, {len(look.failed)} failed, {look.minutes / 60:.2f} "
            f"hours of training; {len(look.decided)} of {count} findings decided"
        )
    click.echo("".join(f"inconclusive: {claim}\n" for claim in look.inconclusive), nl=False)
    return look.failed


@click.command()
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
def sweep(
    file: pathlib.Path, data: str | None, workers: int, storage: str | None, output: pathlib.Path, wandb: str
) -> None:
    """Search the settings of an experiment as described in FILE, in the format of `wandb sweep`.

    Run it again to continue. Run it on other machines with the same --storage to add workers.

    \b
    fer-keras sweep experiments/sweep.yaml
    """
    from fer_keras import sweep as sweeps

    try:
        result = sweeps.run(file, storage=storage, workers=workers, data=data, output=output, tracking=wandb)
    except KeyboardInterrupt:
        end_interrupted()
    click.echo(sweeps.table(result))


@click.command()
@click.option(
    "--results",
    type=click.Path(path_type=pathlib.Path),
    default="experiments/results",
    show_default=True,
    help="Folder of the study's results.",
)
@click.option("--output", type=click.Path(path_type=pathlib.Path), default=".", help="Folder for the report.")
@click.option(
    "--update", is_flag=True, help="Also update the figures in README.md, docs/ and the experiment files."
)
@click.option(
    "--data",
    type=click.Path(),
    envvar="FER_DATA",
    help="The FER-2013 of the results, to show the most confused faces. [default: FER_DATA, else no faces]",
)
@click.option(
    "--wandb",
    metavar="PROJECT",
    help="Also save it as a report in this wandb project, or ENTITY/PROJECT. Needs fer-keras[report] and a login.",
)
def report(results: pathlib.Path, output: pathlib.Path, update: bool, data: str | None, wandb: str | None) -> None:
    """Write report.html, one page that opens offline, report.md and report.csv.

    \b
    fer-keras report --data fer2013.csv
    """
    from fer_keras.data import load
    from fer_keras.study import report as reporting
    from fer_keras.study.report import publishing

    faces = load(data) if data else None
    paths = reporting.write(results, output, faces)
    if update:
        reporting.update(results)
    click.echo(f"written: {', '.join(map(str, paths))}")
    if wandb:
        click.echo(f"saved: {publishing.publish(reporting.read(results), wandb, faces)}")

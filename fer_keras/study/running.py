"""Runs the study: each missing run in its own process, several at a time."""

import dataclasses
import difflib
import logging
import os
import pathlib
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn

from fer_keras import models, study
from fer_keras.core import jobs as processes
from fer_keras.core.errors import InputError
from fer_keras.core.files import StrPath
from fer_keras.core.progress import progress
from fer_keras.data import load as load_data
from fer_keras.experiment import Experiment, files_in
from fer_keras.experiment import load as load_experiment
from fer_keras.runs import records
from fer_keras.study import judging, results
from fer_keras.training import distillation

LOG = logging.getLogger("fer_keras")
COLUMNS = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()


@dataclasses.dataclass(frozen=True)
class Job:
    """A run to do: an experiment file, its settings with seed and epochs, and the file of its result."""

    file: pathlib.Path
    experiment: Experiment
    result: pathlib.Path

    @property
    def title(self) -> str:
        return f"{self.experiment.name} seed {self.experiment.seed}"


def run(
    names: Sequence[str] = (),
    *,
    step: int | None = None,
    seeds: int = study.LOOKS[0],
    epochs: int | None = None,
    workers: int | None = None,
    data: StrPath | None = None,
    folder: StrPath = "experiments",
    output: StrPath = "runs",
    tracking: str = "disabled",
) -> tuple[list[Job], list[Job]]:
    """Run the missing runs of the study and write their results to `folder`/results.

    A run is done if it has a result with the same resolved experiment and the same data. An interrupted run
    continues. Results of synthetic faces go to results/synthetic, those with other `epochs` to results/epochs-N.

    Args:
        names: run names or file stems; none for all.
        step: number of the only step to run.
        seeds: number of seeds, from `fer_keras.study.FIRST_SEED` on for runs of the study, from 0 for others.
        epochs: replaces each experiment's own, for a quick try.
        workers: concurrent processes, which share the cores evenly unless OMP_NUM_THREADS is set; default: one per
            core.
        data: path of FER-2013, see `fer_keras.data.load`.
        folder: of the experiment files.
        output: folder of the run directories.
        tracking: wandb's mode, see `fer_keras.runs.pipeline.run`.

    Returns:
        `(done, failed)`: lists of `Job`; the messages of failed ones are logged.

    Raises:
        InputError: if a name or a step is unknown, an experiment has other labels, or the data cannot be used.
    """
    files = select(experiment_files(folder), names, step)
    for path, experiment in files.items():
        if experiment.labels != "original":
            raise InputError(
                f"{path} is of {experiment.labels} labels, but the study's results are of the original ones. Run "
                f"it apart: fer-keras run {path}."
            )
    faces = load_data(data)
    jobs = plan(files, seeds, epochs, home(folder, faces.synthetic, epochs))
    todo = missing(jobs, faces.digest)
    options = ["--wandb", tracking]
    options += ["--data", os.fspath(data)] if data else []
    options += ["--epochs", str(epochs)] if epochs else []
    about = {"digest": faces.digest, "synthetic": faces.synthetic}
    with Runs(todo, workers or processes.cores(), options, pathlib.Path(output), about, len(jobs)) as runs:
        runs.run_all()
    return runs.done, runs.failed


@dataclasses.dataclass(frozen=True)
class Look:
    """One look at the findings: its runs and what they decided.

    Attributes:
        seeds: of each run.
        done, failed: lists of `Job`.
        minutes: of training and validation of the runs done, summed over processes.
        decided, inconclusive: lists of claims.
    """

    seeds: int
    done: list[Job]
    failed: list[Job]
    minutes: float
    decided: list[str]
    inconclusive: list[str]


def decide(
    *,
    step: int | None = None,
    epochs: int | None = None,
    data: StrPath | None = None,
    folder: StrPath = "experiments",
    **options: Any,
) -> Iterator[Look]:
    """Run the study look by look, until each finding is decided or no look is left.

    The first look includes all runs, a later one those of inconclusive findings. A failed run ends the study,
    since its look decides nothing.

    Args:
        step: number of the only step to decide.
        epochs, data, folder: see `run`.
        options: further arguments of `run`.

    Yields:
        `Look`.

    Raises:
        InputError: see `run`.
    """
    runs = select(experiment_files(folder), step=step)
    place = home(folder, load_data(data).synthetic, epochs)
    findings = [finding for finding in study.FINDINGS if step in (None, finding.step)]
    names = {experiment.name for experiment in runs.values()} | _runs_of(findings)
    for seeds in study.LOOKS:
        done, failed = run(sorted(names), seeds=seeds, epochs=epochs, data=data, folder=folder, **options)
        table = judging.figures(results.read(place))
        verdicts = {finding: judging.judge(finding, table)[0] for finding in findings}
        pending = [finding for finding in findings if verdicts[finding] in (judging.INCONCLUSIVE, judging.PENDING)]
        minutes = sum(result["cost"]["minutes"] for job in done if (result := results.read_one(job.result)))
        decided = [finding.claim for finding in findings if finding not in pending]
        yield Look(seeds, done, failed, minutes, decided, [finding.claim for finding in pending])
        if failed or not pending:
            return
        names = _runs_of(pending)


def _runs_of(findings: Iterable[study.Finding]) -> set[str]:
    return {side for finding in findings for pair in finding.pairs for side in pair if isinstance(side, str)}


def experiment_files(folder: StrPath) -> dict[pathlib.Path, Experiment]:
    """Return {`Path`: `Experiment`} of the files in `folder`, in the order of the study, others last.

    Raises:
        InputError: if there are none, or one does not define an experiment.
    """
    found = {path: load_experiment(path) for path in files_in(folder)}
    order = {name: place for place, name in enumerate(name for step in study.STEPS for name in step.runs)}
    return dict(sorted(found.items(), key=lambda item: order.get(item[1].name, len(order))))


def select(
    files: Mapping[pathlib.Path, Experiment], names: Sequence[str] = (), step: int | None = None
) -> dict[pathlib.Path, Experiment]:
    """Return those of `files` with the given run names or file stems and of the given step.

    Without names, all runs of the study are selected.

    Raises:
        InputError: if there is no such name or step.
    """
    known = {key for path, experiment in files.items() for key in (path.stem, experiment.name)}
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else " `fer-keras list` shows all."
            raise InputError(f"No run {name!r} in the study.{hint}")
    steps = {s.number: s.runs for s in study.STEPS}
    if step is not None and step not in steps:
        raise InputError(f"No step {step} in the study. Expected one of 1 to {max(steps)}.")
    of_study = {run for runs in steps.values() for run in runs}
    return {
        path: experiment
        for path, experiment in files.items()
        if ({path.stem, experiment.name} & set(names) if names else experiment.name in of_study)
        and (step is None or experiment.name in steps[step])
    }


def home(folder: StrPath, synthetic: bool, epochs: int | None) -> pathlib.Path:
    """Return the folder of results, a separate one for synthetic faces and for other epochs."""
    apart = [*(["synthetic"] if synthetic else []), *([f"epochs-{epochs}"] if epochs else [])]
    return pathlib.Path(folder, "results", *apart)


def plan(files: Mapping[pathlib.Path, Experiment], seeds: int, epochs: int | None, folder: StrPath) -> list[Job]:
    """Return the `Job`s of all files and seeds: the first seed of every file, then the second."""
    changes: dict[str, Any] = {"epochs": epochs} if epochs else {}
    seeded = [
        (path, dataclasses.replace(experiment, seed=first_seed(experiment.name) + number, **changes))
        for number in range(seeds)
        for path, experiment in files.items()
    ]
    return [Job(path, job, results.path(folder, path.stem, job.seed)) for path, job in seeded]


def first_seed(name: str) -> int:
    """Return the first seed of a run; earlier seeds of a run of the study are the pilot."""
    return study.FIRST_SEED if is_of_study(name) else 0


def is_of_study(name: str) -> bool:
    """Return whether a step of the study has a run of this name."""
    return any(name in step.runs for step in study.STEPS)


def missing(jobs: Iterable[Job], digest: str) -> list[Job]:
    """Return the jobs that have no result of the same resolved experiment on the data of `digest`."""
    return [job for job in jobs if not _done(results.read_one(job.result), job, digest)]


def _done(result: dict[str, Any] | None, job: Job, digest: str) -> bool:
    return (
        result is not None
        # A newer setting has its default in an older result.
        and models.resolved(Experiment(**result["experiment"])) == models.resolved(job.experiment)
        and result["data"]["digest"] == digest
    )


@dataclasses.dataclass
class Run:
    """An active job: its process, its progress bar, and its run directory once it exists."""

    job: Job
    process: processes.Process
    bar: TaskID
    folder: pathlib.Path | None = None


class Runs(processes.Pool[Run]):
    """Trains jobs in processes; as a context, it shows their progress.

    Args:
        jobs: `Job`s to do.
        workers: processes at a time.
        options: further arguments of `fer-keras run`.
        output: folder of the run directories.
        data: `digest` and `synthetic` of the data, as in a record.
        total: number of jobs, including those already done.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        workers: int,
        options: Sequence[str],
        output: pathlib.Path,
        data: Mapping[str, Any],
        total: int,
    ) -> None:
        super().__init__(workers)
        self.waiting, self.options, self.output, self.data = list(reversed(jobs)), options, output, data
        self.environment = processes.thread_settings(workers)
        self.done: list[Job] = []
        self.failed: list[Job] = []
        self.progress = progress(*COLUMNS)
        self.total = self.progress.add_task("study", total=total, completed=total - len(jobs))

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.progress.stop()

    def next_job(self) -> Run | None:
        if not self.waiting:
            return None
        job = self.waiting.pop()
        command = [sys.executable, "-m", "fer_keras", "run", os.fspath(job.file), *self.options]
        command += ["--seed", str(job.experiment.seed), "--output", os.fspath(self.output)]
        process = processes.Process(command, tempfile.TemporaryFile(), self.environment)
        return Run(job, process, self.progress.add_task(job.title, total=job.experiment.epochs))

    def is_over(self, run: Run) -> bool:
        code = run.process.exit_code()  # before the record is read, so that nothing is missed
        run.folder = run.folder or self._find(run.job, records.find_unfinished)
        epochs = records.rows(run.folder / records.HISTORY) if run.folder else []
        self.progress.update(run.bar, completed=len(epochs))
        if code is None:
            return False
        self.progress.remove_task(run.bar)
        self.progress.advance(self.total)
        if code == 0:
            folder = self._find(run.job, records.find_complete)
            assert folder is not None, "a run that ends with 0 is complete"
            self._keep(run.job, records.read(folder))
        else:
            self.failed.append(run.job)
            LOG.error("failed  %s, exit code %d", run.job.title, code)
            for line in run.process.last_lines():
                LOG.error("    %s", line)
        return True

    def _find(self, job: Job, find: Callable[..., pathlib.Path | None]) -> pathlib.Path | None:
        teachers = job.experiment.teachers
        data = {**self.data, **({"teachers": distillation.digests(teachers)} if teachers else {})}
        return find(self.output, models.resolved(job.experiment), data)

    def _keep(self, job: Job, record: dict[str, Any]) -> None:
        name = job.experiment.name
        rule = judging.rule_hash(name) if is_of_study(name) else None
        result = results.compact(record, parameters(job.experiment), rule)
        results.write(job.result, result)
        self.done.append(job)
        LOG.info(
            "done    %s: validation %.4f, test %.4f, %.1f minutes",
            job.title,
            result["history"][-1]["val_acc"],
            result["scores"]["accuracy"],
            result["cost"]["minutes"],
        )


def parameters(experiment: Experiment) -> int:
    """Return the number of weights of the experiment's model."""
    return models.build(experiment.model, experiment.model_options, []).count_params()

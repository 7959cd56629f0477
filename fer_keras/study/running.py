"""Runs the study: every missing run in a process of its own, several at a time."""

import dataclasses
import difflib
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from fer_keras import models, study
from fer_keras.core.errors import InputError
from fer_keras.data import load as load_data
from fer_keras.experiment import Experiment, files_in
from fer_keras.experiment import load as load_experiment
from fer_keras.runs import pipeline, records
from fer_keras.study import judging, results

EPOCH = re.compile(r"^epoch (\d+)/\d+ ")
RECORD = re.compile(r"^record: (.+)$")
POLL = 0.2  # seconds


@dataclasses.dataclass(frozen=True)
class Job:
    """One run to do: an experiment file, its settings with seed and epochs, and the file of its result."""

    file: pathlib.Path
    experiment: Experiment
    result: pathlib.Path

    @property
    def title(self):
        return f"{self.experiment.name} seed {self.experiment.seed}"


def run(
    names=(),
    *,
    step=None,
    seeds=study.LOOKS[0],
    epochs=None,
    workers=None,
    data=None,
    folder="experiments",
    output="runs",
    tracking="disabled",
):
    """Run what is missing of the study and keep its results in `folder`/results.

    A run is done if its result has the same resolved experiment and the same data. An interrupted one continues.
    Results of synthetic faces go to results/synthetic, those of other `epochs` to results/epochs-N.

    Args:
        names: run names or file stems; none for all.
        step: number of a step, to run that one only.
        seeds: how many, for runs of the study from `fer_keras.study.FIRST_SEED` on, for others from 0.
        epochs: instead of each experiment's own, for a quick look.
        workers: processes at a time, which share the cores evenly; by default one for each core.
        data: path of FER-2013, see `fer_keras.data.load`.
        folder: of the experiment files.
        output: folder of the run directories.
        tracking: wandb's mode, see `fer_keras.runs.pipeline.run`.

    Returns:
        `(done, failed)`: lists of `Job`, done now and failed; the messages of a failure were printed.

    Raises:
        InputError: if a name or a step is unknown, an experiment is of other labels, or the data cannot be used.
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
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    workers = workers or cores
    options = ["--output", os.fspath(output), "--wandb", tracking]
    options += ["--data", os.fspath(data)] if data else []
    options += ["--epochs", str(epochs)] if epochs else []
    return Pool(workers, max(cores // workers, 1), options).run(todo, len(jobs) - len(todo))


@dataclasses.dataclass(frozen=True)
class Look:
    """One look at the findings: the runs that it took and what they decided.

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


def decide(*, step=None, epochs=None, data=None, folder="experiments", **options):
    """Run the study look by look, until each finding is decided or the looks are used up.

    The first look has all runs, a later one those of the findings that are still inconclusive. A failed run ends
    it, since its look decides nothing.

    Args:
        step: number of a step, to decide its findings only.
        epochs, data, folder: see `run`.
        options: further ones of `run`.

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
        pending = [finding for finding in findings if verdicts[finding] == judging.INCONCLUSIVE]
        minutes = sum(results.read_one(job.result)["cost"]["minutes"] for job in done)
        decided = [finding.claim for finding in findings if finding not in pending]
        yield Look(seeds, done, failed, minutes, decided, [finding.claim for finding in pending])
        if failed or not pending:
            return
        names = _runs_of(pending)


def _runs_of(findings):
    return {side for finding in findings for pair in finding.pairs for side in pair if isinstance(side, str)}


def experiment_files(folder):
    """Return {`Path`: `Experiment`} of the files in `folder`, in the order of the study, others last.

    Raises:
        InputError: if there are none, or one is no experiment.
    """
    found = {path: load_experiment(path) for path in files_in(folder)}
    order = {name: place for place, name in enumerate(name for step in study.STEPS for name in step.runs)}
    return dict(sorted(found.items(), key=lambda item: order.get(item[1].name, len(order))))


def select(files, names=(), step=None):
    """Return the part of `files` with the given run names or file stems, and of the given step.

    Without names: every run of the study.

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


def home(folder, synthetic, epochs):
    """Return where results go: apart from the study's own if of synthetic faces or of other epochs."""
    apart = [*(["synthetic"] if synthetic else []), *([f"epochs-{epochs}"] if epochs else [])]
    return pathlib.Path(folder, "results", *apart)


def plan(files, seeds, epochs, folder):
    """Return the `Job`s of all files and seeds: every file's first seed, then every file's second."""
    changes = {"epochs": epochs} if epochs else {}
    seeded = [
        (path, dataclasses.replace(experiment, seed=first_seed(experiment.name) + number, **changes))
        for number in range(seeds)
        for path, experiment in files.items()
    ]
    return [Job(path, job, results.path(folder, path.stem, job.seed)) for path, job in seeded]


def first_seed(name):
    """Return the first seed of a run: those before it are the study's pilot."""
    return study.FIRST_SEED if is_of_study(name) else 0


def is_of_study(name):
    """Return whether a step of the study has a run of this name."""
    return any(name in step.runs for step in study.STEPS)


def missing(jobs, digest):
    """Return the jobs that have no result of the same resolved experiment on the data of `digest`."""
    return [job for job in jobs if not _done(results.read_one(job.result), job, digest)]


def _done(result, job, digest):
    return (
        result is not None
        # A setting that came later has its default in an older result.
        and pipeline.resolved(Experiment(**result["experiment"])) == pipeline.resolved(job.experiment)
        and result["data"]["digest"] == digest
    )


@dataclasses.dataclass
class Worker:
    """A process at work on a job, the output read from it so far, and its bar."""

    job: Job
    process: subprocess.Popen
    bar: int
    output: bytes = b""

    def read(self):
        """Return the lines of the output so far, and the exit code or `None`."""
        code = self.process.poll()  # before reading, so that nothing is missed
        self.output += self.process.stdout.read() or b""
        return self.output.decode(errors="replace").splitlines(), code


class Pool:
    """Runs jobs in processes.

    Args:
        workers: processes at a time.
        threads: of each process.
        options: further words of `fer-keras run`.
    """

    def __init__(self, workers, threads, options):
        self.workers, self.options = workers, options
        # The thread count decides the order of floating-point sums, so it is part of what makes a rerun equal.
        self.environment = os.environ | {"OMP_NUM_THREADS": str(threads), "PYTHONUNBUFFERED": "1"}
        self.active, self.done, self.failed = [], [], []

    def run(self, jobs, recorded=0):
        """Run `jobs`; `recorded` is the number of those already done. Return `(done, failed)`."""
        waiting = list(reversed(jobs))
        previous = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        try:
            with _progress() as self.progress:
                self.total = self.progress.add_task("study", total=recorded + len(jobs), completed=recorded)
                while waiting or self.active:
                    while waiting and len(self.active) < self.workers:
                        self.active.append(self._start(waiting.pop()))
                    time.sleep(POLL)
                    self.active = [worker for worker in self.active if not self._is_over(worker)]
        finally:
            signal.signal(signal.SIGTERM, previous)
            self._end()
        return self.done, self.failed

    def _start(self, job):
        process = subprocess.Popen(
            [sys.executable, "-m", "fer_keras", "run", os.fspath(job.file)]
            + ["--seed", str(job.experiment.seed), *self.options],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        os.set_blocking(process.stdout.fileno(), False)
        return Worker(job, process, self.progress.add_task(job.title, total=job.experiment.epochs))

    def _is_over(self, worker):
        lines, code = worker.read()
        epochs = [int(match[1]) for line in lines if (match := EPOCH.match(line))]
        self.progress.update(worker.bar, completed=max(epochs, default=0))
        if code is None:
            return False
        worker.process.stdout.close()
        self.progress.remove_task(worker.bar)
        self.progress.advance(self.total)
        folders = [match[1] for line in lines if (match := RECORD.match(line))]
        if code == 0:
            self._keep(worker.job, records.read(folders[-1]))
        else:
            self.failed.append(worker.job)
            tail = "".join(f"\n    {line}" for line in lines[-12:])
            self._say(f"failed  {worker.job.title}, exit code {code}{tail}")
        return True

    def _keep(self, job, record):
        name = job.experiment.name
        rule = judging.rule_hash(name) if is_of_study(name) else None
        result = results.compact(record, parameters(job.experiment), rule)
        results.write(job.result, result)
        self.done.append(job)
        self._say(
            f"done    {job.title}: validation {result['history'][-1]['val_acc']:.4f}, "
            f"test {result['scores']['accuracy']:.4f}, {result['cost']['minutes']:.1f} minutes"
        )

    def _say(self, text):
        self.progress.console.print(text, highlight=False, markup=False)

    def _end(self):
        for worker in self.active:
            worker.process.terminate()
        for worker in self.active:
            worker.process.wait()


def parameters(experiment):
    """Return the number of weights of the experiment's model."""
    return models.build(experiment.model, experiment.model_options, []).count_params()


def _progress():
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(file=sys.stderr, soft_wrap=True),
        transient=True,
    )

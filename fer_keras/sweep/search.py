"""The search: one process per trial, on one machine or many."""

import contextlib
import dataclasses
import logging
import os
import pathlib
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import optuna
from optuna.trial import TrialState

from fer_keras import models
from fer_keras.core import jobs
from fer_keras.core.errors import InputError
from fer_keras.core.files import StrPath
from fer_keras.data import Faces
from fer_keras.data import load as load_data
from fer_keras.experiment import override
from fer_keras.runs import records
from fer_keras.sweep import file, results
from fer_keras.sweep.storage import HEARTBEAT, Storage, origin

LOGGER = logging.getLogger("fer_keras")
COMMAND = [sys.executable, "-m", "fer_keras", "run"]
MOST_FAILURES = 3  # in a row


def run(
    path: StrPath,
    *,
    storage: str | None = None,
    workers: int = 1,
    data: StrPath | None = None,
    folder: StrPath = "sweeps",
    output: StrPath = "runs",
    tracking: str = "disabled",
    heartbeat: int = HEARTBEAT,
) -> dict[str, Any]:
    """Work on the sweep at `path` until all its trials are done; continue after an interruption.

    Any number of calls can work on one sweep concurrently, on any machine that reaches `storage`. If a worker
    dies, its trial is restarted: on the same machine at once, with a database by any worker after a minute.

    Args:
        path: YAML file in the format of `wandb sweep`, see `fer_keras.sweep.file`.
        storage: `postgresql://USER@HOST/DATABASE` (a password is better in PGPASSWORD or ~/.pgpass), or the path
            of a journal file; by default `folder`/NAME/journal.log.
        workers: concurrent trials of this call, which share the cores evenly.
        data: path of FER-2013, see `fer_keras.data.load`.
        folder: of the sweeps' files.
        output: folder of the run directories; those of the trials go to `output`/sweeps/NAME/TRIAL.
        tracking: wandb's mode, see `fer_keras.runs.pipeline.run`.
        heartbeat: seconds between two heartbeats in a database.

    Returns:
        `dict`, see `fer_keras.sweep.results.result`; it is also written to `folder`/NAME, with plots.

    Raises:
        InputError: if the file, the data or the storage cannot be used, or three trials fail in a row.
    """
    sweep = file.load(path)
    home = pathlib.Path(folder) / sweep.name
    faces = load_data(data)
    options = ["--wandb", tracking, *(["--data", os.fspath(data)] if data else [])]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        about = _about(sweep, faces)
        with contextlib.closing(Storage(sweep, home, storage, about, heartbeat=heartbeat)) as store:
            try:
                with store.joined():
                    Trials(store, workers, options, pathlib.Path(output, "sweeps", sweep.name)).run_all()
            except (InputError, KeyboardInterrupt, SystemExit):
                _conclude(store, home)
                raise
            except optuna.exceptions.StorageInternalError as error:
                raise InputError(f"The storage was lost: {error} Run the same command again to go on.") from error
            return _conclude(store, home)


def _conclude(store: Storage, home: pathlib.Path) -> dict[str, Any]:
    result = results.result(store.sweep, store.study)
    results.write(result, store.study, home)
    return result


@dataclasses.dataclass
class Trial:
    """A trial of Optuna, the process that trains it, and its last report."""

    trial: optuna.Trial
    process: jobs.Process
    folder: pathlib.Path
    metric: str
    epochs: int
    epoch: int = 0
    value: float | None = None

    def record(self) -> pathlib.Path | None:
        """Return the run directory, or `None` before it exists."""
        found = sorted(self.folder.glob("**/run.json"), key=lambda path: path.parent.name)
        return found[-1].parent if found else None

    def report(self) -> bool:
        """Report the epochs since the last call to Optuna; return whether there were any."""
        folder = self.record()
        rows = (
            [row for row in records.rows(folder / records.HISTORY) if row["epoch"] > self.epoch] if folder else []
        )
        for row in rows:
            self.epoch, self.value = row["epoch"], row[self.metric]
            if self.value is not None:  # NaN is None in a record
                self.trial.report(self.value, self.epoch)
        return bool(rows)


class Trials(jobs.Pool[Trial]):
    """Trains the trials of a sweep, several at a time.

    Args:
        storage: `fer_keras.sweep.storage.Storage`.
        workers: trials at a time.
        options: further arguments of `fer-keras run`.
        output: folder of the trials.
    """

    def __init__(self, storage: Storage, workers: int, options: Sequence[str], output: pathlib.Path) -> None:
        super().__init__(workers)
        self.storage, self.options, self.output = storage, options, output
        wandb = {"WANDB_JOB_TYPE": "trial", "WANDB_RUN_GROUP": storage.sweep.name}
        self.environment = jobs.thread_settings(workers) | wandb
        self.failures, self.waiting = 0, False

    def run_all(self) -> None:
        """Run until no trial is left here or, as far as known, elsewhere."""
        try:
            super().run_all()
        finally:
            for job in self.active:
                self.storage.give_back(job.trial)

    def next_job(self) -> Trial | None:
        if self.failures >= MOST_FAILURES:
            raise InputError(f"{self.failures} trials failed in a row. {self.failure}")
        trial = self.storage.take()
        if trial is None:
            return None
        self.waiting = False
        sweep = self.storage.sweep
        number = origin(self.storage.trials()[trial.number])
        folder = self.output / f"{number:03}"
        folder.mkdir(parents=True, exist_ok=True)
        settings = {"name": f"{sweep.name}-{number:03}"} | sweep.settings(trial.params)
        words = [f"{key}={value}" for key, value in settings.items()]
        command = [*COMMAND, sweep.program, *words, "--output", os.fspath(folder), *self.options]
        process = jobs.Process(command, open(folder / "output.log", "a+b"), self.environment)
        return Trial(trial, process, folder, sweep.metric, settings.get("epochs", sweep.experiment.epochs))

    def awaits_more(self) -> bool:
        awaits = self.storage.awaits_others()
        if awaits and not self.waiting:
            LOGGER.info("No trial is left to begin. Waiting for those of other workers, in case one dies.")
        self.waiting = awaits
        return awaits

    def is_over(self, job: Trial) -> bool:
        code = job.process.exit_code()  # before the record is read, so that nothing is missed
        self.storage.send_heartbeat(job.trial)
        try:
            pruned = job.report() and job.epoch < job.epochs and code is None and job.trial.should_prune()
        except optuna.exceptions.UpdateFinishedTrialError:
            # This machine was suspended or disconnected, and another one has restarted the trial.
            self._log(job, "taken over by another worker")
            return True
        if code is None and not pruned:
            return False
        job.process.stop()
        if pruned:
            self._finish(job, TrialState.PRUNED, f"stopped in epoch {job.epoch}, {job.metric} {job.value:.4f}")
        elif code == 0 and job.value is not None:
            self._finish(job, TrialState.COMPLETE, f"{job.metric} {job.value:.4f}")
        else:
            self._finish(job, TrialState.FAIL, f"failed, exit code {code}, see {job.folder / 'output.log'}")
        return True

    def _finish(self, job: Trial, state: TrialState, text: str) -> None:
        if state == TrialState.FAIL:
            self.failures += 1
            self.failure = f"The last one {text}: {' '.join(job.process.last_lines())}"
        else:
            self.failures = 0
        with contextlib.suppress(optuna.exceptions.UpdateFinishedTrialError):
            job.trial.set_user_attr("record", os.fspath(job.record() or ""))
        self.storage.study.tell(
            job.trial, job.value if state == TrialState.COMPLETE else None, state=state, skip_if_finished=True
        )
        self._log(job, text)

    def _log(self, job: Trial, text: str) -> None:
        settings = " ".join(
            f"{key}={value}" for key, value in self.storage.sweep.settings(job.trial.params).items()
        )
        LOGGER.info("trial %s of %d: %s  %s", job.folder.name, self.storage.sweep.trials, text, settings)


def _about(sweep: file.Sweep, faces: Faces) -> dict[str, Any]:
    """Return what all workers must agree on, after checking every setting's name."""
    first = {key: file.ends(distribution)[0] for key, distribution in sweep.distributions.items()}
    words = [f"{key}={value}" for key, value in sweep.settings(first).items()]
    models.resolved(override(sweep.experiment, words))
    return {
        "method": sweep.method,
        "metric": [sweep.metric, sweep.goal],
        "parameters": [sweep.constants, {key: repr(kind) for key, kind in sweep.distributions.items()}],
        "early_terminate": sweep.early,
        "experiment": models.resolved(sweep.experiment),
        "data": faces.digest,
    }

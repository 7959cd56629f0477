"""The storage shared by a sweep's workers: a journal file, or a PostgreSQL server for many machines."""

import contextlib
import copy
import functools
import math
import pathlib
import shutil
import socket
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import JournalStorage, RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.trial import FrozenTrial, TrialState

from fer_keras.core.errors import InputError
from fer_keras.core.files import StrPath, plain
from fer_keras.runs import records
from fer_keras.sweep.file import Sweep, cells
from fer_keras.sweep.journal import Journal

HEARTBEAT = 15  # seconds
GRACE = 4  # missed heartbeats after which a worker counts as dead
MOST_RETRIES = 3  # of a trial whose worker died, since the trial may be the cause
CREATION = 0x666572  # key of PostgreSQL's advisory lock; an arbitrary number


class Grid(BaseSampler):
    """Gives the n-th trial the n-th cell, so that no cell is repeated or missed, even if workers die.

    Optuna's `BruteForceSampler` checks which trials have started, so two concurrent workers can get the same cell,
    and it counts a cell as done if its trial failed.
    """

    def __init__(self, distributions: Mapping[str, BaseDistribution]) -> None:
        self.cells = cells(distributions)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return {}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        place = place_of(trial, study.get_trials(deepcopy=False))
        return self.cells[place % len(self.cells)][param_name]  # excess trials are discarded, see `Storage.take`


class Storage:
    """The trials of a sweep for one worker, which takes open trials and returns those it cannot finish.

    Args:
        sweep: `fer_keras.sweep.file.Sweep`.
        folder: of the sweep's files.
        storage: URL of a PostgreSQL database, path of a journal file, or `None` for the journal in `folder`.
        about: `dict` of what every worker must agree on, such as the data's digest; `None` only to read.
        heartbeat: seconds between two heartbeats, for a database.

    Raises:
        InputError: if the storage cannot be opened, or contains a different sweep of that name.
    """

    def __init__(
        self,
        sweep: Sweep,
        folder: StrPath,
        storage: StrPath | None = None,
        about: dict[str, Any] | None = None,
        *,
        heartbeat: int = HEARTBEAT,
    ) -> None:
        self.sweep, self.host = sweep, socket.gethostname()
        self.folders = pathlib.Path(folder) / "workers"
        self.id = uuid.uuid4().hex[:12]
        self.shared = "://" in str(storage or "")
        self.lock: contextlib.AbstractContextManager = contextlib.nullcontext()
        self.heartbeat = heartbeat
        self.last_heartbeats: dict[int, float] = {}  # of each trial
        arguments: dict[str, Any] = {
            "study_name": sweep.name,
            "direction": sweep.goal,
            "sampler": _sampler(sweep),
            "pruner": _pruner(sweep),
            "load_if_exists": True,
        }
        if self.shared:
            with _database(str(storage), heartbeat) as self.database:
                self.study = optuna.create_study(storage=self.database, **arguments)
        else:
            path = pathlib.Path(storage or pathlib.Path(folder) / "journal.log")
            path.parent.mkdir(parents=True, exist_ok=True)
            journal = Journal(path)
            self.lock = journal.lock
            self.study = _journal_study(journal, arguments)
        if about is not None:
            self._agree(plain(about))

    @contextlib.contextmanager
    def joined(self) -> Iterator["Storage"]:
        """Within the block, be a worker of the sweep; a lock in its folder shows others here that it is alive."""
        folder = self.folders / self.id
        folder.mkdir(parents=True)
        with records.locked(folder):
            try:
                yield self
            finally:
                shutil.rmtree(folder)

    def take(self) -> optuna.Trial | None:
        """Return a new `optuna.Trial`, or one whose worker died, for this worker; `None` if there is none."""
        with self.lock:
            return self._take()

    def _take(self) -> optuna.Trial | None:
        self._reclaim()
        trials = self.trials()
        waiting = any(trial.state == TrialState.WAITING for trial in trials)
        if not waiting and len(places(trials)) >= self.sweep.trials:
            return None
        trial = self.study.ask(self.sweep.distributions)
        self.send_heartbeat(trial)  # at once: Optuna ignores trials without a heartbeat
        trial.set_user_attr("host", self.host)
        trial.set_user_attr("worker", self.id)
        trials = self.trials()
        if place_of(trials[trial.number], trials) < self.sweep.trials:
            return trial
        trial.set_user_attr("duplicate", True)  # two workers took the last free place at the same time
        self.study.tell(trial, state=TrialState.FAIL)
        return None

    def send_heartbeat(self, trial: optuna.Trial) -> None:
        """Send a heartbeat for `trial` if the last one is old enough."""
        now = time.monotonic()
        if self.shared and now - self.last_heartbeats.get(trial.number, -math.inf) >= self.heartbeat:
            self.database.record_heartbeat(trial._trial_id)
            self.last_heartbeats[trial.number] = now

    def give_back(self, trial: optuna.Trial) -> None:
        """Return `trial` to the queue, for any worker."""
        frozen = self.trials()[trial.number]
        if frozen.state == TrialState.RUNNING:
            self._begin_again(frozen)

    def awaits_others(self) -> bool:
        """Return whether another worker has a trial that this one would take over if that worker died."""
        return any(
            trial.state == TrialState.RUNNING and (self.shared or trial.user_attrs.get("host") == self.host)
            for trial in self.trials()
        )

    def trials(self) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False)

    def close(self) -> None:
        """Close the connections to a database."""
        if self.shared:
            self.database.remove_session()
            self.database.engine.dispose()

    def _reclaim(self) -> None:
        if self.shared:
            optuna.storages.fail_stale_trials(self.study)
            return
        owners: set[str] = set()
        for trial in self.trials():
            if trial.state == TrialState.RUNNING and "worker" not in trial.user_attrs:
                self._begin_again(trial)  # its worker was killed within `take`, whose lock is ours now
            elif trial.state == TrialState.RUNNING and trial.user_attrs["host"] == self.host:
                owners.add(trial.user_attrs["worker"])
        for owner in owners - {self.id}:
            folder = self.folders / owner
            folder.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(InputError), records.locked(folder):  # locked while its owner is alive
                for trial in self.trials():
                    if trial.state == TrialState.RUNNING and trial.user_attrs.get("worker") == owner:
                        self._begin_again(trial, MOST_RETRIES)
                shutil.rmtree(folder)

    def _begin_again(self, trial: FrozenTrial, most: int | None = None) -> None:
        """Put a running trial back into the queue, then end it: a kill in between loses no trial."""
        if not any(t.number > trial.number and origin(t) == origin(trial) for t in self.trials()):
            _repeat(self.study, trial, most)
        self.study.tell(trial.number, state=TrialState.FAIL)

    def _agree(self, about: dict[str, Any]) -> None:
        begun = self.study.user_attrs.get("about")
        if begun is None:
            self.study.set_user_attr("about", about)
        elif different := sorted(key for key in begun.keys() | about.keys() if begun.get(key) != about.get(key)):
            raise InputError(
                f"The sweep {self.sweep.name!r} was begun with other {' and '.join(different)}. Its trials cannot "
                "be compared: give the sweep another name, or delete what was begun."
            )


def origin(trial: FrozenTrial) -> int:
    """Return the number of the trial that `trial` repeats after its worker died, else its own."""
    return trial.system_attrs.get("failed_trial", trial.number)


def places(trials: Sequence[FrozenTrial]) -> list[int]:
    """Return the numbers of all trials except repetitions and discarded duplicates, in order."""
    return sorted({origin(trial) for trial in trials if not trial.user_attrs.get("duplicate")})


def place_of(trial: FrozenTrial, trials: Sequence[FrozenTrial]) -> int:
    """Return the number of trials before `trial`, without repetitions."""
    return sum(place < origin(trial) for place in places(trials))


def _repeat(study: optuna.Study, trial: FrozenTrial, most: int | None = None) -> None:
    """Return `trial` to the queue without its owner."""
    free = copy.copy(trial)
    free.user_attrs = {}
    RetryHeartbeatStaleTrialCallback(max_retry=most)(study, free)


def _journal_study(journal: Journal, arguments: dict[str, Any]) -> optuna.Study:
    try:
        return optuna.create_study(storage=JournalStorage(journal), **arguments)
    except (LookupError, TypeError, ValueError, AttributeError, AssertionError) as error:
        raise InputError(
            f"{journal.path} is not an Optuna journal: {type(error).__name__}: {error}. Remove the file to begin "
            "anew."
        ) from error


def _sampler(sweep: Sweep) -> BaseSampler:
    if sweep.method == "grid":
        return Grid(sweep.distributions)
    return TPESampler(constant_liar=True) if sweep.method == "bayes" else RandomSampler()


def _pruner(sweep: Sweep) -> optuna.pruners.BasePruner:
    if sweep.early is None:
        return optuna.pruners.NopPruner()
    least, eta = sweep.early["min_iter"], sweep.early["eta"]
    return optuna.pruners.HyperbandPruner(
        min_resource=least, max_resource=max(sweep.epochs, least), reduction_factor=eta
    )


@contextlib.contextmanager
def _database(url: str, heartbeat: int) -> Iterator[RDBStorage]:
    """Yield Optuna's storage at `url`; within the block, no other worker creates tables or studies there."""
    try:
        import psycopg  # noqa: F401
    except ModuleNotFoundError as error:
        raise InputError("PostgreSQL needs psycopg: pip install 'fer-keras[sweep]'.") from error
    import sqlalchemy

    if urlsplit(url).scheme not in ("postgresql", "postgresql+psycopg"):
        raise InputError(
            f"Storage must be a path or postgresql://USER@HOST/DATABASE. Received {urlsplit(url).scheme}://..."
        )
    try:
        address = sqlalchemy.make_url(url).set(drivername="postgresql+psycopg")
        engine = sqlalchemy.create_engine(address, poolclass=sqlalchemy.pool.NullPool)
        with engine.begin() as connection:
            # Two workers cannot create Optuna's tables and study concurrently; the lock ends with the transaction.
            connection.execute(sqlalchemy.text("SELECT pg_advisory_xact_lock(:key)"), {"key": CREATION})
            yield RDBStorage(
                address.render_as_string(hide_password=False),
                engine_kwargs={"pool_pre_ping": True},
                heartbeat_interval=heartbeat,
                grace_period=GRACE * heartbeat,
                heartbeat_stale_trial_callback=functools.partial(_repeat, most=MOST_RETRIES),
            )
    except (sqlalchemy.exc.OperationalError, sqlalchemy.exc.ArgumentError) as error:
        reason = " ".join(str(error.orig if hasattr(error, "orig") else error).split())
        raise InputError(
            f"The storage cannot be reached: {reason}. Expected postgresql://USER@HOST/DATABASE."
        ) from None

"""Child processes, several at a time, that end with the process that started them."""

import contextlib
import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO, Generic, Protocol, TypeVar

FOLLOWS = "FER_KERAS_FOLLOWS_STDIN"  # set for a process that must end when its standard input is closed
POLL_SECONDS = 0.5
STOPPED_SECONDS = 600  # after which a command that was stopped by a signal is killed
TERM_SECONDS = 10  # from SIGTERM to SIGKILL
PR_SET_PDEATHSIG = 1
LOG = logging.getLogger("fer_keras")


def cores() -> int:
    """Return the number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_settings(workers: int) -> dict[str, str]:
    """Return environment variables that divide the cores among `workers` processes; the user's own have priority.

    The number of threads decides the order of floating-point sums: a rerun is equal only with the same number.
    """
    name = "OMP_NUM_THREADS"
    return {name: os.environ.get(name) or str(max(cores() // workers, 1))}


class Process:
    """A running command. It ends when this process ends, even if that is killed.

    On Linux the kernel ensures it. On all systems, a command of this package watches its standard input, a pipe
    that the operating system closes, see `follow_parent`.

    Args:
        command: program and arguments.
        log: binary file, open for reading and writing, that gets the command's output and standard error.
        environment: variables in addition to those of this process.
    """

    def __init__(self, command: Sequence[str], log: BinaryIO, environment: Mapping[str, str]) -> None:
        self.log = log
        self.popen = subprocess.Popen(
            command,
            env=os.environ | {"PYTHONUNBUFFERED": "1", FOLLOWS: "1", **environment},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
        )
        self._stopped_since: float | None = None

    def exit_code(self) -> int | None:
        """Return the exit code, `None` while the command runs."""
        return self.popen.poll()

    def end_if_stopped(self) -> None:
        """Warn if a signal (SIGSTOP, Ctrl-Z) stopped the command, and kill it after 10 minutes."""
        if not self._is_stopped():
            self._stopped_since = None
        elif self._stopped_since is None:
            self._stopped_since = time.monotonic()
            LOG.warning(
                "Process %d was stopped by a signal. `kill -CONT %d` continues it; in %d minutes it is ended.",
                self.popen.pid,
                self.popen.pid,
                STOPPED_SECONDS // 60,
            )
        elif time.monotonic() - self._stopped_since > STOPPED_SECONDS:
            LOG.error("Process %d stayed stopped for %d minutes.", self.popen.pid, STOPPED_SECONDS // 60)
            self.popen.kill()

    def _is_stopped(self) -> bool:
        if sys.platform != "linux" or self.popen.poll() is not None:
            return False
        return os.waitid(os.P_PID, self.popen.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None

    def stop(self) -> None:
        """Terminate the command, after 10 seconds kill it, and wait for its end."""
        self.popen.terminate()
        try:
            self.popen.wait(TERM_SECONDS)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()

    def close(self) -> None:
        """End the command and close its log."""
        self.stop()
        assert self.popen.stdin is not None
        self.popen.stdin.close()
        self.log.close()

    def last_lines(self, number: int = 12) -> list[str]:
        """Return the last lines of the log of an ended command."""
        self.log.seek(0)
        return self.log.read().decode(errors="replace").splitlines()[-number:]


class Job(Protocol):
    """What a `Pool` runs: anything with a process."""

    process: Process


J = TypeVar("J", bound=Job)


class Pool(Generic[J]):
    """Runs jobs, several at a time. A subclass chooses them and handles their results.

    Args:
        workers: jobs at a time.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.active: list[J] = []

    def next_job(self) -> J | None:
        """Start the next job and return it; `None` if there is none now."""
        raise NotImplementedError

    def is_over(self, job: J) -> bool:
        """Return whether an active job has ended, after handling its results; called twice a second."""
        raise NotImplementedError

    def awaits_more(self) -> bool:
        """Return whether a job may come while none is active."""
        return False

    def run_all(self) -> None:
        """Run until no job is left. SIGTERM and every exception end the active jobs first."""
        with exit_on_sigterm():
            try:
                while self._fill() or self.awaits_more():
                    time.sleep(POLL_SECONDS if self.active else 4 * POLL_SECONDS)
                    for job in self.active:
                        job.process.end_if_stopped()
                    ended = [job for job in self.active if self.is_over(job)]
                    for job in ended:
                        job.process.close()
                        self.active.remove(job)
            finally:
                for job in self.active:
                    job.process.popen.terminate()
                for job in self.active:
                    job.process.close()

    def _fill(self) -> list[J]:
        while len(self.active) < self.workers and (job := self.next_job()):
            self.active.append(job)
        return self.active


@contextlib.contextmanager
def exit_on_sigterm() -> Iterator[None]:
    """Within the block, SIGTERM raises `SystemExit`, so that `finally` blocks run."""
    previous = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def follow_parent() -> None:
    """If a `Process` started this process, end it as soon as its parent has ended."""
    if os.environ.pop(FOLLOWS, None):  # not for the processes that this one starts
        threading.Thread(target=_exit_at_end_of_input, daemon=True).start()


def _exit_at_end_of_input() -> None:
    while os.read(0, 1):
        pass
    os._exit(128 + signal.SIGTERM)  # safe at any moment: files are written atomically


if sys.platform == "linux":
    _libc = ctypes.CDLL(None)  # loaded here, because little is allowed between fork and exec

    def _end_with_parent() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

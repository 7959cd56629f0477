"""Processes: several at a time, with the user's threads, ended with the process that started them."""

import dataclasses
import os
import signal
import subprocess
import sys
import tempfile
import time

import pytest

from fer_keras.core import jobs

# Starts a child that prints its number and sleeps, prints that number, and waits.
PARENT = """
import sys, time
from fer_keras.core import jobs
{before}
child = "import os; from fer_keras.core import jobs; jobs.follow_parent(); print(os.getpid()); jobs.time.sleep(99)"
log = open(sys.argv[1], "w+b")
process = jobs.Process([sys.executable, "-c", child], log, {{}})
time.sleep(60)
"""


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def runs(number):
    try:
        with open(f"/proc/{number}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
@pytest.mark.parametrize("before", ["", "jobs._end_with_parent = lambda: None"], ids=["kernel", "pipe"])
def test_child_ends_with_a_killed_parent(tmp_path, before):
    log = tmp_path / "log"
    parent = subprocess.Popen([sys.executable, "-c", PARENT.format(before=before), log])
    wait_for(lambda: log.exists() and log.read_text().endswith("\n"))
    child = int(log.read_text())
    assert runs(child)
    parent.kill()
    parent.wait()
    wait_for(lambda: not runs(child))


def test_process_that_nobody_watches_ignores_its_input():
    program = "import time; from fer_keras.core import jobs; jobs.follow_parent(); time.sleep(0.5); print('done')"
    done = subprocess.run(
        [sys.executable, "-c", program], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "done\n")


def test_workers_share_the_cores_unless_the_user_chose(monkeypatch):
    monkeypatch.setattr(jobs, "cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert jobs.thread_settings(3) == {"OMP_NUM_THREADS": "2"}
    assert jobs.thread_settings(16) == {"OMP_NUM_THREADS": "1"}
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert jobs.thread_settings(3) == {"OMP_NUM_THREADS": "5"}


@dataclasses.dataclass
class Job:
    program: str
    process: jobs.Process


class Programs(jobs.Pool[Job]):
    def __init__(self, workers, programs):
        super().__init__(workers)
        self.waiting, self.most, self.ends = list(programs), 0, {}

    def next_job(self):
        if not self.waiting:
            return None
        program = self.waiting.pop(0)
        command = [sys.executable, "-c", program]
        return Job(program, jobs.Process(command, tempfile.TemporaryFile(), {"GREETING": "hello"}))

    def is_over(self, job):
        self.most = max(self.most, len(self.active))
        code = job.process.exit_code()
        if code is not None:
            self.ends[job.program] = code, job.process.last_lines(2)
        return code is not None


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(jobs, "POLL_SECONDS", 0.02)


def test_pool_runs_all_and_keeps_the_last_lines(quick):
    failing = "import os; print('a'); print('b'); print(os.environ['GREETING']); raise SystemExit(3)"
    pool = Programs(2, [failing, "pass", "print('c')"])
    pool.run_all()
    assert pool.ends == {failing: (3, ["b", "hello"]), "pass": (0, []), "print('c')": (0, ["c"])}
    assert pool.most == 2 and pool.active == []


def test_error_ends_the_active_jobs(quick):
    class Failing(Programs):
        def is_over(self, job):
            raise KeyError("x")

    pool = Failing(1, ["import time; time.sleep(60)"])
    with pytest.raises(KeyError):
        pool.run_all()
    assert pool.active[0].process.exit_code() == -signal.SIGTERM


def test_sigterm_becomes_an_exit_within_the_block_only():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as error, jobs.exit_on_sigterm():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)
    assert error.value.code == 143
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.skipif(sys.platform != "linux", reason="stops a process by a signal")
def test_a_stopped_process_is_reported_and_ended_after_a_time(monkeypatch, caplog):
    process = jobs.Process([sys.executable, "-c", "import time; time.sleep(99)"], tempfile.TemporaryFile(), {})
    process.end_if_stopped()
    assert caplog.text == ""
    process.popen.send_signal(signal.SIGSTOP)
    wait_for(process._is_stopped)
    process.end_if_stopped()
    assert f"Process {process.popen.pid} was stopped by a signal." in caplog.text
    process.popen.send_signal(signal.SIGCONT)
    wait_for(lambda: not process._is_stopped())
    process.end_if_stopped()
    process.popen.send_signal(signal.SIGSTOP)
    wait_for(process._is_stopped)
    process.end_if_stopped()
    assert caplog.text.count("was stopped by a signal") == 2 and process.exit_code() is None
    monkeypatch.setattr(jobs, "STOPPED_SECONDS", -1)
    process.end_if_stopped()
    wait_for(lambda: process.exit_code() == -signal.SIGKILL)
    assert "stayed stopped" in caplog.text
    process.close()

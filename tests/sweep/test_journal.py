"""The journal file of a sweep, torn in every way."""

import json
import os
import signal
import subprocess
import sys

import pytest

from fer_keras.core.errors import InputError
from fer_keras.sweep.journal import Journal

FIRST, SECOND = {"op_code": 0, "n": 1}, {"op_code": 0, "n": 2}


def test_lines_are_read_as_they_were_written(tmp_path):
    journal = Journal(tmp_path / "journal.log")
    journal.append_logs([FIRST])
    journal.append_logs([SECOND, FIRST])
    assert list(Journal(tmp_path / "journal.log").read_logs(0)) == [FIRST, SECOND, FIRST]
    assert (tmp_path / "journal.log").read_text().count("\n") == 3


@pytest.mark.parametrize("torn", ['{"op_co', "\0" * 9, "[" * 200_000, '{"op_code": 0}'])
def test_a_torn_end_is_cut_off_at_the_start(tmp_path, torn):
    path = tmp_path / "journal.log"
    Journal(path).append_logs([FIRST])
    with path.open("a") as file:
        file.write(torn)
    assert list(Journal(path).read_logs(0)) == [FIRST]
    assert path.read_text() == '{"op_code":0,"n":1}\n'


def test_a_torn_end_that_another_worker_left_is_cut_off_by_the_next_line(tmp_path):
    path = tmp_path / "journal.log"
    journal = Journal(path)
    journal.append_logs([FIRST])
    with path.open("a") as file:
        file.write('{"torn')
    journal.append_logs([SECOND])
    assert list(journal.read_logs(0)) == [FIRST, SECOND]


def test_a_full_disk_leaves_whole_lines(tmp_path, monkeypatch):
    path = tmp_path / "journal.log"
    journal = Journal(path)
    journal.append_logs([FIRST])

    def full(handle):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            journal.append_logs([SECOND])
    assert list(journal.read_logs(0)) == [FIRST]
    assert json.loads(path.read_text()) == FIRST


@pytest.mark.parametrize("line", ["garbage", "[]", "[" * 200_000, "\0"])
def test_a_damaged_line_is_named(tmp_path, line):
    path = tmp_path / "journal.log"
    path.write_text(f"{json.dumps(FIRST)}\n{line}\n")
    with pytest.raises(InputError, match=r"journal.log line 2 is damaged: .* Remove the file to begin"):
        Journal(path)


def test_the_lock_of_a_killed_worker_is_free(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    journal = Journal("journal.log")
    code = "from fer_keras.sweep.journal import Journal; import os; Journal('journal.log').lock.acquire()"
    killed = subprocess.run([sys.executable, "-c", f"{code}; os.kill(os.getpid(), {signal.SIGKILL:d})"])
    assert killed.returncode == -signal.SIGKILL
    journal.append_logs([FIRST])
    assert list(journal.read_logs(0)) == [FIRST]

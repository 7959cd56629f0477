"""Work in a limited process: what it says arrives, what takes too long or too much is ended."""

import sys

import pytest

from fer_keras.core import limited
from fer_keras.core.errors import InputError

WORK = """
import sys
from fer_keras.core import limited
from fer_keras.core.errors import InputError
limited.SECONDS, limited.MEMORY = 1, 100 << 20
def work(text):
    {}
limited.work(work, sys.stdin.read())
"""


@pytest.mark.parametrize(
    "work, message",
    [
        ("raise InputError('no, ' + text)", "no, data"),
        ("bytearray(1 << 30)", "f.txt is refused: loading it takes more than 20 seconds or 2 GiB of memory"),
        ("(x := 3 ** (1 << 40))", "f.txt is refused: loading it takes more than"),
        ("import os; os.abort()", "f.txt is refused: loading it takes more than"),
        ("raise KeyError(1)", "f.txt is refused: loading it takes more than"),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="needs limits on memory")
def test_work_that_fails(tmp_path, monkeypatch, work, message):
    (tmp_path / "some_work.py").write_text(WORK.format(work))
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=message):
        limited.try_in_child("some_work", data=b"data", path="f.txt")


def test_work_that_succeeds(tmp_path, monkeypatch):
    (tmp_path / "some_work.py").write_text(WORK.format("assert text == 'data'"))
    monkeypatch.syspath_prepend(tmp_path)
    limited.try_in_child("some_work", data=b"data", path="f.txt")

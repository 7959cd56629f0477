import ctypes
import pathlib
import subprocess
import sys
import types

import pytest
from click.testing import CliRunner

import fer_keras
from fer_keras.backend import allocator
from fer_keras.cli import cli


def test_what_glibc_is_told(monkeypatch):
    calls = []
    libc = types.SimpleNamespace(mallopt=lambda *call: calls.append(call))
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda name: libc)
    allocator.keep_freed()
    assert calls == [(-4, 0), (-1, 2**31 - 1)]
    calls.clear()
    allocator.keep_freed(2**25)
    assert calls == [(-3, 2**25), (-1, 2**27)]
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda name: types.SimpleNamespace())  # no glibc
    allocator.keep_freed()
    assert len(calls) == 2


def test_only_commands_set_the_allocator():
    folder = pathlib.Path(fer_keras.__file__).parent
    files = {
        path.relative_to(folder).as_posix() for path in folder.rglob("*.py") if "keep_freed" in path.read_text()
    }
    assert files == {"backend/allocator.py", "cli/__init__.py", "cli/serve.py"}


@pytest.mark.parametrize("command", [*cli.commands])
def test_commands_that_compute_keep_memory(monkeypatch, command):
    calls = []
    monkeypatch.setattr(allocator, "keep_freed", lambda *arguments: calls.append(arguments))
    CliRunner().invoke(cli, [command, "--no-such-option"])
    assert calls == ([()] if command in ("evaluate", "finetune", "overfit", "predict", "run") else [])


SCRIPT = """
import os
import sys
import numpy as np
from fer_keras.backend import allocator

def resident():  # MiB
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20

allocator.keep_freed(*map(int, sys.argv[1:]))
blocks = [np.ones(16 << 20, "uint8") for _ in range(12)]
held = resident()
del blocks
print(held - resident())
"""


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallopt"), reason="needs glibc and Linux' /proc"
)
@pytest.mark.parametrize("largest, handed_back", [((), 0), ((2**23,), 192)])
def test_freed_blocks_above_the_largest_are_handed_back(largest, handed_back):
    words = [sys.executable, "-c", SCRIPT, *map(str, largest)]
    told = subprocess.run(words, capture_output=True, text=True, check=True)
    assert int(told.stdout) == pytest.approx(handed_back, abs=8)

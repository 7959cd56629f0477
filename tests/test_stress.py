"""Short forms of the stress runs `tests/stress.py` and `tests/stress_commands.py`."""

import pathlib
import re
import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.parametrize("what, figure", [("kills", "kills 6"), ("disk", "full 6"), ("pairs", "refused 6")])
def test_nothing_is_lost(what, figure):
    script = pathlib.Path(__file__).with_name("stress.py")
    done = subprocess.run([sys.executable, script, what, "--count", "6"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(rf"\b{figure}\b", done.stdout) and re.search(r"\bdifferences 0\b", done.stdout)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
@pytest.mark.parametrize("command", ["release", "report", "export", "study", "sweep"])
def test_a_killed_command_starts_again(command):
    script = pathlib.Path(__file__).with_name("stress_commands.py")
    done = subprocess.run([sys.executable, script, command, "--count", "1"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{command}: " in done.stdout and "killed at a write 1, faults 0" in done.stdout

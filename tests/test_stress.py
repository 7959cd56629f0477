"""The short form of the stress run; `python tests/stress.py kills --count 100` is the long one."""

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

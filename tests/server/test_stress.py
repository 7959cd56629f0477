"""The short form of the server's load test; `python tests/stress_server.py` is the long one."""

import pathlib
import subprocess
import sys

import pytest
from helpers import networks

pytest.importorskip("fastapi", reason="needs fer-keras[serve]")
pytest.importorskip("cv2", reason="needs fer-keras[faces]")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from Linux' /proc")
def test_right_answers_and_flat_memory_under_attack(tmp_path):
    networks.drawn(tmp_path / "model.keras")
    words = ["--requests", "48", "--rounds", "4", "--detector", "haar", "--model", str(tmp_path / "model.keras")]
    script = pathlib.Path(__file__).parents[1] / "stress_server.py"
    done = subprocess.run([sys.executable, script, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "right requests 48, wrong answers 0" in done.stdout and "no fault" in done.stdout

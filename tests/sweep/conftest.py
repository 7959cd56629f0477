import sys

import numpy as np
import pytest
from helpers.sweeps import FAKE

from fer_keras.core import jobs
from fer_keras.sweep import search as sweep

PROGRAM = """
from fer_keras import Experiment, main

experiment = Experiment(name="tiny", model_options={"units": (4,)}, epochs=3, batch_size=16)

if __name__ == "__main__":
    main()
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with an experiment, data, and trainings that are quick because they are none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sweep, "COMMAND", [sys.executable, str(tmp_path / "fake.py")])
    monkeypatch.setattr(jobs, "POLL_SECONDS", 0.02)
    (tmp_path / "tiny.py").write_text(PROGRAM)
    (tmp_path / "fake.py").write_text(FAKE)
    random = np.random.default_rng(0)
    rows = [
        f"{i % 7},{' '.join(map(str, random.integers(0, 256, 2304)))},{'Training' if i < 70 else 'PublicTest'}"
        for i in range(84)
    ]
    (tmp_path / "faces.csv").write_text("\n".join(["emotion,pixels,Usage", *rows, ""]))
    return tmp_path

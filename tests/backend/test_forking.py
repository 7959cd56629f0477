"""Predictions in forked processes."""

import os
import subprocess
import sys

import keras
import pytest

from fer_keras.backend import forking
from fer_keras.core.errors import InputError

PROGRAM = """
import multiprocessing
import numpy as np
from fer_keras import FER

FACE = np.full((48, 48), 90, np.uint8)
fer = FER("tiny", detector="none")
before = fer.analyze(FACE)[0].probabilities

def again(_):
    return fer.analyze(FACE)[0].probabilities

def anew(_):
    return FER("tiny", detector="none").analyze(FACE)[0].probabilities

with multiprocessing.get_context("fork").Pool(2) as pool:
    for job in (again, anew):
        answers = pool.map_async(job, range(4)).get(60)
        print(all(abs(answer[name] - before[name]) < 1e-5 for answer in answers for name in before))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.skipif(keras.backend.backend() != "torch", reason="PyTorch's threads")
def test_a_forked_process_predicts_after_its_parent_did():
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=200)
    assert done.stdout == "True\nTrue\n", done.stderr


@pytest.mark.parametrize("backend", ["jax", "tensorflow"])
def test_other_backends_name_a_way_out(monkeypatch, backend):
    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    monkeypatch.setattr(forking, "_forked", False)
    forking.check()
    forking._in_child()
    with pytest.raises(
        InputError, match=f"Keras on {backend} cannot predict in a forked process. Start the workers"
    ):
        forking.check()

"""The example of docs/guides/own_training.md, run in a process of its own under the backend of the tests."""

import json
import os
import pathlib
import subprocess
import sys

import keras

ROOT = pathlib.Path(__file__).parents[1]
PROGRAM = """
import json, runpy
names = runpy.run_path(EXAMPLE)
history = names["model"].history.history
print(json.dumps({name: values for name, values in history.items() if name != "epoch_time"}))
"""


def test_own_training_adds_figures_and_logs_to_wandb(tmp_path):
    code = PROGRAM.replace("EXAMPLE", repr(str(ROOT / "examples/own_training.py")))
    environment = {**os.environ, "KERAS_BACKEND": keras.backend.backend(), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    history = json.loads(done.stdout.splitlines()[-1])
    assert {
        "grad_ratio",
        "weight_norm",
        "grad_ratio/sequential/dense",
        "weight_norm/sequential/dense_1",
        "val_acc",
    } <= history.keys()
    assert all(len(values) == 3 for values in history.values())
    assert list(tmp_path.glob("runs/own/wandb/offline-run-*/run-*.wandb"))

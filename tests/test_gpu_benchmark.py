"""benchmarks/gpu.py on a processor, in toy sizes, with a phase that hangs."""

import json
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

PROGRAM = pathlib.Path(__file__).parents[1] / "benchmarks" / "gpu.py"
# What a bare machine for GPUs lacks.
WITHOUT = """
import runpy, sys
for name in ("filelock", "wandb", "optuna", "cv2", "onnxruntime"):
    sys.modules[name] = None
sys.argv = sys.argv[1:]
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "torch", reason="measures PyTorch")
def test_a_phase_that_hangs_costs_the_others_nothing(tmp_path):
    command = [sys.executable, "-c", WITHOUT, str(PROGRAM), "--dry-run", "--output", str(tmp_path)]
    command += ["--limit", "240", "--stall", "check"]
    environment = os.environ | {"KERAS_BACKEND": "torch", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, env=environment)
    assert done.returncode == 1, done.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    phases = results["phases"]
    assert phases.pop("check").startswith("OutOfTime: no time was left after ")
    assert phases == dict.fromkeys(("data", "speed", "seeds", "student"), "done"), done.stderr
    assert results["images"] == {"train": 93, "validation": 11, "test": 14}
    assert [row["model"] for row in results["speed"]] == ["cnn", "resnet"] and results["epoch_seconds"] > 0
    for name in ("seed_0", "seed_1", "seed_2", "seed_3", "student"):
        assert len(results[name]["accuracy"]) == 6
        assert len((tmp_path / f"history_{name}.jsonl").read_text().splitlines()) == results[name]["epochs"]
        with np.load(tmp_path / f"{name}.npz") as weights:
            assert {array.dtype.name for array in weights.values()} <= {"float16", "int32"}

"""One backend's figures are the others': what a model computes, a run carried on, a model handed over.

What holds on each backend for itself (values worked out by hand, seeds, callbacks, saving) is in the other tests,
which CI runs once for each backend.
"""

import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
from helpers.data_forms import tiny, write_csv

from fer_keras import models

OTHERS = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            importlib.util.find_spec(name) is None, reason=f"no {name}: pip install 'fer-keras[{name}]'"
        ),
    )
    for name in ("jax", "tensorflow")
]
pytestmark = pytest.mark.slow


def call(job, folder, name):
    environment = os.environ | {"KERAS_BACKEND": name, "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    program = pathlib.Path(__file__).with_name("backend_figures.py")
    command = [sys.executable, str(program), job, str(folder), name]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a run begun on torch and a model of torch."""
    folder = tmp_path_factory.mktemp("parity")
    write_csv(folder / "faces.csv", tiny((42, 14, 14)))
    call("begin", folder, "torch")
    return folder


@pytest.fixture(scope="module")
def figures(folder):
    """Return the figures of a backend, worked out once."""
    kept = {}

    def of(name):
        if name not in kept:
            shutil.copytree(folder / "begun", folder / name)
            call("go", folder, name)
            kept[name] = json.loads((folder / f"{name}.json").read_text())
        return kept[name]

    return of


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("model", models.MODELS)
def test_same_weights_give_the_same_figures(figures, name, model):
    found, expected = figures(name)["models"][model], figures("torch")["models"][model]
    np.testing.assert_allclose(found["logits"], expected["logits"], atol=1e-4)
    assert found["loss"] == pytest.approx(expected["loss"], abs=1e-4)
    for key in ("gradient_norms", "ratios", "weight_norms"):
        assert found[key] == pytest.approx(expected[key], rel=1e-4, abs=1e-5)
    assert found["moved"] == found["kernels"] == expected["kernels"]


@pytest.mark.parametrize("name", OTHERS)
def test_run_begun_on_torch_goes_on_to_the_same_end(figures, name):
    found, expected = figures(name)["record"], figures("torch")["record"]
    assert "continued" not in expected
    ((done, environment),) = [(row["epochs"], row["environment"]) for row in found["continued"]]
    assert (done, environment["backend"], found["environment"]["backend"]) == (1, name, "torch")
    assert [row["epoch"] for row in found["history"]] == [1, 2, 3]
    for row, other in zip(found["history"], expected["history"], strict=True):
        assert row == pytest.approx(other | {"epoch_time": row["epoch_time"]}, rel=1e-4)
    assert found["scores"]["confusion"] == expected["scores"]["confusion"]
    assert found["scores"]["loss"] == pytest.approx(expected["scores"]["loss"], abs=1e-4)


@pytest.mark.parametrize("name", OTHERS)
def test_model_of_torch_is_judged_the_same(figures, name):
    np.testing.assert_allclose(figures(name)["probabilities"], figures("torch")["probabilities"], atol=1e-5)

"""Several processes or devices train what one would; what becomes of a job whose process dies."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
from helpers.data_forms import tiny, write_csv
from helpers.hosts import ADDRESSES, INTERFACE, two_hosts

from fer_keras.backend import distribution
from fer_keras.core.errors import InputError
from fer_keras.model_files import saving
from fer_keras.runs import records

ROOT = pathlib.Path(__file__).parents[2]
BACKEND = keras.backend.backend()
torch_only = pytest.mark.skipif(BACKEND != "torch", reason="torchrun is torch's")
# Everything that draws random numbers, looks at the whole batch or weighs images; SGD, since Adam makes steps of a
# rounding error where the gradient is zero (biases before batch normalization).
PROGRAM = """
import os, signal, sys, time
from fer_keras import Experiment, main

experiment = Experiment(
    name="shared",
    model="cnn",
    model_options={
        "filters": (3, 4),
        "units": (6,),
        "convolution_normalization": "batch",
        "convolution_dropout": 0.1,
        "normalization": "batch",
        "dropout": 0.3,
        "l2": 1e-3,
        # Keras' values: with an epsilon of 1e-5, normalization makes more of rounding errors.
        "initialization": "keras",
        "momentum": 0.99,
        "epsilon": 1e-3,
    },
    normalization=True,
    augmentation=("flip", "affine", "erasing"),
    mixup=0.2,
    cutmix=1.0,
    label_smoothing=0.1,
    class_weight="balanced",
    optimizer="sgd",
    optimizer_options={"momentum": 0.9, "use_ema": True, "global_clipnorm": 5.0},
    learning_rate=0.05,
    schedule="one_cycle",
    batch_size=32,
    epochs=3,
    seed=5,
)

if __name__ == "__main__":
    import datetime
    from fer_keras.backend import distribution
    from fer_keras.runs import pipeline
    from fer_keras.training import fitting
    from fer_keras.training.callbacks import DistributedLogs

    fitting.OVERFIT_EPOCHS = 2
    pipeline.plots.draw = lambda record, folder: {}
    end = DistributedLogs.on_train_batch_end

    def on_train_batch_end(self, batch, logs=None):
        end(self, batch, logs)
        if os.environ.get("FAULT") and os.environ["RANK"] == "1" and (self.batches.epoch, batch) == (1, 2):
            exec(os.environ["FAULT"])

    DistributedLogs.on_train_batch_end = on_train_batch_end
    distribution.WAIT = datetime.timedelta(seconds=float(os.environ.get("WAIT", 60)))
    main()
"""
TORCHRUN = [sys.executable, "-m", "torch.distributed.run"]
PAIR = [*TORCHRUN, "--standalone", "--nproc-per-node", "2"]


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """101 training images: batches of 32, 32, 32 and 5; 23 for validation."""
    folder = tmp_path_factory.mktemp("shared")
    csv = write_csv(folder / "faces.csv", tiny((101, 23, 21)))
    program = folder / "shared.py"
    program.write_text(PROGRAM)
    return [str(program), "--data", str(csv), "--wandb", "disabled", "--precision", "float32"]


@pytest.fixture(scope="module")
def alone(tmp_path_factory, words):
    """What one process trains."""
    output = tmp_path_factory.mktemp("one")
    code, _, errors = call(sys.executable, *words, "--output", output, XDG_CACHE_HOME=str(output / "cache"))
    assert code == 0, errors
    return output


def start(*command, **environment):
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **environment}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*map(str, command)], env=environment, **pipes)


def end(process):
    printed, errors = process.communicate(timeout=400)
    return process.returncode, printed, errors


def call(*command, **environment):
    return end(start(*command, **environment))


def only_run(output):
    (folder,) = (pathlib.Path(output) / "shared").iterdir()
    return folder


def weights(output):
    return saving.load(only_run(output) / "model.keras").get_weights()


def assert_same_training(output, expected):
    for found, other in zip(weights(output), weights(expected), strict=True):
        np.testing.assert_allclose(found, other, atol=1e-5)
    found, other = (records.read(only_run(folder)) for folder in (output, expected))
    assert found["overfit"].pop("losses") == pytest.approx(other["overfit"].pop("losses"), abs=1e-5)
    assert found["overfit"].pop("last_loss") == pytest.approx(other["overfit"].pop("last_loss"), abs=1e-5)
    assert found["overfit"] == other["overfit"]
    assert len(found["history"]) == 3
    for row, other_row in zip(found["history"], other["history"], strict=True):
        del row["epoch_time"], other_row["epoch_time"]
        # What a single process measures besides.
        alone = {name: other_row.pop(name) for name in other_row.keys() - row.keys()}
        assert alone.keys() <= {"train_acc_inference", "val_acc_recalibrated"}
        assert row == pytest.approx(other_row, rel=1e-4)
    assert found["scores"]["confusion"] == other["scores"]["confusion"]
    assert found["scores"]["loss"] == pytest.approx(other["scores"]["loss"], abs=1e-5)


def test_parts_cover_the_batch_and_differ_by_one_image_at_most(monkeypatch):
    monkeypatch.setattr(distribution, "_size", 3)
    parts = []
    for rank in range(3):
        monkeypatch.setattr(distribution, "_rank", rank)
        parts.append(distribution.part(8))
    assert [(part.start, part.stop) for part in parts] == [(0, 2), (2, 5), (5, 8)]
    assert [part.share for part in parts] == [2 / 8, 3 / 8, 3 / 8]
    assert list(range(8)[parts[1].rows]) == [2, 3, 4]


def test_batch_of_fewer_images_than_processes_is_told(monkeypatch):
    monkeypatch.setattr(distribution, "_size", 3)
    with pytest.raises(InputError, match="3 processes cannot share 2 images.* Start at most 2 processes"):
        distribution.part(2)


def test_alone_a_part_is_the_whole():
    assert distribution.part(5) == distribution.Part(0, 5, 5)
    distribution.start_step(5)
    assert distribution.running is None
    assert distribution.whole(5) == 5 and distribution.rows() == slice(None)
    gradients = [object()]
    assert distribution.average(gradients) is gradients
    assert distribution.of_first("x") == "x" and distribution.rank() == 0 and distribution.replicas() == 1
    distribution.agree({"data": "x"})


def test_random_layers_draw_for_the_whole_batch(monkeypatch):
    if BACKEND != "torch":
        pytest.skip("only torch's processes have parts")
    from fer_keras.backend import layers
    from fer_keras.models import augmentation

    images = keras.random.uniform((8, 12, 12, 1), seed=0)
    for make in (
        lambda: augmentation.RandomFlip("horizontal", seed=3),
        lambda: augmentation.RandomErasing(0.7, (0.1, 0.3), fill_value=0.0, seed=3),
        lambda: augmentation.RandomAffine(seed=3),
        lambda: layers.Dropout(0.4, seed=3),
    ):
        whole = keras.ops.convert_to_numpy(make()(images, training=True))
        for part in (distribution.Part(0, 3, 8), distribution.Part(3, 8, 8)):
            with monkeypatch.context() as patch:
                patch.setattr(distribution, "running", part)
                own = keras.ops.convert_to_numpy(make()(images[part.rows], training=True))
            np.testing.assert_allclose(own, whole[part.rows], atol=1e-6)
        assert (whole != keras.ops.convert_to_numpy(images)).any()


def test_torchrun_on_another_backend_is_told(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(InputError, match="Set KERAS_BACKEND=torch"), distribution.joined():
        pass


@pytest.mark.slow
@torch_only
def test_two_processes_train_as_one(tmp_path, words, alone):
    code, printed, errors = call(*PAIR, *words, "--output", tmp_path / "two")
    assert code == 0, errors
    assert printed.count("record: ") == 1 and errors.count("epoch 3/3") == 1
    assert_same_training(tmp_path / "two", alone)
    replicas = [records.read(only_run(output))["environment"]["replicas"] for output in (alone, tmp_path / "two")]
    assert replicas == [1, 2]


@pytest.mark.slow
@torch_only
def test_killed_process_ends_the_job_and_any_number_of_processes_goes_on(tmp_path, words, alone):
    output = tmp_path / "runs"
    fault = {"FAULT": "os.kill(os.getpid(), signal.SIGKILL)"}
    code, _, errors = call(*PAIR, *words, "--output", output, **fault)
    assert code == 1
    assert "Signal 9 (SIGKILL) received by PID" in errors.partition("Root Cause")[2]
    assert not records.is_complete(only_run(output)) and len(records.read(only_run(output))["history"]) == 1
    code, _, errors = call(sys.executable, *words, "--output", output)
    assert code == 0, errors
    assert "continues after epoch 1 with other replicas (2 -> 1)." in errors
    record = records.read(only_run(output))
    assert record["environment"]["replicas"] == 2
    assert [(row["epochs"], row["environment"]["replicas"]) for row in record["continued"]] == [(1, 1)]
    assert_same_training(output, alone)


@pytest.mark.slow
@torch_only
@pytest.mark.parametrize(
    "fault, reason",
    [
        ("raise MemoryError('the reason')", "  MemoryError: the reason\n"),
        ("time.sleep(600)", "Error: Process 0 of 2 lost the others: Timed out waiting 5000ms for recv operation"),
    ],
)
def test_failing_or_silent_process_ends_the_job_with_its_reason(tmp_path, words, fault, reason):
    code, _, errors = call(*PAIR, *words, "--output", tmp_path / "runs", FAULT=fault, WAIT="5")
    assert code == 1
    assert reason in errors
    assert len(records.read(only_run(tmp_path / "runs"))["history"]) == 1


@pytest.mark.slow
@torch_only
def test_processes_with_other_settings_or_too_few_images_are_told(tmp_path, words):
    program = tmp_path / "other.py"
    program.write_text("import os\n" + PROGRAM.replace("seed=5", "seed=int(os.environ.get('RANK', 5))"))
    code, _, errors = call(*PAIR, program, *words[1:], "--output", tmp_path / "runs")
    assert code == 1
    assert "Error: Process 1 has another experiment than process 0" in errors
    code, _, errors = call(*PAIR, *words, "batch_size=50", "--output", tmp_path / "runs")
    assert code == 1
    assert "Error: 2 processes cannot share 1 images" in errors
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
@torch_only
def test_two_hosts_train_as_one(tmp_path, words, alone):
    """Each with an address, a folder for its records and a cache of its own."""
    with two_hosts() as hosts:
        jobs = []
        for number, host in enumerate(hosts):
            where = ["--nnodes", "2", "--node-rank", number, "--nproc-per-node", "1"]
            master = ["--master-addr", ADDRESSES[0], "--master-port", "29400"]
            own = {"GLOO_SOCKET_IFNAME": INTERFACE, "XDG_CACHE_HOME": str(tmp_path / f"cache{number}")}
            output = ["--output", tmp_path / f"host{number}"]
            jobs.append(start(*host, *TORCHRUN, *where, *master, *words, *output, **own))
        for code, _, errors in map(end, jobs):
            assert code == 0, errors
    assert not (tmp_path / "host1").exists()
    assert_same_training(tmp_path / "host0", alone)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="no jax: pip install 'fer-keras[jax]'")
def test_two_devices_of_jax_train_as_one(tmp_path, words):
    """None of the batches of 5 and 23 divides by two."""
    words = [*words, "augmentation=['flip']", "mixup=0.0", "cutmix=0.0"]  # less for XLA to compile
    two = {"KERAS_BACKEND": "jax", "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    code, _, errors = call(sys.executable, *words, "--output", tmp_path / "two", **two)
    assert code == 0, errors
    code, _, errors = call(sys.executable, *words, "--output", tmp_path / "one", KERAS_BACKEND="jax", XLA_FLAGS="")
    assert code == 0, errors
    assert_same_training(tmp_path / "two", tmp_path / "one")
    assert json.loads((only_run(tmp_path / "two") / "run.json").read_text())["environment"]["replicas"] == 2

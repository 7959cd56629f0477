"""Kill trainings at random moments, fill their disk, start two at once; nothing may be lost and no file torn.

    python tests/stress.py kills --count 100
    python tests/stress.py disk --count 20
    python tests/stress.py pairs --count 20

Each ends with the figures of docs/reliability.md, and with code 1 if anything differed from the uninterrupted run.
The training is small, but everything in it that draws random numbers or keeps a state is there. Processes are
forked after the imports, so that the kills meet the training and not Python's start; for the same reason the
overfit check is cut short and no pictures are drawn.
"""

import argparse
import collections
import contextlib
import io
import os
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile

os.environ.setdefault("OMP_NUM_THREADS", "1")

import h5py
import numpy as np
from helpers import data_forms

from fer_keras.cli import cli
from fer_keras.runs import pipeline, records
from fer_keras.training import fitting

EXPERIMENT = """
from fer_keras import Experiment

experiment = Experiment(
    name="stress",
    model="cnn",
    model_options={
        "filters": (3,), "units": (6,), "convolution_normalization": "batch", "convolution_dropout": 0.1,
        "normalization": "batch", "dropout": 0.3, "l2": 1e-3,
    },
    normalization=True,
    augmentation=("flip",),
    optimizer="adamw",
    learning_rate=0.01,
    schedule="one_cycle",
    batch_size=8,
    epochs=8,
    seed=5,
)
"""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
# Finished; refused or a full disk; Ctrl-C; SIGTERM; and the same before the command's own handlers are set.
CODES = {0, 1, 2, 130, 143, -signal.SIGINT, -signal.SIGTERM, -signal.SIGKILL}


class Bench:
    """A folder with data and experiment, and the uninterrupted run that all others are compared with."""

    def __init__(self, home):
        self.home = pathlib.Path(home)
        self.data = data_forms.write_csv(self.home / "faces.csv", data_forms.tiny((42, 9, 9)))
        self.file = self.home / "stress.py"
        self.file.write_text(EXPERIMENT)
        self.log = self.home / "log.txt"
        fitting.OVERFIT_EPOCHS = 5
        pipeline.plots.draw = lambda record, folder: {}
        begin = time.monotonic()
        self.expect(self.wait(self.start(self.home / "whole")), {0})
        self.seconds = time.monotonic() - begin
        (folder,) = self.folders(self.home / "whole")
        self.whole = content(folder)

    def start(self, output, prepare=lambda: None):
        """Return the process id of `fer-keras run` with its record below `output`."""
        process = os.fork()
        if process:
            return process
        code = 70
        try:
            prepare()
            with open(self.log, "w") as log:
                os.dup2(log.fileno(), 1)
                os.dup2(log.fileno(), 2)
            words = [
                self.file,
                "--data",
                self.data,
                "--output",
                output,
                "--wandb",
                "disabled",
                "--precision",
                "float32",
            ]
            cli(["run", *map(str, words)])
        except SystemExit as end:
            code = end.code
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def wait(self, process):
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])

    def expect(self, code, codes=CODES):
        text = self.log.read_text()
        if code not in codes or code == 1 and "Abort" not in text and "KeyboardInterrupt" not in text:
            raise SystemExit(f"a run ended with {code}:\n{text}")

    def folders(self, output):
        return sorted(path.parent for path in output.glob("stress/*/run.json"))

    def differences(self, folder):
        """Return what in the finished run of `folder` is not what the uninterrupted run has, to the last bit."""
        found = content(folder)
        return [name for name in self.whole if found.get(name) != self.whole[name]]


def content(folder):
    """Return `{what: value}` of a finished run, without its times; floats and weights by all their bits."""

    def keep(name, item):
        if isinstance(item, h5py.Dataset):
            weights[name] = item[()].tobytes()

    record, weights = records.read(folder), {}
    history = [{key: value for key, value in row.items() if key != "epoch_time"} for row in record["history"]]
    with zipfile.ZipFile(folder / "model.keras") as archive:
        with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
            file.visititems(keep)
    rates = [row["learning_rate"] for row in history]
    histograms = records.rows(folder / records.HISTOGRAMS)
    return {
        **{"history": repr(history), "learning rates": repr(rates), "histograms": repr(histograms)},
        **{"overfit check": repr(record["overfit"]), "scores": repr(record["scores"]), "weights": weights},
    }


def check(output):
    """Read every file below `output` to its end; return the number of temporary files left."""
    left = 0
    for path in output.rglob("*"):
        if path.name.startswith(".") and path.name != ".lock":
            left += 1
        elif path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                _ = [arrays[name] for name in arrays]
        elif path.suffix == ".keras":
            with zipfile.ZipFile(path) as archive:
                assert archive.testzip() is None, path
        elif path.name == "run.json":
            records.read(path.parent)
            records.rows(path.parent / records.HISTOGRAMS)
    return left


def kills(bench, count, chance):
    """Send `count` random signals at random moments; runs that end meanwhile are compared and begun anew."""
    figures, output = collections.Counter(), bench.home / "runs"
    while figures["kills"] < count:
        process = bench.start(output)
        time.sleep(chance.uniform(0, bench.seconds))
        number = chance.choice(SIGNALS)
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
        else:
            os.kill(process, number)
            code = bench.wait(process)
            figures["kills"] += 1
            figures[number.name] += 1
        bench.expect(code)
        figures["signals lost in Python's clean-up"] += "Exception ignored" in bench.log.read_text()
        left = check(output)
        assert not left or figures["SIGKILL"], "only SIGKILL may leave temporary files, until the next run"
        if code == 0:
            finish(bench, output, figures)
    bench.expect(bench.wait(bench.start(output)), {0})
    finish(bench, output, figures)
    return figures


def finish(bench, output, figures):
    """Compare the finished run below `output` and move it away."""
    for folder in bench.folders(output):
        if records.is_complete(folder):
            figures["runs compared"] += 1
            figures["differences"] += len(bench.differences(folder))
            figures["files left over"] += check(folder)
            shutil.rmtree(folder)


def disk(bench, count, chance):
    """Run with little room left on the disk until it was full `count` times, then with enough."""
    figures, output = collections.Counter(), bench.home / "disk"
    output.mkdir()
    with small_disk(output) as (limit, kind):
        figures["kind"] = kind
        while figures["full"] < count:
            code = bench.wait(bench.start(output, prepare=limit(chance.randrange(0, 150_000))))
            bench.expect(code, {0, 2})
            figures["full"] += code == 2
            figures["files left over"] += check(output)
            if code == 0:
                finish(bench, output, figures)
        bench.expect(bench.wait(bench.start(output, prepare=limit(1 << 26))), {0})
        finish(bench, output, figures)
    return figures


@contextlib.contextmanager
def small_disk(folder):
    """Yield what leaves a number of bytes free and returns what a process has to do at its start, and its name.

    That is a file system of its own where this user may mount one, else a limit on the size of each file.
    """
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder], capture_output=True)
    if mount.returncode:
        yield (
            lambda room: lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
            "limit on the size of files",
        )
        return

    def limit(room):
        usage = shutil.disk_usage(folder).used
        subprocess.run(["mount", "-o", f"remount,size={usage + room}", folder], check=True)
        return lambda: None

    try:
        yield limit, "small file system"
    finally:
        subprocess.run(["umount", folder], check=True)


def pairs(bench, count, chance):
    """Start a second process on the directory of a first one that is halted at a random moment, `count` times."""
    figures, output = collections.Counter(), bench.home / "pairs"
    for _ in range(count):
        first = bench.start(output)
        while not list(output.glob("stress/*/.lock")):
            time.sleep(0.01)
        time.sleep(chance.uniform(0, bench.seconds * 0.2))
        os.kill(first, signal.SIGSTOP)
        code = bench.wait(bench.start(output))
        os.kill(first, signal.SIGCONT)
        bench.expect(code, {0, 2})
        bench.expect(bench.wait(first), {0})
        figures["pairs"] += 1
        figures["refused"] += code == 2
        finish(bench, output, figures)
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["kills", "disk", "pairs"])
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        bench = Bench(home)
        figures = globals()[options.what](bench, options.count, random.Random(options.seed))
    print(f"{options.what}: " + ", ".join(f"{name} {value}" for name, value in figures.items()))
    print(f"{time.monotonic() - begin:.0f} s")
    sys.exit(figures["differences"] + figures["files left over"] > 0)


if __name__ == "__main__":
    main()

"""Kill commands at their writes and at random moments; the next start works, and no process survives.

    python tests/stress_commands.py release report export study sweep
    python tests/stress_commands.py sweep --count 5 --seed 1

On Linux. Each command is first run without a kill, which counts its seconds and its writes below its folder: files
opened for writing, flushed, renamed or removed, folders made. Then, `--count` times each, SIGKILL comes just
before one of the writes, spread evenly over them, and at a random moment. After each kill

- no process of the command may be left,
- what other commands read must be whole, of before or of after,
- the command must run again to its end, with the result of the run without a kill.

Ends with the figures of docs/reliability.md, and with code 1 if any of that failed. Processes are forked after the
imports, so that the kills meet the command and not Python's start. `study` starts a real training as a process of
its own, `sweep` stand-ins that write a record and take 0.3 s. `python tests/stress.py kills` kills trainings.
"""

import argparse
import collections
import contextlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["KERAS_BACKEND"] = "torch"

import numpy as np
from helpers import data_forms, networks, report_results
from helpers.sweeps import FAKE

from fer_keras.cli import cli
from fer_keras.core import jobs
from fer_keras.inference import export
from fer_keras.inference.engines import OnnxEngine
from fer_keras.model_files.pretrained import card, onnx_path, pretrained
from fer_keras.runs import records
from fer_keras.study import results
from fer_keras.sweep import search

ROOT = pathlib.Path(__file__).resolve().parents[1]
MARK = "FER_KERAS_STRESS"  # set for all processes of a command
END_SECONDS = 5  # from a kill to the end of the processes that the command started
WRITES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.symlink", "os.truncate")
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 48, 48, 1), dtype=np.uint8)
EXPERIMENT = """
from fer_keras import Experiment

experiment = Experiment(name="{name}", model="nn", model_options={{"units": (4,)}}, batch_size=16, epochs=2)
"""
SWEEP = """
program: one.py
name: search
method: grid
metric: {name: val_acc, goal: maximize}
parameters: {learning_rate: {values: [0.1, 0.2, 0.3]}, epochs: {value: 3}}
"""


class Command:
    """What is killed: `words` of the command line, in a folder that `prepare` fills.

    `state` returns `{what: value}` of what other commands read, and raises where it cannot be read. After a kill,
    each value must be that of before or of after the command; after the second start, those of after.
    """

    words: list[str]

    def prepare(self):
        pass

    def run(self):
        invoke(self.words)

    def state(self):
        raise NotImplementedError


class Release(Command):
    """Replaces a released network."""

    def prepare(self):
        data_forms.write_csv(pathlib.Path("faces.csv"), data_forms.tiny((70, 14, 14)))
        pathlib.Path("one.py").write_text(EXPERIMENT.format(name="one"))
        for seed in (0, 1):
            invoke(["run", "one.py", "--data", "faces.csv", "--wandb", "disabled", f"seed={seed}"])
        old, new = sorted(pathlib.Path("runs/one").iterdir(), key=lambda f: records.read(f)["experiment"]["seed"])
        invoke(["release", str(old), "small", "--data", "faces.csv", "--output", "weights"])
        new.rename("new")

    words = ["release", "new", "small", "--data", "faces.csv", "--output", "weights"]

    def state(self):
        about, model = card("small", folder="weights"), pretrained("small", folder="weights")
        answers = OnnxEngine(onnx_path("small", folder="weights"), trusted=True)(IMAGES)
        assert np.abs(answers - np.asarray(model(IMAGES).detach())).max() < 0.01  # both files are of one network
        return {"network": about["sha256"]}


class Report(Command):
    """Renews the report and the figures in README, docs and experiments."""

    words = ["report", "--update"]

    def prepare(self):
        for name in ("README.md", "docs/leaderboard.md", "docs/study.md"):
            pathlib.Path(name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, name)
        pathlib.Path("experiments").mkdir()
        for stem in report_results.found():
            shutil.copy(ROOT / "experiments" / f"{stem}.py", "experiments")
        report_results.write_results(pathlib.Path("experiments/results"))

    def state(self):
        invoke(["list"])  # executes all experiment files
        results.read("experiments/results")
        texts = [
            path for pattern in ("report.*", "README.md", "docs/*", "experiments/*.py") for path in here(pattern)
        ]
        return {str(path): path.read_text() for path in texts}


class Export(Command):
    """Replaces an ONNX file."""

    words = ["export", "model.keras"]

    def prepare(self):
        model = networks.drawn("model.keras")
        model.layers[-1].set_weights([-weights for weights in model.layers[-1].get_weights()])
        export.export(model, "model.onnx", "onnx")

    def state(self):
        return {"answers": OnnxEngine("model.onnx", trusted=True)(IMAGES).round(4).tolist()}


class Study(Command):
    """Trains one run."""

    words = ["study", "one", "--seeds", "1", "--data", "faces.csv"]

    def prepare(self):
        data_forms.write_csv(pathlib.Path("faces.csv"), data_forms.tiny((70, 14, 14)))
        pathlib.Path("experiments").mkdir()
        pathlib.Path("experiments/one.py").write_text(EXPERIMENT.format(name="one"))

    def state(self):
        found = results.read("experiments/results")
        return {stem: [[r["history"], r["scores"]] for r in group] for stem, group in found.items()}


class Sweep(Command):
    """Tries three settings, two at a time."""

    words = ["sweep", "search.yaml", "--workers", "2", "--data", "faces.csv"]

    def prepare(self):
        data_forms.write_csv(pathlib.Path("faces.csv"), data_forms.tiny((70, 14, 14)))
        pathlib.Path("one.py").write_text(EXPERIMENT.format(name="one"))
        pathlib.Path("search.yaml").write_text(SWEEP)
        pathlib.Path("fake.py").write_text(FAKE)

    def run(self):
        search.COMMAND = [sys.executable, "fake.py"]
        jobs.POLL_SECONDS = 0.05
        os.environ["FAKE_SECONDS"] = "0.1"
        super().run()

    def state(self):
        path = pathlib.Path("sweeps/search/sweep.json")
        if not path.is_file():
            return {}
        trials = json.loads(path.read_text())["trials"]
        done = {json.dumps(row["settings"]): row["value"] for row in trials if row["state"] == "complete"}
        return done | {"trials": len(trials)}


COMMANDS = {"release": Release, "report": Report, "export": Export, "study": Study, "sweep": Sweep}


def here(pattern):
    return sorted(path for path in pathlib.Path().glob(pattern) if not path.name.startswith("."))


def invoke(words):
    """Run a command within this process."""
    try:
        cli(words)
    except SystemExit as end:
        if end.code:
            raise RuntimeError(f"{words} ended with {end.code}") from end


class Writes:
    """Counts the writes of this process below its folder and sends SIGKILL before number `deadly`, from 0."""

    def __init__(self, deadly=None):
        self.deadly, self.count, self.folder = deadly, 0, os.getcwd()
        self.flush, os.fsync = os.fsync, self.fsync
        sys.addaudithook(self.hook)

    def hook(self, event, arguments):
        if event == "open":
            writes = isinstance(arguments[0], str | bytes | os.PathLike) and arguments[2] & (
                os.O_WRONLY | os.O_RDWR
            )
        else:
            writes = event in WRITES
        if writes and os.path.abspath(os.fsdecode(arguments[0])).startswith(self.folder):
            self.write()

    def fsync(self, file):
        self.write()
        self.flush(file)

    def write(self):
        if self.count == self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        self.count += 1


class Bench:
    """A folder with what the command starts from, and the states before and after it."""

    def __init__(self, home, command):
        self.home, self.command = pathlib.Path(home), command
        self.start, self.place, self.log = self.home / "start", self.home / "place", self.home / "log.txt"
        self.place.mkdir()
        self.do(command.prepare)
        shutil.copytree(self.place, self.start, symlinks=True)
        self.before = self.state()
        begin = time.monotonic()
        self.writes = self.do(lambda: self.counted(Writes()))
        self.seconds = time.monotonic() - begin
        self.after = self.state()

    def counted(self, writes):
        self.command.run()
        return writes.count

    def fork(self, function):
        """Start `function` in a process in `place` and return its id; what it returns is for `result`."""
        process = os.fork()
        if process:
            return process
        try:
            os.setsid()
            os.chdir(self.place)
            os.environ |= {MARK: str(self.home), "TMPDIR": str(self.home)}
            tempfile.tempdir = str(self.home)
            with open(self.log, "w") as log:
                os.dup2(log.fileno(), 1)
                os.dup2(log.fileno(), 2)
            (self.home / "value.json").write_text(json.dumps(function()))
            code = 0
        except BaseException:
            traceback.print_exc()
            code = 70
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def do(self, function):
        """Return what `function` returns in a process of its own."""
        code = os.waitstatus_to_exitcode(os.waitpid(self.fork(function), 0)[1])
        if code:
            raise RuntimeError(f"{self.command.words[0]}: ended with {code}\n{self.log.read_text()}")
        return json.loads((self.home / "value.json").read_text())

    def state(self):
        return self.do(self.command.state)

    def killed(self, write=None, seconds=None):
        """Start the command anew, to be killed before a write or after a time; return whether it was."""
        shutil.rmtree(self.place)
        shutil.copytree(self.start, self.place, symlinks=True)
        process = self.fork(lambda: self.counted(Writes(write)))
        if seconds is not None:
            time.sleep(seconds)
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL

    def faults(self):
        """Return what is wrong after a kill and after the start that follows it."""
        found = [f"a process is left: {name}" for name in survivors(str(self.home))]
        try:
            state = self.state()
            found += [f"torn: {key}" for key in state if state[key] not in (self.before.get(key), self.after[key])]
            self.do(lambda: self.counted(Writes()))
            state = self.state()
            found += [f"differs: {key}" for key in self.after | state if state.get(key) != self.after.get(key)]
        except (RuntimeError, KeyError) as error:
            found.append(str(error))
        return found

    def left(self):
        """Return the temporary files that are left."""
        return [path for path in self.place.rglob(".*") if re.fullmatch(r"\..*-[0-9a-f]{8}(\.\w+)?", path.name)]


def survivors(mark):
    """Return the commands of the processes of a killed command that still run after `END_SECONDS`."""
    end = time.monotonic() + END_SECONDS
    while (names := running_processes(mark)) and time.monotonic() < end:
        time.sleep(0.1)
    return names


def running_processes(mark):
    names = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or is another user's
            if f"{MARK}={mark}".encode() in (process / "environ").read_bytes():
                names.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return names


def series(bench, count, chance):
    """Kill `count` times at a write and `count` times at a random moment; return the figures."""
    figures = collections.Counter({"writes": bench.writes})
    spread = [round(number * (bench.writes - 1) / max(count - 1, 1)) for number in range(count)]
    kills = [("at a write", {"write": number}) for number in spread]
    kills += [("at a moment", {"seconds": chance.uniform(0, bench.seconds)}) for _ in range(count)]
    for kind, options in kills:
        while not bench.killed(**options):  # it had ended before that moment
            options["seconds"] = chance.uniform(0, bench.seconds)
        figures[f"killed {kind}"] += 1
        found = bench.faults()
        figures["faults"] += len(found)
        figures["temporary files left"] += len(bench.left())
        for fault in found:
            print(f"{bench.command.words[0]}, {options}: {fault}", flush=True)
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commands", nargs="+", choices=COMMANDS)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    faults = 0
    for name in options.commands:
        begin = time.monotonic()
        with tempfile.TemporaryDirectory() as home:
            figures = series(Bench(home, COMMANDS[name]()), options.count, random.Random(options.seed))
        figures["seconds"] = round(time.monotonic() - begin)
        print(f"{name}: " + ", ".join(f"{key} {value}" for key, value in figures.items()), flush=True)
        faults += figures["faults"]
    sys.exit(faults > 0)


if __name__ == "__main__":
    main()

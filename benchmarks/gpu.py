"""All that one lease of a GPU can show, by one command and within its time.

    python benchmarks/gpu.py --data fer2013.csv --output runs/gpu
    python benchmarks/gpu.py --dry-run --output gpu_results       on a processor, in toy sizes

Phases, each with a deadline: the data are read; the captured step is compared with `Model.fit` over 20 steps;
images a second are measured beside hand-written PyTorch; `experiments/resnet_wide.py` is trained seed by seed;
`experiments/resnet_wide_matched.py` learns from these networks, if enough time is left. If the captured step
computes something else, training goes on without it for as many epochs as fit.

results.json and standard output hold what is known at any time; seed_N.npz and student.npz are weights in half
precision, history_*.jsonl the epochs. The exit status is 1 if a phase failed or met its deadline. Needs neither
wandb nor filelock.
"""

# ruff: noqa: E402, I001
import argparse
import contextlib
import dataclasses
import json
import pathlib
import signal
import statistics
import sys
import tempfile
import time
import traceback

START = time.monotonic()

import fer_keras  # noqa: F401  chooses the backend, before Keras is imported
import keras
import numpy as np
import torch

from fer_keras import data
from fer_keras.backend import device, machine, step
from fer_keras.core.choices import TTA
from fer_keras.core.files import write_json
from fer_keras.data.faces import make_faces
from fer_keras.experiment import load
from fer_keras.inference.prediction import probabilities
from fer_keras.model_files import saving
from fer_keras.training import checkpoints, fitting
from fer_keras.training.dataset import Batches

EXPERIMENTS = pathlib.Path(__file__).parents[1] / "experiments"
# Fraction of the time at which each phase ends at the latest; what one leaves goes to the next.
ENDS = {"data": 0.15, "check": 0.25, "speed": 0.37, "seeds": 0.63, "student": 0.97}
STUDENT_NEEDS = 0.37  # fraction of the time: 200 s of 540 s
SCORING = 0.03  # fraction of the time that predictions and files of a network take
STUDENT_STEP = 3.0  # times as long as without teachers, at most
SEEDS = 4
STEPS = 20
TOLERANCE = 1e-3  # relative distance of weights in float32
TOY = {"stem_filters": (4,), "filters": (4, 8, 8), "blocks": (1, 1, 1)}


class OutOfTime(Exception):
    """A phase met its deadline."""


class Lease:
    """Options, data and findings that the phases share.

    Attributes:
        parts: {"train": Faces, "validation": Faces, "test": Faces}.
        capture: whether steps are replayed as a CUDA graph: not before the check has passed.
        epoch_seconds: of resnet_wide.
        networks: files of the networks trained so far.
    """

    def __init__(self, options, scratch):
        self.toy, self.limit, self.source = options.dry_run, options.limit, options.data
        self.folder, self.scratch = options.output, scratch
        self.parts, self.capture, self.epoch_seconds, self.networks = None, False, None, []
        self.results = {"environment": machine.environment(), "phases": {}}

    def experiment(self, name, **changes):
        experiment = load(EXPERIMENTS / f"{name}.py")
        toy = {"model_options": {**experiment.model_options, **TOY}, "batch_size": 16, "epochs": 2}
        return dataclasses.replace(experiment, **(toy if self.toy else {}) | changes)

    def left(self, phase):
        """Return the seconds until the deadline of `phase`."""
        return ENDS[phase] * self.limit - (time.monotonic() - START)

    def note(self, key, value):
        """Write a finding to results.json and to standard output."""
        self.results[key] = value
        write_json(self.folder / "results.json", self.results)
        print(f"[{time.monotonic() - START:6.1f}] {key} {json.dumps(value)}", flush=True)


def read_data(lease):
    if lease.toy:
        rng = np.random.default_rng(0)
        faces = make_faces(
            rng.integers(0, 256, (118, 2304)), np.arange(118) % 7, np.repeat([0, 1], (104, 14)), "random"
        )
    else:
        faces = data.load(lease.source, progress=False)
    lease.parts = data.split(faces, 0)
    lease.note("images", {name: len(part) for name, part in lease.parts.items()})


def check(lease):
    """Compare the weights after 20 steps in float32; without random changes also those of `Model.fit`."""
    tf32, torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.allow_tf32, False
    torch.backends.cudnn.deterministic = True
    fixed = {"augmentation": ()}, {"dropout": 0.0}
    still = {"fit": _distance(lease, ("fit", "run"), *fixed), "graph": _distance(lease, ("fit", "graph"), *fixed)}
    moving = {"again": _distance(lease, ("run", "run")), "graph": _distance(lease, ("run", "graph"))}
    torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic = tf32, False
    equal = still["graph"] < TOLERANCE and moving["graph"] < max(TOLERANCE, 3 * moving["again"])
    lease.capture = equal and step.obstacle() is None
    lease.note("check", {"fixed": still, "random": moving, "equal": equal, "capture": lease.capture})


def _distance(lease, kinds, settings=None, options=None):
    first, second = (_weights(lease, kind, settings or {}, options or {}) for kind in kinds)
    return float(np.linalg.norm(first - second) / np.linalg.norm(first))


def _weights(lease, kind, settings, options):
    """Return all weights after the steps, by `Model.fit`, by the step as a function (`run`) or by its graph."""
    experiment = lease.experiment("resnet_wide", **settings, mixup=0.2)
    experiment = dataclasses.replace(experiment, model_options=experiment.model_options | options)
    faces = lease.parts["train"]
    model, batches = _model(
        experiment, faces.take(np.arange(len(faces))[: STEPS * experiment.batch_size]), "float32"
    )
    if kind == "fit":
        model.fit(batches, shuffle=False, verbose=0)
    else:
        _run(_step(model, batches, kind == "graph" and step.obstacle() is None), batches)
    return np.concatenate([keras.ops.convert_to_numpy(v).ravel() for v in model.trainable_variables])


def _model(experiment, faces, precision=None):
    with device.training_in(precision):
        model = fitting.build(experiment, faces)
    checkpoints.built_optimizer(model)
    return model, Batches(faces, experiment)


def _step(model, batches, capture):
    function = step.Step(model, batches.images, batches.targets, batches.experiment.batch_size)
    return step.GraphedStep(function) if capture else function


def _run(function, batches):
    """Train one epoch."""
    torch.manual_seed(0)
    function.start(batches.plan())
    for index in range(len(batches)):
        function(batches.size(index))


def speed(lease):
    """Measure the seconds of an epoch, and images a second of hand-written PyTorch and of ours."""
    from reference_torch import Trainer
    from train_speed import OPTIONS, Ours

    measure_epoch(lease)
    rows, precision = [], device.fast_precision()
    sizes = ((8, 2, 2),) if lease.toy else ((128, STEPS, 5), (512, STEPS, 5))
    for name in OPTIONS:
        for batch, steps, rounds in sizes:
            rng = np.random.default_rng(0)
            images, labels = rng.integers(0, 256, (batch * steps, 2304)), rng.integers(0, 7, batch * steps)
            faces = make_faces(images, labels, np.zeros(len(labels), int), "random")
            experiment = Ours.experiment(name, batch)
            model, batches = _model(experiment, faces, precision)
            ours, by_hand = _step(model, batches, lease.capture), Trainer(name, OPTIONS[name], precision)
            pairs = [batches[index] for index in range(steps)]
            pairs = [(np.asarray(keras.ops.convert_to_numpy(x)), y) for x, y in pairs]
            seconds = [(_seconds(by_hand.train, pairs), _seconds(_run, ours, batches)) for _ in range(rounds)]
            theirs, mine = (statistics.median(column) for column in zip(*seconds[1:], strict=True))
            speeds = {"hand-written": round(len(faces) / theirs), "ours": round(len(faces) / mine)}
            rows.append({"model": name, "batch": batch, **speeds, "ratio": round(theirs / mine, 3)})
            lease.note("speed", rows)


def measure_epoch(lease):
    """Take the time of an epoch of resnet_wide, after one in which the step is captured."""
    model, batches = _model(lease.experiment("resnet_wide"), lease.parts["train"])
    function = _step(model, batches, lease.capture)
    lease.epoch_seconds = [_seconds(_run, function, batches) for _ in range(2)][-1]
    lease.note("epoch_seconds", round(lease.epoch_seconds, 3))


def _seconds(call, *arguments):
    start = time.perf_counter()
    call(*arguments)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def seeds(lease):
    """Train resnet_wide seed by seed, each written when it is done."""
    if lease.epoch_seconds is None:
        measure_epoch(lease)
    for seed in range(SEEDS):
        experiment = lease.experiment("resnet_wide", seed=seed)
        epochs = _epochs(lease, "seeds", experiment.epochs, 1.0)
        if epochs < experiment.epochs and lease.networks:
            break
        _train(lease, f"seed_{seed}", dataclasses.replace(experiment, epochs=epochs))


def student(lease):
    """Train one network on what those of the seeds say of its own images, if enough time is left."""
    if not lease.networks or lease.left("student") < STUDENT_NEEDS * lease.limit:
        lease.note("student", {"left out": f"{len(lease.networks)} teachers, {lease.left('student'):.0f} s left"})
        return
    experiment = lease.experiment("resnet_wide_matched", teachers=tuple(map(str, lease.networks)))
    epochs = _epochs(lease, "student", 2 * experiment.epochs, STUDENT_STEP)
    _train(lease, "student", dataclasses.replace(experiment, epochs=epochs))


def _epochs(lease, phase, wanted, cost):
    """Return how many of the `wanted` epochs fit into the phase; one takes `cost` times that of resnet_wide."""
    fitting_in = int((lease.left(phase) - SCORING * lease.limit) / (cost * lease.epoch_seconds))
    return max(1, min(wanted, fitting_in))


def _train(lease, name, experiment):
    start = time.perf_counter()
    with device.training_in():
        model = fitting.build(experiment, lease.parts["train"])
        with open(lease.folder / f"history_{name}.jsonl", "w", encoding="utf-8") as history:
            fitting.fit(
                model,
                experiment,
                Batches(lease.parts["train"], experiment),
                None,
                on_epoch=lambda row: print(json.dumps(row), file=history, flush=True),
                capture=lease.capture,
            )
    network = saving.publish(model)
    weights = {f"{i}:{v.path}": keras.ops.convert_to_numpy(v) for i, v in enumerate(network.variables)}
    halves = {key: v.astype("float16") if v.dtype == "float32" else v for key, v in weights.items()}
    np.savez_compressed(lease.folder / f"{name}.npz", **halves)
    lease.networks.append(lease.scratch / f"{name}.keras")
    saving.save(network, lease.networks[-1])
    seconds = round(time.perf_counter() - start, 1)
    found = {"epochs": experiment.epochs, "seconds": seconds, "accuracy": {}}
    for part in ("validation", "test"):
        faces = lease.parts[part]
        for tta in TTA:
            right = probabilities(network, faces.images, tta=tta).argmax(1) == faces.labels
            found["accuracy"][f"{part}, {tta}"] = round(float(right.mean()), 4)
    lease.note(name, found)


PHASES = {"data": read_data, "check": check, "speed": speed, "seeds": seeds, "student": student}


@contextlib.contextmanager
def deadline(seconds):
    """Raise `OutOfTime` in the block after so many seconds."""

    def raise_(*_):
        raise OutOfTime(f"no time was left after {time.monotonic() - START:.0f} s")

    signal.signal(signal.SIGALRM, raise_)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="FER-2013 in any format")
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--limit", type=float, default=540.0, help="seconds for everything [default: 540]")
    parser.add_argument("--dry-run", action="store_true", help="toy sizes on random images")
    parser.add_argument("--stall", choices=list(PHASES), help="let this phase hang, to try its deadline")
    options = parser.parse_args()
    if not (options.data or options.dry_run):
        parser.error("--data or --dry-run is needed")
    torch.backends.cudnn.benchmark = True
    options.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        lease = Lease(options, pathlib.Path(scratch))
        for name, phase in PHASES.items():
            outcome = "done"
            try:
                with deadline(lease.left(name)):
                    if options.stall == name:
                        time.sleep(options.limit)
                    phase(lease)
            except Exception as error:  # the phases after it may still succeed
                outcome = f"{type(error).__name__}: {error}"
                traceback.print_exc()
            lease.results["phases"][name] = outcome
            lease.note("phases", lease.results["phases"])
    sys.exit(any(outcome != "done" for outcome in lease.results["phases"].values()))


if __name__ == "__main__":
    main()

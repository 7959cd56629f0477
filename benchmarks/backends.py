"""Training and prediction on each installed backend, in turn, as a Markdown table.

    python benchmarks/backends.py                         (for all three: pip install 'fer-keras[jax,tensorflow]')
    python benchmarks/backends.py --cores 1 --rounds 3

Each backend is a process of its own on the same processor cores (on a GPU, all share it) that waits for its turn.
A turn is a few steps of `Model.fit` with all that a run does in a step, or a few batches of `probabilities`, on
random images. Printed are medians over the rounds; the first turn, in which JAX and TensorFlow compile, stands for
itself. Precision is what a run takes by default. Only an otherwise idle machine gives figures worth keeping.
"""

# ruff: noqa: I001
import json
import os
import statistics
import subprocess
import sys
import time

import click

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
BATCH, STEPS = 128, 8
MODELS = {
    "nn": {"units": (1024, 1024, 1024)},
    "cnn": {  # that of experiments/cnn_best.py
        "repeats": 2,
        "units": (256, 128),
        "convolution_normalization": "batch",
        "convolution_dropout": 0.1,
        "normalization": "layer",
        "dropout": 0.2,
    },
    "resnet": {},
}


def work(cores):
    """Answer each line {"model", "job"} on standard input by the seconds it took."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    start = time.perf_counter()
    import fer_keras  # noqa: F401  before Keras
    import keras
    import numpy as np

    from fer_keras import Experiment
    from fer_keras.backend import device, machine
    from fer_keras.inference import prediction
    from fer_keras.model_files import saving
    from fer_keras.training import fitting
    from fer_keras.training.dataset import Batches
    from fer_keras.data.faces import make_faces

    random = np.random.default_rng(0)
    count = BATCH * STEPS
    images = random.integers(0, 256, (count, 2304))
    faces = make_faces(images, random.integers(0, 7, count), np.zeros(count), "random")
    trained, published = {}, {}
    for model, options in MODELS.items():
        experiment = Experiment(
            "speed", model=model, model_options=options, normalization=True, augmentation=("flip",)
        )
        with device.training_in():
            trained[model] = fitting.build(experiment, faces), experiment
            environment = machine.environment()
        published[model] = saving.publish(trained[model][0])
    print(json.dumps({"seconds": time.perf_counter() - start} | environment), flush=True)

    def train(model):
        compiled, experiment = trained[model]
        compiled.fit(Batches(faces, experiment), verbose=0, shuffle=False)
        keras.ops.convert_to_numpy(compiled.trainable_variables[0])  # waits for a device that works ahead

    jobs = {"train": train, "predict": lambda model: prediction.probabilities(published[model], faces.images)}
    for line in sys.stdin:
        task = json.loads(line)
        start = time.perf_counter()
        jobs[task["job"]](task["model"])
        print(json.dumps({"seconds": time.perf_counter() - start}), flush=True)


class Worker:
    """The process of one backend."""

    def __init__(self, name, cores):
        threads = {"OMP_NUM_THREADS": str(cores), "TF_NUM_INTRAOP_THREADS": str(cores)}
        command = [sys.executable, __file__, "--cores", str(cores), "--work"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        environment = os.environ | threads | {"KERAS_BACKEND": name, "TF_CPP_MIN_LOG_LEVEL": "3"}
        self.process = subprocess.Popen(command, env=environment, **pipes)
        self.about = json.loads(self.process.stdout.readline())

    def seconds(self, model, job):
        print(json.dumps({"model": model, "job": job}), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())["seconds"]


def measure(workers, rounds):
    """Return {(model, job, backend): (seconds of the first turn, median of the others)}."""
    turns = {}
    for _ in range(rounds + 1):
        for model in MODELS:
            for job in ("train", "predict"):
                for name, worker in workers.items():
                    turns.setdefault((model, job, name), []).append(worker.seconds(model, job))
    return {key: (first, statistics.median(rest)) for key, (first, *rest) in turns.items()}


@click.command()
@click.option(
    "--cores", type=click.IntRange(1, CORES), default=CORES, show_default=True, help="The same for each."
)
@click.option("--rounds", default=5, show_default=True)
@click.option("--work", "is_worker", is_flag=True, hidden=True)
def main(cores, rounds, is_worker):
    """Compare the installed backends."""
    if is_worker:
        return work(cores)
    from fer_keras.backend import selection

    workers = {name: Worker(name, cores) for name in selection.installed()}
    found = measure(workers, rounds)
    about = next(iter(workers.values())).about
    click.echo(
        f"{about['processor']}, {cores} cores; {about['device']}; batches of {BATCH}; Keras {about['keras']}.\n"
    )
    click.echo(
        "| backend | precision | ready after | model | training, images/s | first turn | prediction, images/s |"
    )
    click.echo("|---|---|--:|---|--:|--:|--:|")
    for name, worker in workers.items():
        for model in MODELS:
            first, train = found[model, "train", name]
            predict = found[model, "predict", name][1]
            click.echo(
                f"| {name} {worker.about['backend_version']} | {worker.about['precision']} "
                f"| {worker.about['seconds']:.1f} s | {model} | {BATCH * STEPS / train:.0f} | {first:.1f} s "
                f"| {BATCH * STEPS / predict:.0f} |"
            )
        worker.process.stdin.close()


if __name__ == "__main__":
    main()

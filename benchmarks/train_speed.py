"""Training speed of ours beside hand-written code, alternately in one run.

    python benchmarks/train_speed.py [--model resnet] [--batch 128] [--precision float32] [--threads 2]
    KERAS_BACKEND=jax python benchmarks/train_speed.py

Hand-written: the same network, optimizer, mirroring and precision as a loop of `reference_torch.py` or
`reference_jax.py`. Ours: `Model.fit` with all that a run does in a step, on random images. Both are fed the same
uint8 batches. Each round trains a few steps of one and then of the other; the ratio is the median over the rounds.
"""

# ruff: noqa: I001
import importlib
import statistics
import time

import fer_keras  # noqa: F401  chooses the backend, before Keras is imported
import click
import keras
import numpy as np

from fer_keras import Experiment
from fer_keras.backend import device, allocator
from fer_keras.training import fitting
from fer_keras.training.callbacks import GradientRatio
from fer_keras.data.faces import make_faces

OPTIONS = {  # what the hand-written networks are told; the convolutional one is that of experiments/cnn_best.py
    "cnn": {
        "filters": (32, 64, 128),
        "repeats": 2,
        "units": (256, 128),
        "convolution_dropout": 0.1,
        "dropout": 0.2,
    },
    "resnet": {"filters": (96, 192, 384), "blocks": (1, 1, 1), "stem_stride": 2, "dropout": 0.3},
}
FIXED_BY_HAND = {"cnn": {"convolution_normalization": "batch", "normalization": "layer"}, "resnet": {}}


class Ours:
    """The same interface as the hand-written `Trainer`s, around `Model.fit`."""

    def __init__(self, model, precision, faces, batch_size):
        with device.training_in(precision):
            self.model = fitting.build(self.experiment(model, batch_size), faces)

    @staticmethod
    def experiment(model, batch_size):
        return Experiment(
            name="speed",
            model=model,
            model_options=OPTIONS[model] | FIXED_BY_HAND[model],
            normalization=True,
            augmentation=("flip",),
            batch_size=batch_size,
        )

    def parameters(self):
        return sum(int(np.prod(v.shape)) for v in self.model.weights if v.name != "seed_generator_state")

    def train(self, batches):
        self.model.fit(Fixed(batches), verbose=0, shuffle=False, callbacks=[GradientRatio()])


class Fixed(keras.utils.PyDataset):
    """Batches that are there already."""

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]


def compare(model, batch_size, precision, steps, rounds):
    """Return images a second of both, and the ratios of ours to the hand-written code, one for each round."""
    rng = np.random.default_rng(0)
    count = batch_size * steps
    images, labels = rng.integers(0, 256, (count, 2304)), rng.integers(0, 7, count)
    faces = make_faces(images, labels, np.zeros(count, int), "random")
    batches = [
        (faces.images[i : i + batch_size], faces.labels[i : i + batch_size]) for i in range(0, count, batch_size)
    ]
    hand_written = importlib.import_module(f"reference_{keras.backend.backend()}").Trainer
    trainers = hand_written(model, OPTIONS[model], precision), Ours(model, precision, faces, batch_size)
    if trainers[0].parameters() != trainers[1].parameters():
        raise SystemExit(f"Not the same network: {[trainer.parameters() for trainer in trainers]} weights.")
    for trainer in trainers:
        trainer.train(batches[:3])  # compiles and warms up
    speeds = [[count / seconds(trainer, batches) for trainer in trainers] for _ in range(rounds)]
    by_hand, ours = (statistics.median(column) for column in zip(*speeds, strict=True))
    return by_hand, ours, [row[1] / row[0] for row in speeds]


def seconds(trainer, batches):
    start = time.perf_counter()
    trainer.train(batches)
    return time.perf_counter() - start


@click.command(help=__doc__)
@click.option("--model", "models", type=click.Choice(list(OPTIONS)), multiple=True, default=list(OPTIONS))
@click.option("--batch", "sizes", type=int, multiple=True, default=(64, 128, 256, 512))
@click.option(
    "--precision",
    "precisions",
    type=click.Choice(["float32", "mixed_bfloat16"]),
    multiple=True,
    default=("float32", "mixed_bfloat16"),
)
@click.option("--threads", type=int, help="On torch. [default: torch's own]")
@click.option("--steps", default=12, show_default=True)
@click.option("--rounds", default=5, show_default=True)
def main(models, sizes, precisions, threads, steps, rounds):
    backend = keras.backend.backend()
    if threads and backend == "torch":
        importlib.import_module("torch").set_num_threads(threads)
    allocator.keep_freed()
    click.echo(f"{backend}, keras {keras.__version__}; images/s, medians of {rounds} rounds of {steps} steps\n")
    click.echo("| model | precision | batch | hand-written | ours | ratio | from | to |")
    click.echo("|---|---|---|---|---|---|---|---|")
    for model in models:
        for precision in precisions:
            for size in sizes:
                by_hand, ours, ratios = compare(model, size, precision, steps, rounds)
                middle, low, high = statistics.median(ratios), min(ratios), max(ratios)
                click.echo(
                    f"| {model} | {precision} | {size} | {by_hand:.0f} | {ours:.0f} "
                    f"| {middle:.2f} | {low:.2f} | {high:.2f} |"
                )


if __name__ == "__main__":
    main()

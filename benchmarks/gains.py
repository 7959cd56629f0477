"""What each step away from plain Keras gains in training on PyTorch.

    python benchmarks/gains.py [--model resnet] [--precision float32]

The networks of train_speed.py, batch 128, one thread. Starts as plain Keras and takes over one thing of ours after
the other, each in a process of its own. Milliseconds a step are those of the processor, so that other programs
count only through its cache; medians of `--rounds` rounds of six steps.
"""

# ruff: noqa: I001
import os
import statistics
import subprocess
import sys
import time

import click

STEPS = (
    "plain Keras",
    "keeps freed memory",
    "Adam",
    "Conv2D",
    "BatchNormalization",
    "MaxPooling2D",
    "Dropout",
    "ReLU",
)


def measured(model, precision, count, rounds):
    """Return milliseconds of the processor a step, with the first `count` of `STEPS`."""
    import fer_keras  # noqa: F401  chooses the backend, before Keras is imported
    import keras
    import numpy as np
    import torch

    from train_speed import Ours
    from fer_keras.backend import allocator
    from fer_keras.training import fitting
    from fer_keras.data.faces import make_faces
    from fer_keras.models import MODELS, blocks

    torch.set_num_threads(1)
    theirs = STEPS[count:]
    if "keeps freed memory" in theirs:
        allocator.keep_freed = lambda: None
    if "Adam" in theirs:
        fitting.OPTIMIZERS["adam"] = keras.optimizers.Adam
    modules = [blocks, *(sys.modules[build.__module__] for build in MODELS.values())]
    for module in modules:
        for name in set(theirs) & set(vars(module)):
            setattr(module, name, getattr(keras.layers, name))
    for table in (blocks.NORMALIZATIONS, blocks.ACTIVATIONS):
        table.update(
            {key: getattr(keras.layers, c.__name__) for key, c in table.items() if c and c.__name__ in theirs}
        )
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 256, (768, 2304)), random.integers(0, 7, 768)
    faces = make_faces(images, labels, np.zeros(768, int), "random")
    batches = [(faces.images[i : i + 128], faces.labels[i : i + 128]) for i in range(0, 768, 128)]
    trainer = Ours(model, precision, faces, 128)
    trainer.train(batches)
    times = []
    for _ in range(rounds):
        start = time.process_time()
        trainer.train(batches)
        times.append(time.process_time() - start)
    return 1000 * statistics.median(times) / len(batches)


@click.command(help=__doc__)
@click.option("--model", type=click.Choice(["cnn", "resnet"]), default="cnn", show_default=True)
@click.option("--precision", type=click.Choice(["float32", "mixed_bfloat16"]), default="mixed_bfloat16")
@click.option("--rounds", default=3, show_default=True)
@click.option("--count", type=int, hidden=True)
def main(model, precision, rounds, count):
    if count is not None:
        click.echo(measured(model, precision, count, rounds))
        return
    click.echo(f"{model}, {precision}\n\n| | ms a step | times as fast |\n|---|--:|--:|")
    words = ["--model", model, "--precision", precision, "--rounds", str(rounds), "--count"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    before = None
    for count in range(1, len(STEPS) + 1):
        command = [sys.executable, __file__, *words, str(count)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
        now = float(printed.splitlines()[-1])
        click.echo(f"| {STEPS[count - 1]} | {now:.0f} | {before / now if before else 1:.2f} |")
        before = now


if __name__ == "__main__":
    main()

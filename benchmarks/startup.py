"""Seconds of a cold process, from the command to its answer, as a Markdown table.

    python benchmarks/startup.py [PHOTO] [--rounds 5]     (needs the extras faces and onnx)

The processes take turns in each round; printed are medians of the wall time and of the processor's, user and
system together, which says more on a machine that does other work too. Each has run once before, so that files are
in memory and modules compiled. `import torch` and `import keras` are what a program
without this package waits for before it does anything.
"""

import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import click

PREDICT = ["-m", "fer_keras", "predict"]


def commands(photo):
    """Return what is measured: its name and the arguments of Python."""
    return {
        "`fer-keras --help`": ["-m", "fer_keras", "--help"],
        "`fer-keras predict PHOTO`": [*PREDICT, photo],
        "the same with `--detector haar`": [*PREDICT, photo, "--detector", "haar"],
        "`fer-keras predict PHOTO --engine keras`, on torch": [*PREDICT, photo, "--engine", "keras"],
        "the same with the network `tiny`": [*PREDICT, photo, "--engine", "keras", "--model", "tiny"],
        "`import torch`": ["-c", "import torch"],
        "`import keras`": ["-c", "import keras"],
    }


def seconds(arguments, environment):
    """Run Python with `arguments` and return its seconds, of the wall and of the processor."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], env=environment, check=True, capture_output=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def portrait():
    import skimage

    return pathlib.Path(skimage.__file__).parent / "data" / "astronaut.png"


@click.command(help=__doc__)
@click.argument("photo", required=False, type=click.Path(exists=True))
@click.option("--rounds", default=5, show_default=True)
def main(photo, rounds):
    measured = commands(str(photo or portrait()))
    environment = os.environ | {"KERAS_BACKEND": "torch"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package is compiled
    with tempfile.TemporaryDirectory() as cache:
        environment["XDG_CACHE_HOME"] = cache
        for arguments in measured.values():
            seconds(arguments, environment)
        found = [[seconds(arguments, environment) for arguments in measured.values()] for _ in range(rounds)]
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    click.echo(f"Python {sys.version.split()[0]}, medians of {rounds} rounds, {load}\n")
    click.echo("| process | wall, s | processor, s |\n|---|--:|--:|")
    for name, times in zip(measured, zip(*found, strict=True), strict=True):
        wall, processor = (statistics.median(column) for column in zip(*times, strict=True))
        click.echo(f"| {name} | {wall:.2f} | {processor:.2f} |")


if __name__ == "__main__":
    main()

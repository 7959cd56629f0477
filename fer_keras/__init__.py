"""Facial-expression recognition on FER-2013: study, train, trust and use a classifier, with Keras 3."""

import os

from fer_keras.experiment import Experiment

__version__ = "0.1.0"
__all__ = ["Experiment", "FER", "main", "run"]

# Keras reads this once, when it is first imported, which nothing here does.
os.environ.setdefault("KERAS_BACKEND", "torch")


def run(experiment, **options):
    """Train and judge `experiment`; see `fer_keras.pipeline.run` for the options and the returned record."""
    import logging

    from fer_keras import logs, pipeline

    if not logging.getLogger("fer_keras").hasHandlers():
        logs.start()  # a program with handlers of its own decides by them what it shows
    return pipeline.run(experiment, **options)


def main():
    """End an experiment file: run it as `fer-keras run FILE` would, with messages instead of tracebacks."""
    import sys

    from fer_keras.cli import cli

    cli(["run", *sys.argv], prog_name="fer-keras")


def __getattr__(name):
    """Import `FER` when it is first asked for: it needs NumPy and Pillow, which nothing else here does."""
    if name != "FER":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from fer_keras.recognition import FER

    return FER

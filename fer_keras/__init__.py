"""Facial-expression recognition on FER-2013: study, train, trust and use a classifier, with Keras 3."""

import os

from fer_keras.core import renames
from fer_keras.experiment import Experiment

__version__ = "0.2.0"
__all__ = ["Experiment", "FER", "main", "pretrained", "run"]

LATE = {"FER": "fer_keras.recognition", "pretrained": "fer_keras.model_files.pretrained"}

# Keras reads this once, when it is first imported, which nothing here does.
os.environ.setdefault("KERAS_BACKEND", "torch")
# TensorFlow 2.21's fusion of a convolution, an addition and LeakyReLU on processors takes every slope for 0.2.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

renames.refuse_old_imports()


def run(experiment, **options):
    """Train and judge `experiment`; see `fer_keras.runs.pipeline.run` for the options and the returned record."""
    import logging

    from fer_keras.core import logs
    from fer_keras.runs import pipeline

    if not logging.getLogger("fer_keras").hasHandlers():
        logs.start()  # a program with handlers of its own decides by them what it shows
    return pipeline.run(experiment, **options)


def main():
    """End an experiment file: run it as `fer-keras run FILE` would, with messages instead of tracebacks."""
    import sys

    from fer_keras.cli import cli

    cli(["run", *sys.argv], prog_name="fer-keras")


def __getattr__(name):
    """Import what needs more than the standard library when it is first asked for."""
    import importlib

    if name not in LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(LATE[name]), name)

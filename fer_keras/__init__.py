"""Facial-expression recognition on FER-2013: study, train, trust and use a classifier, with Keras 3."""

import os
from typing import TYPE_CHECKING, Any, Literal

from fer_keras.core import renames
from fer_keras.experiment import Experiment

if TYPE_CHECKING:
    import pathlib

    from fer_keras.data import Faces, FaceSet, load
    from fer_keras.evaluation import evaluate
    from fer_keras.model_files.pretrained import pretrained
    from fer_keras.recognition import FER, Face
    from fer_keras.runs.finetune import finetune

__version__ = "0.2.0"
__all__ = ["Experiment", "FER", "Face", "evaluate", "finetune", "load", "main", "pretrained", "run"]

LAZY = {  # needs more than the standard library, so it is imported when first used
    "FER": "fer_keras.recognition",
    "Face": "fer_keras.recognition",
    "evaluate": "fer_keras.evaluation",
    "finetune": "fer_keras.runs.finetune",
    "load": "fer_keras.data",
    "pretrained": "fer_keras.model_files.pretrained",
}

if not os.environ.get("KERAS_BACKEND"):  # Keras reads it once, when it is imported, which nothing here does
    os.environ["KERAS_BACKEND"] = "torch"
# TensorFlow 2.21's fusion of a convolution, an addition and LeakyReLU on processors takes every slope for 0.2.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

renames.refuse_old_imports()


def run(
    experiment: Experiment,
    *,
    data: "str | os.PathLike[str] | FaceSet | Faces | None" = None,
    output: "str | os.PathLike[str]" = "runs",
    tracking: Literal["auto", "online", "offline", "disabled"] = "auto",
    precision: Literal["float32", "mixed_bfloat16"] | None = None,
    capture: bool = False,
) -> "tuple[pathlib.Path, dict[str, Any]] | tuple[None, None]":
    """Train and evaluate `experiment`; continue an interrupted training of it.

    Args:
        experiment: the settings of the run.
        data: what `load` takes, or the `Faces` that it returned, of any classes.
        output: folder of all run directories.
        tracking: wandb's mode, see `fer_keras.runs.wandb_tracker.Tracker`.
        precision: Keras' dtype policy. Default: that of the interrupted run, else the fast one of the device.
        capture: replay each training step as one CUDA graph. Where that is not possible, the log says why.

    Returns:
        `(folder, record)`: the run directory, and its content as `fer_keras.runs.records.read` returns it. With
        `torchrun`, `(None, None)` in all processes but the first.

    Raises:
        InputError: if the experiment, the data or the output folder cannot be used.
    """
    import logging

    from fer_keras.core import logs
    from fer_keras.runs import pipeline

    if not logging.getLogger("fer_keras").hasHandlers():
        logs.start()  # a program that has handlers decides itself what is shown
    return pipeline.run(
        experiment, data=data, output=output, tracking=tracking, precision=precision, capture=capture
    )


def main() -> None:
    """End an experiment file: run it as `fer-keras run FILE` would, with messages instead of tracebacks."""
    import sys

    from fer_keras.cli import cli

    cli(["run", *sys.argv], prog_name="fer-keras")


def __getattr__(name: str) -> Any:
    import importlib

    if name not in LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *LAZY})

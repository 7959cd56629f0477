"""Sweeps: searches over an experiment's settings, in wandb's file format, on Optuna."""

from fer_keras.core.errors import InputError

try:
    import optuna  # noqa: F401
    import yaml  # noqa: F401
except ModuleNotFoundError as error:
    raise InputError(f"A sweep needs {error.name}: pip install 'fer-keras[sweep]'.") from error

from fer_keras.sweep.results import table
from fer_keras.sweep.search import run

__all__ = ["run", "table"]

"""The machine and the versions that a measured figure depends on."""

import importlib
import pathlib
import platform
import subprocess
from typing import Any

import keras
import numpy as np

import fer_keras
from fer_keras.core import jobs


def environment() -> dict[str, Any]:
    """Return what a run depends on besides its settings: versions, processor, device, threads, git commit."""
    backend = keras.backend.backend()
    return {
        "fer_keras": fer_keras.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": jobs.cores(),
        "keras": keras.__version__,
        "backend": backend,
        "backend_version": importlib.import_module(backend).__version__,
        "numpy": np.__version__,
        "device": _device(backend),
        "threads": _threads(backend),
        "precision": keras.config.dtype_policy().name,
        "commit": _commit(),
    }


def _processor() -> str:
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _device(backend: str) -> str:
    if backend == "torch":
        import torch

        return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    if backend == "jax":
        import jax

        return jax.devices()[0].device_kind
    return keras.distribution.list_devices()[0]


def _threads(backend: str) -> int | None:
    if backend != "torch":
        return None
    import torch

    return torch.get_num_threads()


def _commit() -> str | None:
    """Return the git commit of the working directory, with "+dirty" if tracked files differ, or `None`."""
    command = [
        "git",
        "--no-optional-locks",
        "describe",
        "--always",
        "--abbrev=40",
        "--exclude=*",
        "--dirty=+dirty",
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None

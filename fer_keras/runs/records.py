"""The run directory: what a training leaves on disk, safe from a crash at any moment."""

import contextlib
import dataclasses
import datetime
import itertools
import json
import math
import os
import pathlib

import filelock
import numpy as np

from fer_keras.core import renames
from fer_keras.core.errors import InputError
from fer_keras.core.files import make_folder, sync_folder, write_json, writing
from fer_keras.experiment import Experiment

HISTORY = "history.jsonl"
HISTOGRAMS = "histograms.jsonl"
# Keras' defaults, which `nn` and `cnn` had when these were no options of theirs.
BEFORE_NAMED = {"initialization": "keras", "momentum": 0.99, "epsilon": 1e-3, "negative_slope": 0.3}


def create(root, experiment, data, environment):
    """Make a new run directory `root/<name>/<UTC time>`, for synthetic data
    `root/synthetic/<name>/<UTC time>`.

    Args:
        root: folder of all runs, usually `runs`.
        experiment: `dict` of all resolved settings, with `name`.
        data: `dict` on the data, with `digest` and `synthetic`, and with teachers the digests of these.
        environment: what `environment()` returned.

    Returns:
        `Path` of the directory, which holds `run.json`.
    """
    folder = _new_folder(_homes(root, experiment, data)[0], datetime.datetime.now(datetime.UTC))
    write_json(folder / "run.json", plain({"experiment": experiment, "data": data, "environment": environment}))
    return folder


def find_unfinished(root, experiment, data, precision=None):
    """Return the latest run directory of the same experiment and data that has no scores yet, or `None`.

    Backend, device and versions may differ, since a checkpoint fits them all; precision only if it is `None`.
    """
    return _find(root, experiment, data, precision, complete=False)


def find_complete(root, experiment, data):
    """Return the latest finished run directory of the same experiment and data, or `None`."""
    return _find(root, experiment, data, None, complete=True)


def _find(root, experiment, data, precision, *, complete):
    defaults = plain(dataclasses.asdict(Experiment("any")))  # of settings that came later than the run
    folders = [folder for home in _homes(root, experiment, data) for folder in home.glob("*")]
    for folder in sorted(folders, key=lambda folder: folder.name, reverse=True):
        if (folder / "run.json").is_file() and is_complete(folder) == complete:
            run = current(_read_json(folder / "run.json"))
            same = defaults | run["experiment"] == defaults | plain(experiment)
            same &= all(run["data"].get(key) == data.get(key) for key in ("digest", "teachers"))
            if same and precision in (None, run["environment"].get("precision")):
                return folder
    return None


def note_environment(folder, epochs, environment):
    """Note in `run.json` if the run in `folder` goes on after `epochs` epochs in another environment than before.

    Returns:
        The texts `"<what> (<before> -> <now>)"` of each difference, none where all is as it was.
    """
    run = _read_json(folder / "run.json")
    continued = run.get("continued", [])
    before, now = (continued or [run])[-1]["environment"], plain(environment)
    if now == before:
        return []
    write_json(folder / "run.json", run | {"continued": [*continued, {"epochs": epochs, "environment": now}]})
    return [f"{key} ({before.get(key)} -> {value})" for key, value in now.items() if before.get(key) != value]


def is_complete(folder):
    """Return whether the run in `folder` was trained to the end and judged."""
    return (pathlib.Path(folder) / "scores.json").is_file()


def append(path, row):
    """Append `row` to the JSON lines at `path` and flush it to disk; the torn end of a crash is cut off first."""
    new = not os.path.exists(path)
    with open(path, "a+b") as file:
        file.truncate(_whole(path))
        file.write(json.dumps(plain(row), allow_nan=False).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    if new:
        sync_folder(pathlib.Path(path).parent)


def write(folder, part, value):
    """Write `value` as the `part` "overfit" or "scores" of the record in `folder`; "scores" completes it."""
    write_json(pathlib.Path(folder) / f"{part}.json", plain(value))


def read(folder):
    """Return the record in `folder`.

    Returns:
        `dict` with `experiment`, `data`, `environment`, `overfit` (`None` if there was no check), `history` (a
        `dict` per epoch) and `scores` (`None` while the run is unfinished); `continued`, a list of {"epochs" done,
        "environment"}, where the run went on in another environment than it was begun in.

    Raises:
        InputError: if `folder` is no run directory, or a file in it is damaged.
    """
    folder = pathlib.Path(folder)
    if not (folder / "run.json").is_file():
        raise InputError(f"{folder} is no run directory: expected a run.json in it, as in runs/NAME/TIME.")
    record = _read_json(folder / "run.json")
    if missing := {"experiment", "data", "environment"} - record.keys():
        raise InputError(f"{folder / 'run.json'} lacks {', '.join(sorted(missing))}. Train the run again.")
    record = current(record)
    record["overfit"] = _read_json(folder / "overfit.json")
    record["history"] = rows(folder / HISTORY)
    record["scores"] = _read_json(folder / "scores.json")
    return record


def current(record):
    """Return `record` under today's names, with the values that its settings had before they could be named.

    Args:
        record: `dict` with `experiment` and `data`, of a run directory or a result of any version.
    """
    record = renames.read_record(record)
    experiment = record["experiment"]
    if experiment.get("model") in ("nn", "cnn"):
        experiment["model_options"] = BEFORE_NAMED | experiment["model_options"]
    return record


def rows(path):
    """Return the rows of the JSON lines at `path`, without a torn last one; an absent file has none.

    Raises:
        InputError: if an earlier line is damaged.
    """
    path = pathlib.Path(path)
    if not path.exists():
        return []
    lines = path.read_bytes()[: _whole(path)].splitlines()
    return [_parsed(line, f"{path} line {number}") for number, line in enumerate(lines, 1)]


def truncate_history(folder, epochs):
    """Keep the history and histograms of the first `epochs` epochs only, to go on from an earlier checkpoint."""
    for path in (pathlib.Path(folder) / HISTORY, pathlib.Path(folder) / HISTOGRAMS):
        if path.exists():
            kept = [json.dumps(row) + "\n" for row in rows(path) if row["epoch"] <= epochs]
            with writing(path) as temporary:
                temporary.write_text("".join(kept), encoding="utf-8")


@contextlib.contextmanager
def locked(folder):
    """Hold `folder` for this process; the lock ends with the process, however that ends.

    Raises:
        InputError: if another process holds it.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(filelock.FileLock(pathlib.Path(folder) / ".lock", timeout=0))
        except filelock.Timeout:
            raise InputError(
                f"{folder} is in use by another process. Wait for it to end, or end it, then try again."
            ) from None
        yield


def plain(value):
    """Return `value` in the types of JSON: NaN and infinity become `None`, tuples and arrays become lists."""
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def _homes(root, experiment, data):
    """Return the folders of the experiment's runs: first that of new runs, then those of earlier versions."""
    kinds = ["synthetic", *(old for old, new in renames.VALUES.items() if new == "synthetic")]
    return [pathlib.Path(root, kind, experiment["name"]) for kind in (kinds if data["synthetic"] else [""])]


def _new_folder(home, now):
    make_folder(home)
    for number in itertools.count(1):
        folder = home / (now.strftime("%Y%m%d-%H%M%S") + (f"-{number:02}" if number > 1 else ""))
        with contextlib.suppress(FileExistsError):  # another process started in the same second
            folder.mkdir()
            sync_folder(home)
            return folder


def _whole(path):
    """Return the size in bytes of the complete lines of `path`: a crash can only tear the last one."""
    return pathlib.Path(path).read_bytes().rfind(b"\n") + 1


def _read_json(path):
    return _parsed(path.read_bytes(), path) if path.is_file() else None


def _parsed(text, place):
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InputError(f"{place} is damaged: {error}. Delete the run and train it again.") from None
    if not isinstance(value, dict):
        raise InputError(f"{place} is damaged: expected a JSON object. Delete the run and train it again.")
    return value

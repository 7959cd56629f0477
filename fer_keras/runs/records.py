"""The run directory: what a training leaves on disk, safe from a crash at any moment."""

import contextlib
import dataclasses
import datetime
import itertools
import json
import logging
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import filelock

from fer_keras.core import renames
from fer_keras.core.errors import InputError, first_line
from fer_keras.core.files import StrPath, make_folder, plain, sync_folder, write_json, writing
from fer_keras.experiment import Experiment

LOGGER = logging.getLogger("fer_keras")
HISTORY = "history.jsonl"
HISTOGRAMS = "histograms.jsonl"
# Keras' defaults, which `nn` and `cnn` had when these were no options of theirs.
BEFORE_NAMED = {"initialization": "keras", "momentum": 0.99, "epsilon": 1e-3, "negative_slope": 0.3}


def create(
    root: StrPath, experiment: Mapping[str, Any], data: Mapping[str, Any], environment: Mapping[str, Any]
) -> pathlib.Path:
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


def find_unfinished(
    root: StrPath, experiment: Mapping[str, Any], data: Mapping[str, Any], precision: str | None = None
) -> pathlib.Path | None:
    """Return the latest run directory of the same experiment and data that has no scores yet, or `None`.

    Backend, device and versions may differ, since a checkpoint fits them all; precision only if it is `None`.
    """
    return _find(root, experiment, data, precision, complete=False)


def find_complete(root: StrPath, experiment: Mapping[str, Any], data: Mapping[str, Any]) -> pathlib.Path | None:
    """Return the latest finished run directory of the same experiment and data, or `None`."""
    return _find(root, experiment, data, None, complete=True)


def _find(
    root: StrPath, experiment: Mapping[str, Any], data: Mapping[str, Any], precision: str | None, *, complete: bool
) -> pathlib.Path | None:
    defaults = plain(dataclasses.asdict(Experiment("any")))  # of settings that came later than the run
    folders = [folder for home in _homes(root, experiment, data) for folder in home.glob("*")]
    for folder in sorted(folders, key=lambda folder: folder.name, reverse=True):
        if (folder / "run.json").is_file() and is_complete(folder) == complete:
            run = current(_read_run(folder / "run.json"))
            same = defaults | run["experiment"] == defaults | plain(experiment)
            same &= all(run["data"].get(key) == data.get(key) for key in ("digest", "teachers"))
            if same and precision in (None, run["environment"].get("precision")):
                return folder
    return None


def note_environment(folder: StrPath, epochs: int, environment: Mapping[str, Any]) -> None:
    """Note and log that the run continues after `epochs` epochs in another environment, if it does."""
    path = pathlib.Path(folder, "run.json")
    run = _read_run(path)
    continued = run.get("continued", [])
    before, now = (continued or [run])[-1]["environment"], plain(environment)
    if now == before:
        return
    write_json(path, run | {"continued": [*continued, {"epochs": epochs, "environment": now}]})
    changes = [f"{key} ({before.get(key)} -> {value})" for key, value in now.items() if before.get(key) != value]
    LOGGER.info("%s continues after epoch %d with other %s.", folder, epochs, ", ".join(changes))


def is_complete(folder: StrPath) -> bool:
    """Return whether the run in `folder` was trained to the end and evaluated."""
    return (pathlib.Path(folder) / "scores.json").is_file()


def append(path: StrPath, row: Mapping[str, Any]) -> None:
    """Append `row` to the JSON lines at `path` and flush it to disk; the torn end of a crash is cut off first."""
    new = not os.path.exists(path)
    with open(path, "a+b") as file:
        file.truncate(_whole(path))
        file.write(json.dumps(plain(row), allow_nan=False).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    if new:
        sync_folder(pathlib.Path(path).parent)


def write(folder: StrPath, part: str, value: Mapping[str, Any]) -> None:
    """Write `value` as the `part` "overfit" or "scores" of the record in `folder`; "scores" completes it."""
    write_json(pathlib.Path(folder) / f"{part}.json", plain(value))


def read(folder: StrPath) -> dict[str, Any]:
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
    record = current(_read_run(folder / "run.json"))
    record["overfit"] = _read_json(folder / "overfit.json")
    record["history"] = rows(folder / HISTORY)
    record["scores"] = _read_json(folder / "scores.json")
    return record


def current(record: dict[str, Any]) -> dict[str, Any]:
    """Return `record` under today's names, with the values that its settings had before they could be named.

    Args:
        record: `dict` with `experiment` and `data`, of a run directory or a result of any version.
    """
    record = renames.read_record(record)
    experiment = record["experiment"]
    if experiment.get("model") in ("nn", "cnn"):
        experiment["model_options"] = BEFORE_NAMED | experiment["model_options"]
    return record


def rows(path: StrPath) -> list[dict[str, Any]]:
    """Return the rows of the JSON lines at `path`, without a torn last one; an absent file has none.

    Raises:
        InputError: if an earlier line is damaged.
    """
    path = pathlib.Path(path)
    if not path.exists():
        return []
    lines = path.read_bytes()[: _whole(path)].splitlines()
    found = [_parsed(line, f"{path} line {number}") for number, line in enumerate(lines, 1)]
    for number, row in enumerate(found, 1):
        if not isinstance(row.get("epoch"), int):
            raise _damaged(f"{path} line {number}", "expected the number of an epoch")
    return found


def truncate_history(folder: StrPath, epochs: int) -> None:
    """Keep the history and histograms of the first `epochs` epochs only, to go on from an earlier checkpoint."""
    for path in (pathlib.Path(folder) / HISTORY, pathlib.Path(folder) / HISTOGRAMS):
        if path.exists():
            kept = [json.dumps(row) + "\n" for row in rows(path) if row["epoch"] <= epochs]
            with writing(path) as temporary:
                temporary.write_text("".join(kept), encoding="utf-8")


@contextlib.contextmanager
def locked(folder: StrPath) -> Iterator[None]:
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


def _homes(root: StrPath, experiment: Mapping[str, Any], data: Mapping[str, Any]) -> list[pathlib.Path]:
    """Return the folders of the experiment's runs: first that of new runs, then those of earlier versions."""
    kinds = ["synthetic", *(old for old, new in renames.VALUES.items() if new == "synthetic")]
    return [pathlib.Path(root, kind, experiment["name"]) for kind in (kinds if data["synthetic"] else [""])]


def _new_folder(home: pathlib.Path, now: datetime.datetime) -> pathlib.Path:
    make_folder(home)
    for number in itertools.count(1):
        folder = home / (now.strftime("%Y%m%d-%H%M%S") + (f"-{number:02}" if number > 1 else ""))
        with contextlib.suppress(FileExistsError):  # another process started in the same second
            folder.mkdir()
            break
    sync_folder(home)
    return folder


def _whole(path: StrPath) -> int:
    """Return the size in bytes of the complete lines of `path`: a crash can only tear the last one."""
    return pathlib.Path(path).read_bytes().rfind(b"\n") + 1


def _read_run(path: pathlib.Path) -> dict[str, Any]:
    run = _parsed(path.read_bytes(), path)
    for name in ("experiment", "data", "environment"):
        if not isinstance(run.get(name), dict):
            raise _damaged(path, f"{name!r} is missing or no JSON object")
    if not isinstance(run["experiment"].get("model_options", {}), dict):
        raise _damaged(path, "'model_options' is no JSON object")
    return run


def _read_json(path: pathlib.Path) -> dict[str, Any] | None:
    return _parsed(path.read_bytes(), path) if path.is_file() else None


def _parsed(text: bytes, place: StrPath) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _damaged(place, first_line(error)) from None
    if not isinstance(value, dict):
        raise _damaged(place, "expected a JSON object")
    return value


def _damaged(place: StrPath, reason: str) -> InputError:
    return InputError(f"{place} is damaged: {reason}. Delete the run and train it again.")

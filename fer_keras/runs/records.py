"""The run directory: what a training writes to disk, safe against a crash at any time."""

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
from fer_keras.core.json_checks import NUMBER, mismatch
from fer_keras.experiment import Experiment

LOGGER = logging.getLogger("fer_keras")
HISTORY = "history.jsonl"
HISTOGRAMS = "histograms.jsonl"
RUN: dict[str, Any] = {"experiment": {"name": str}, "data": {"digest": str}, "environment": {}}
OVERFIT = {"text": str, "verdict": str, "epochs_to_zero": (int, None), "losses": [(*NUMBER, None)]}
SCORES = {
    **{"images": int, "accuracy": NUMBER, "macro_f1": NUMBER, "loss": NUMBER, "calibration_error": NUMBER},
    **{"confusion": [[int]], "leak_free_images": int, "leak_free_accuracy": (*NUMBER, None)},
}
# What a record may have besides, as long as it is not null.
PARTS: dict[str, Any] = {
    "continued": [{"epochs": int, "environment": {}}],
    "overfit": OVERFIT,
    "history": [{"epoch": int, "*": (*NUMBER, None)}],
    "scores": SCORES,
}
# Keras' defaults, which `nn` and `cnn` used before these became options.
BEFORE_NAMED = {"initialization": "keras", "momentum": 0.99, "epsilon": 1e-3, "negative_slope": 0.3}


def create(
    root: StrPath, experiment: Mapping[str, Any], data: Mapping[str, Any], environment: Mapping[str, Any]
) -> pathlib.Path:
    """Create the run directory `root/<name>/<UTC time>`, or `root/synthetic/<name>/<UTC time>` for synthetic data.

    Args:
        root: folder of all runs, usually `runs`.
        experiment: `dict` of all resolved settings, with `name`.
        data: `dict` with `digest`, `synthetic` and, for distillation, the digests of `teachers`.
        environment: from `fer_keras.backend.machine.environment`.

    Returns:
        `Path` of the directory, which contains `run.json`.
    """
    folder = _new_folder(_homes(root, experiment, data)[0], datetime.datetime.now(datetime.UTC))
    write_json(folder / "run.json", plain({"experiment": experiment, "data": data, "environment": environment}))
    return folder


def find_unfinished(
    root: StrPath, experiment: Mapping[str, Any], data: Mapping[str, Any], precision: str | None = None
) -> pathlib.Path | None:
    """Return the latest run directory of the same experiment and data without scores, or `None`.

    Backend, device and versions may differ, since a checkpoint fits all of them. Precision may differ if it is
    `None`.
    """
    return _find(root, experiment, data, precision, complete=False)


def find_complete(root: StrPath, experiment: Mapping[str, Any], data: Mapping[str, Any]) -> pathlib.Path | None:
    """Return the latest finished run directory of the same experiment and data, or `None`."""
    return _find(root, experiment, data, None, complete=True)


def _find(
    root: StrPath, experiment: Mapping[str, Any], data: Mapping[str, Any], precision: str | None, *, complete: bool
) -> pathlib.Path | None:
    defaults = plain(dataclasses.asdict(Experiment("any")))  # for settings that are newer than the run
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
    """Record and log whether the run continues after `epochs` epochs in another environment."""
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
    """Return whether the run in `folder` is trained and evaluated."""
    return (pathlib.Path(folder) / "scores.json").is_file()


def append(path: StrPath, row: Mapping[str, Any]) -> None:
    """Append `row` to the JSON lines at `path` and flush it to disk; an incomplete last line is removed first."""
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
    """Return the record in `folder`, a run directory, or in a file as in `experiments/results`.

    Returns:
        `dict` with `experiment`, `data`, `environment`, `overfit` (`None` without a check), `history` (a `dict`
        per epoch), `scores` (`None` while the run is unfinished) and, if the run continued in another environment,
        `continued`: a list of {"epochs" done, "environment"}.

    Raises:
        InputError: if `folder` is neither, or a file is damaged.
    """
    folder = pathlib.Path(folder)
    if folder.is_file():
        run = _read_run(folder)
        if "history" not in run:
            raise _damaged(folder, "'history' is missing")
        return current(run)
    if not (folder / "run.json").is_file():
        raise InputError(f"{folder} is not a run directory: expected a run.json in it, as in runs/NAME/TIME.")
    record = current(_read_run(folder / "run.json"))
    record["overfit"] = _read_part(folder, "overfit")
    record["history"] = rows(folder / HISTORY)
    _check(record["history"], PARTS["history"], folder / HISTORY)
    record["scores"] = _read_part(folder, "scores")
    return record


def current(record: dict[str, Any]) -> dict[str, Any]:
    """Return `record` under current names, with the former defaults of settings that are newer than it.

    Args:
        record: `dict` with `experiment` and `data`, of a run directory or a result of any version.
    """
    record = renames.read_record(record)
    experiment = record["experiment"]
    if experiment.get("model") in ("nn", "cnn"):
        experiment["model_options"] = BEFORE_NAMED | experiment["model_options"]
    return record


def rows(path: StrPath) -> list[dict[str, Any]]:
    """Return the rows of the JSON lines at `path`, without an incomplete last line; a missing file has none.

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
    """Truncate history and histograms to the first `epochs` epochs, to continue from an earlier checkpoint."""
    for path in (pathlib.Path(folder) / HISTORY, pathlib.Path(folder) / HISTOGRAMS):
        if path.exists():
            kept = [json.dumps(row) + "\n" for row in rows(path) if row["epoch"] <= epochs]
            with writing(path) as temporary:
                temporary.write_text("".join(kept), encoding="utf-8")


@contextlib.contextmanager
def locked(folder: StrPath) -> Iterator[None]:
    """Lock `folder` for this process; the operating system releases the lock when the process ends.

    Raises:
        InputError: if another process has locked it.
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
    """Return the folders of the experiment's runs: that of new runs, then those of earlier versions."""
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
    """Return the size in bytes of the complete lines of `path`: only the last one can be incomplete."""
    return pathlib.Path(path).read_bytes().rfind(b"\n") + 1


def _read_run(path: pathlib.Path) -> dict[str, Any]:
    run = _parsed(path.read_bytes(), path)
    _check(run, RUN | {name: each for name, each in PARTS.items() if run.get(name) is not None}, path)
    if run["experiment"].get("model") in ("nn", "cnn"):
        _check(run, {"experiment": {"model_options": {}}}, path)
    return run


def _read_part(folder: pathlib.Path, name: str) -> dict[str, Any] | None:
    path = folder / f"{name}.json"
    if not path.is_file():
        return None
    part = _parsed(path.read_bytes(), path)
    _check(part, PARTS[name], path)
    return part


def _check(value: Any, expected: Any, place: StrPath) -> None:
    if reason := mismatch(value, expected):
        raise _damaged(place, reason)


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

"""Results of a sweep: a table, a JSON file and plots."""

import pathlib
import shlex
from collections.abc import Iterable
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from fer_keras.core.files import StrPath, plain, write_json
from fer_keras.sweep import plots
from fer_keras.sweep.file import Sweep
from fer_keras.sweep.storage import origin

STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "stopped early",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}
SHOWN = 10  # trials in the table


def result(sweep: Sweep, study: optuna.Study) -> dict[str, Any]:
    """Return the result of a sweep so far.

    Args:
        sweep: `fer_keras.sweep.file.Sweep`.
        study: its `optuna.Study`.

    Returns:
        `dict` with `sweep`, `program`, `method`, `metric`, `goal`; `trials`, a list of `dict` with `trial`
        (number), `state`, `value` (of the metric in the last epoch, or `None`), `epochs`, `settings` and `record`
        (path of the run directory on the machine that trained it); `best`, the best completed trial or `None`; and
        `command`, which trains the best trial again.
    """
    trials = study.get_trials(deepcopy=False)
    repeated = {number for trial in trials for number in trial.system_attrs.get("retry_history", [])}
    rows = [
        _row(sweep, trial)
        for trial in trials
        if trial.number not in repeated and not trial.user_attrs.get("duplicate")
    ]
    rows = sorted(rows, key=lambda row: row["trial"])
    best = next(iter(_ranked([row for row in rows if row["state"] == "complete"], sweep.goal)), None)
    words = [f"{key}={value}" for key, value in best["settings"].items()] if best else []
    return {
        "sweep": sweep.name,
        "program": sweep.program,
        "method": sweep.method,
        "metric": sweep.metric,
        "goal": sweep.goal,
        "best": best,
        "command": shlex.join(["fer-keras", "run", sweep.program, *words]) if best else None,
        "trials": rows,
    }


def table(result: dict[str, Any]) -> str:
    """Return the best trials of a `result` as text, and the command to train the best one again."""
    rows = [row for row in result["trials"] if row["value"] is not None]
    rows = _ranked(rows, result["goal"])
    counts = [
        f"{number} {state}"
        for state in STATES.values()
        if (number := sum(row["state"] == state for row in result["trials"]))
    ]
    lines = [f"{result['sweep']}: {len(result['trials'])} trials, {', '.join(counts)}"]
    lines += [f"{'trial':>5}  {result['metric']:>10}  epochs  settings"] if rows else []
    for row in rows[:SHOWN]:
        settings = " ".join(f"{key}={_short(value)}" for key, value in row["settings"].items())
        lines.append(f"{row['trial']:>5}  {row['value']:>10.4f}  {row['epochs']:>6}  {settings}")
    lines += [f"best: {result['command']}"] if result["best"] else []
    return "\n".join(lines)


def write(result: dict[str, Any], study: optuna.Study, folder: StrPath) -> dict[str, pathlib.Path]:
    """Write sweep.json and the pictures of a `result` into `folder`; return {title: `Path`} of the pictures."""
    write_json(pathlib.Path(folder) / "sweep.json", result)
    return plots.draw(result, study, folder)


def _row(sweep: Sweep, trial: FrozenTrial) -> dict[str, Any]:
    value = trial.value if trial.state == TrialState.COMPLETE else None
    if trial.intermediate_values and value is None:
        value = trial.intermediate_values[max(trial.intermediate_values)]
    return plain(
        {
            "trial": origin(trial),
            "state": STATES[trial.state],
            "value": value,
            "epochs": trial.last_step or 0,
            "settings": sweep.settings(trial.params),
            "record": trial.user_attrs.get("record"),
        }
    )


def _ranked(rows: Iterable[dict[str, Any]], goal: str) -> list[dict[str, Any]]:
    """Return `rows`, best first; trials stopped early come last."""
    sign = -1 if goal == "maximize" else 1
    return sorted(rows, key=lambda row: (row["state"] != "complete", sign * row["value"], row["trial"]))


def _short(value: Any) -> Any:
    return f"{value:.4g}" if isinstance(value, float) else value

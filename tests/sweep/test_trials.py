"""The trials of the study's sweep, as data: in agreement with its file, its page and its winner."""

import json
import pathlib

import pytest

from fer_keras.experiment import load
from fer_keras.sweep import file

ROOT = pathlib.Path(__file__).parents[2]
SWEEP = json.loads((ROOT / "experiments" / "sweep_trials.json").read_text(encoding="utf-8"))


def test_every_trial_is_of_the_sweeps_settings(monkeypatch):
    monkeypatch.chdir(ROOT)
    sweep = file.load("experiments/sweep.yaml")
    assert (SWEEP["sweep"], SWEEP["metric"], SWEEP["goal"]) == (sweep.name, sweep.metric, sweep.goal)
    assert [trial["trial"] for trial in SWEEP["trials"]] == list(range(sweep.trials))
    for trial in SWEEP["trials"]:
        assert trial["settings"].keys() == sweep.distributions.keys()
        for key, value in trial["settings"].items():
            kind = sweep.distributions[key]
            assert value in kind.choices if hasattr(kind, "choices") else kind.low <= value <= kind.high


def test_page_shows_the_trials_best_first_and_those_stopped_early_last():
    text = (ROOT / "docs" / "sweep.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if "_cycle |" in line or "constant |" in line or "cosine |" in line
    ]
    order = sorted(SWEEP["trials"], key=lambda trial: (trial["epochs"] < 10, -trial["value"]))
    for row, trial in zip(rows, order, strict=True):
        shown = [f"{100 * trial['value']:.2f}", trial["epochs"], *trial["settings"].values()]
        assert [row[0], *row[1:]] == [str(trial["trial"]), *(_shown(value) for value in shown)]


def _shown(value):
    return value if isinstance(value, str) else f"{value:g}"


def test_the_best_completed_trial_is_an_experiment():
    complete = [trial for trial in SWEEP["trials"] if trial["state"] == "complete"]
    best = max(complete, key=lambda trial: trial["value"])
    assert best["trial"] == SWEEP["best"]
    experiment = load(ROOT / "experiments" / "cnn_sweep_best.py")
    for key, value in best["settings"].items():
        field, _, option = key.partition(".")
        own = getattr(experiment, field)
        assert (own[option] if option else own) == (
            value if isinstance(value, str) else pytest.approx(value, rel=1e-3)
        )

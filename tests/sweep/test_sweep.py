"""Sweeps: the file's format, what workers share, and what becomes of trials, killed ones included."""

import contextlib
import json
import pathlib
import signal
import sys
import time

import pytest
import yaml
from click.testing import CliRunner
from helpers.sweeps import GRID, on_postgres, server, wait_for, worker, write
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import HyperbandPruner, ThresholdPruner
from optuna.trial import TrialState

from fer_keras import Experiment, models
from fer_keras.cli import cli
from fer_keras.core.errors import InputError
from fer_keras.experiment import override
from fer_keras.runs import pipeline, records
from fer_keras.sweep import file as sweep_file
from fer_keras.sweep import results as sweep_results
from fer_keras.sweep import search as sweep
from fer_keras.sweep import storage as sweep_storage

ROOT = pathlib.Path(__file__).parents[2]

pytestmark = pytest.mark.filterwarnings(f"ignore::{ExperimentalWarning.__module__}.{ExperimentalWarning.__name__}")


def run(path="search.yaml", **options):
    return sweep.run(path, data="faces.csv", **options)


def parameter(**spec):
    """Return what the format's `spec` becomes."""
    return sweep_file._parameter("key", spec)


# Settings given as KEY=VALUE.


@pytest.mark.parametrize(
    "text, field, value",
    [
        ("learning_rate=0.01", "learning_rate", 0.01),
        ("learning_rate=1e-05", "learning_rate", 1e-5),
        ("batch_size=64", "batch_size", 64),
        ("normalization=true", "normalization", True),
        ("normalization=False", "normalization", False),
        ("augmentation=['flip']", "augmentation", ("flip",)),
        ("optimizer=sgd", "optimizer", "sgd"),
        ("name=007", "name", "007"),
        ("model_options.units=[8, 4]", "model_options", {"units": (8, 4), "dropout": 0.1}),
        ("model_options.dropout=0.5", "model_options", {"units": (2,), "dropout": 0.5}),
        (
            "model_options.normalization=None",
            "model_options",
            {"units": (2,), "dropout": 0.1, "normalization": None},
        ),
        (
            "model_options.activation=leaky=1",
            "model_options",
            {"units": (2,), "dropout": 0.1, "activation": "leaky=1"},
        ),
        ("model_options={'units': (1,)}", "model_options", {"units": (1,)}),
    ],
)
def test_override(text, field, value):
    before = Experiment(name="x", model_options={"units": (2,), "dropout": 0.1})
    after = override(before, [text])
    assert getattr(after, field) == value
    assert type(getattr(after, field)) is type(value)
    assert override(after, [f"name={before.name}", f"{field}={getattr(before, field)}"]) == before
    assert before.model_options == {"units": (2,), "dropout": 0.1}


@pytest.mark.parametrize(
    "text, message",
    [
        ("learning_rate", "A setting must be KEY=VALUE, such as learning_rate=0.01. Received 'learning_rate'."),
        ("=1", "Received '=1'."),
        ("lerning_rate=1", "An experiment has no setting 'lerning_rate'. Did you mean 'learning_rate'?"),
        ("zzz.dropout=1", "no setting 'zzz'. Expected one of: name, model, model_options, "),
        ("learning_rate.x=1", "The setting 'learning_rate' has no options. Received 'learning_rate.x=1'."),
        ("learning_rate=fast", "learning_rate must be a number above 0. Received 'fast'."),
        ("normalization=no", "normalization must be True or False. Received 'no'."),
        ("model_options=3", "model_options must be a dict. Received 3."),
    ],
)
def test_override_refuses(text, message):
    with pytest.raises(InputError) as error:
        override(Experiment(name="x"), [text])
    assert message in str(error.value)


# The format.


@pytest.mark.parametrize(
    "spec, expected",
    [
        ({"value": 3}, 3),
        ({"value": None}, None),
        ({"value": "adam", "distribution": "constant"}, "adam"),
        ({"values": [1, "a", None, True]}, CategoricalDistribution([1, "a", None, True])),
        ({"values": [[32, 64], [64]]}, CategoricalDistribution(["[32, 64]", "[64]"])),
        ({"values": [1, 2], "distribution": "categorical"}, CategoricalDistribution([1, 2])),
        ({"min": 1, "max": 5}, IntDistribution(1, 5)),
        ({"min": 1.0, "max": 5}, FloatDistribution(1.0, 5.0)),
        ({"min": 1, "max": 5, "distribution": "int_uniform"}, IntDistribution(1, 5)),
        ({"min": 0, "max": 1, "distribution": "uniform"}, FloatDistribution(0.0, 1.0)),
        (
            {"min": 1e-4, "max": 1, "distribution": "log_uniform_values"},
            FloatDistribution(1e-4, 1.0, log=True),
        ),
        ({"min": 0, "max": 9, "q": 3, "distribution": "q_uniform"}, IntDistribution(0, 9, step=3)),
        ({"min": 0, "max": 9, "distribution": "q_uniform"}, IntDistribution(0, 9)),
        (
            {"min": 0.0, "max": 0.6, "q": 0.2, "distribution": "q_uniform"},
            FloatDistribution(0.0, 0.6, step=0.2),
        ),
        ({"min": 1, "max": 64, "distribution": "q_log_uniform_values"}, IntDistribution(1, 64, log=True)),
    ],
)
def test_parameters(spec, expected):
    assert parameter(**spec) == expected


@pytest.mark.parametrize(
    "spec, message",
    [
        ({"distribution": "normal", "mu": 0, "sigma": 1}, "The distribution 'normal' of 'key' has no counterpart"),
        ({"distribution": "log_uniform", "min": -3, "max": 0}, "The distribution 'log_uniform' of 'key' has no"),
        ({"values": [1, 2], "probabilities": [0.1, 0.9]}, "has the key 'probabilities', which is not supported"),
        ({"min": 1, "max": 5, "valus": 1}, "has the key 'valus', which is not supported here."),
        ({"min": 1}, "'key' needs value, values, or min and max. Received {'min': 1}."),
        ({"min": 1, "distribution": "uniform"}, "The parameter 'key' lacks max, which uniform needs."),
        ({"values": 3}, "The values of 'key' must be a list. Received 3."),
        ({"min": "1e-3", "max": 1.0}, "needs numbers. Received '1e-3' (YAML reads 1e-3 as text: write 1.0e-3)."),
        ({"min": 5, "max": 1}, "needs min < max and q > 0. Received 5, 1 and 1."),
        ({"min": 0.5, "max": 2, "distribution": "int_uniform"}, "min and max must be whole numbers."),
        ({"min": 0, "max": 2, "distribution": "log_uniform_values"}, "min must be above 0. Received 0."),
        (
            {"min": 2, "max": 8, "q": 2, "distribution": "q_log_uniform_values"},
            "Steps on a log scale, as of 'key'",
        ),
        (
            {"min": 0.0, "max": 0.5, "q": 0.2, "distribution": "q_uniform"},
            "The min and max of 'key' must be multiples of q.",
        ),
        ({"min": -1.7e308, "max": 1.7e308}, "The range of 'key' is too wide."),
        (
            {"min": 0.0, "max": 1e300, "q": 1e-9, "distribution": "q_uniform"},
            "The q of 'key' is too small. Expected at most 1,000,000,000 steps",
        ),
        (
            {"parameters": {"a": {"value": 1}}},
            "Parameters within 'key' are not read here. Write key.NAME instead.",
        ),
    ],
)
def test_parameters_refused(spec, message):
    with pytest.raises(InputError) as error:
        parameter(**spec)
    assert message in str(error.value)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"method": "hyper"}, "The sweep's method must be one of: bayes, random, grid. Received 'hyper'."),
        ({"method": None}, "The sweep lacks 'method'."),
        (
            {"run_caps": 3},
            "The sweep has the key 'run_caps', which is not supported here. Did you mean 'run_cap'?",
        ),
        (
            {"metric": {"name": "accuracy"}},
            "must be one of: train_loss, train_acc, val_loss, val_acc. Received 'acc",
        ),
        (
            {"metric": {"name": "val_acc", "goal": "max"}},
            "goal must be one of: maximize, minimize. Received 'max'.",
        ),
        ({"method": "bayes"}, "Expected run_cap: the number of trials."),
        ({"method": "random", "run_cap": 0}, "run_cap must be a whole number above 0. Received 0."),
        ({"parameters": {"learning_rate": {"min": 0.1, "max": 0.2}}}, "A grid needs an end of values. Give 'lear"),
        ({"parameters": {"learning_rate": {"value": 0.1}}}, "The sweep varies nothing."),
        ({"parameters": {"lerning_rate": {"values": [0.1, 0.2]}}}, "Did you mean 'learning_rate'?"),
        ({"parameters": {"learning_rate": {"values": [0.1, -0.2]}}}, "a number above 0. Received -0.2."),
        ({"program": "none.py"}, "No experiment file 'none.py'."),
        ({"name": "a/b"}, "A sweep's name is of letters"),
        (
            {"early_terminate": {"type": "median"}},
            "The only type of early_terminate is hyperband. Received 'median'.",
        ),
        (
            {"early_terminate": {"type": "hyperband", "max_iter": 9, "s": 2}},
            "'max_iter' has no counterpart in Optuna",
        ),
        ({"early_terminate": {"type": "hyperband"}}, "min_iter must be a whole number from 1 on. Received None."),
    ],
)
def test_file_refused(place, changes, message):
    with pytest.raises(InputError) as error:
        sweep_file.load(write(**changes))
    assert message in str(error.value)


@pytest.mark.parametrize(
    "text, message",
    [
        (None, "No sweep file 'search.yaml'. Expected a path such as experiments/sweep.yaml."),
        ("method: [", "search.yaml is not YAML that can be read: while parsing"),
        ("3", "search.yaml must hold keys such as method and parameters. Received 3."),
    ],
)
def test_unreadable_file(place, text, message):
    if text:
        (place / "search.yaml").write_text(text)
    with pytest.raises(InputError) as error:
        sweep_file.load("search.yaml")
    assert message in str(error.value)


VARIED = "program: tiny.py\nmethod: {method}\nrun_cap: 2\nmetric: {{name: val_acc, goal: maximize}}\n"
VARIED += "parameters:\n  {setting}: {spec}\n"


@pytest.mark.parametrize(
    "line, message",
    [
        ("name: 2001-99-99", "not YAML that can be read: month must be in 1..12"),
        ("name: 2001-09-09", "holds a date: datetime.date(2001, 9, 9). Put it in quotes to make it a text."),
        ("name: !!bool maybe", "not YAML that can be read: 'maybe'"),
        ("name: !!timestamp soon", "not YAML that can be read"),
        ("name: !!float abc", "could not convert string to float"),
        ("name: !!binary aGk=", "holds a bytes: b'hi'."),
        ("description: " + "9" * 5000, "Exceeds the limit (4300 digits)"),
        ("description: 0x" + "f" * 40, "holds a whole number of 160 bits. Expected at most 63."),
        ("description: " + "a" * 1001, "holds a text of 1,001 characters. Expected at most 1,000."),
        ("description: " + "[" * 5000 + "]" * 5000, "maximum recursion depth"),
        ("description: &r [*r]", "holds more than 10,000 values."),
        (
            "description: [" + "&a [x, x, x, x, x, x, x, x, x, x], " + ", ".join(["*a"] * 999) + "]",
            "10,000 values",
        ),
        ("method: grid", "key 'method' stands twice"),
        ("on: 1", "has the key True. Expected a text: put it in quotes."),
        ("name: " + "a" * 65, "64 at most."),
        ("  name: {values: [../x, y]}", "Remove 'name' from the parameters."),
        ("description: " + "a: " * 3 + "b", "not YAML that can be read"),
    ],
)
def test_any_content_ends_in_one_line(place, line, message):
    text = VARIED.format(method="random", setting="seed", spec="{min: 0, max: 3}")
    (place / "search.yaml").write_text(f"{text}{line}\n")
    with pytest.raises(InputError) as error:
        sweep_file.load("search.yaml")
    assert message in str(error.value)
    assert len(str(error.value)) < 500 and "\n" not in str(error.value)


def test_a_file_that_is_too_large_is_not_read(place):
    (place / "search.yaml").write_bytes(b"#" * ((1 << 20) + 1))
    with pytest.raises(InputError, match="search.yaml is too large for a sweep file. Expected at most 1 MiB."):
        sweep_file.load("search.yaml")


@pytest.mark.parametrize(
    "spec",
    [
        "{min: 0, max: 3000000000}",
        "{min: 0.0, max: 1.0, q: 1.0e-9, distribution: q_uniform}",
    ],
)
def test_a_grid_that_is_too_large_is_refused_before_it_is_counted_out(place, spec):
    (place / "search.yaml").write_text(VARIED.format(method="grid", setting="learning_rate", spec=spec))
    with pytest.raises(InputError, match="The grid has more than 10,000 combinations."):
        sweep_file.load("search.yaml")


def test_an_accuracy_without_a_goal_is_minimized_with_a_warning(place, caplog):
    assert sweep_file.load(write(metric={"name": "val_acc"})).goal == "minimize"
    assert "The sweep minimizes val_acc" in caplog.text and "write goal: maximize" in caplog.text
    caplog.clear()
    assert sweep_file.load(write(metric={"name": "val_loss"})).goal == "minimize"
    assert caplog.text == ""


def test_sweep(place):
    parameters = {
        "epochs": {"values": [2, 9, 5]},
        "model_options.dropout": {"min": 0.0, "max": 0.5, "q": 0.05, "distribution": "q_uniform"},
        "seed": {"value": 4},
    }
    found = sweep_file.load(write(method="random", run_cap=7, parameters=parameters))
    assert (found.name, found.trials, found.goal, found.early, found.epochs) == ("search", 7, "maximize", None, 9)
    assert found.settings({"epochs": 2, "model_options.dropout": 3 * 0.05}) == {
        "seed": 4,
        "epochs": 2,
        "model_options.dropout": 0.15,
    }


def test_cells_are_exact_and_counted(place):
    distributions = {
        "a": FloatDistribution(0.0, 0.3, step=0.1),
        "b": IntDistribution(1, 5, step=2),
        "c": CategoricalDistribution(["x", None]),
    }
    cells = sweep_file.cells(distributions)
    assert len(cells) == 24
    assert cells[0] == {"a": 0.0, "b": 1, "c": "x"} and cells[-1] == {"a": 0.3, "b": 5, "c": None}
    assert cells[3] == {"a": 0.0, "b": 3, "c": None}
    assert sweep_file.load(write()).trials == 6
    assert sweep_file.load(write(run_cap=4)).trials == 4


def test_early_termination_becomes_hyperband(place):
    early = {"type": "hyperband", "min_iter": 1, "eta": 2}
    found = sweep_file.load(write(early_terminate=early, parameters=GRID | {"epochs": {"value": 8}}))
    pruner = sweep_storage._pruner(found)
    assert isinstance(pruner, HyperbandPruner)
    assert (pruner._min_resource, pruner._max_resource, pruner._reduction_factor) == (1, 8, 2)


# The study's own sweep, and wandb.


def agent_words(path, settings):
    """Return what wandb's agent would put behind the program, by wandb's own code."""
    from wandb.sdk.launch.sweeps import utils

    command = utils.create_sweep_command(yaml.safe_load(pathlib.Path(path).read_text())["command"])
    assert command == ["${env}", "${interpreter}", "${program}", "${args_no_hyphens}"]
    args = {"args": {key: {"value": value} for key, value in settings.items()}}
    return utils.create_sweep_command_args(args)["args_no_hyphens"]


def test_study_sweep_is_read_by_wandb_and_by_us_alike(monkeypatch):
    from wandb.sdk.sweeps.scheduler.optuna import search_space_from_sweep_config

    monkeypatch.chdir(ROOT)
    found = sweep_file.load("experiments/sweep.yaml")
    parameters = yaml.safe_load(pathlib.Path("experiments/sweep.yaml").read_text())["parameters"]
    assert found.distributions == search_space_from_sweep_config(parameters)
    assert (found.name, found.method, found.metric, found.trials) == ("3-2-Sweep", "bayes", "val_acc", 16)
    assert models.resolved(found.experiment)["name"] == "3-2-Best"


def test_wandbs_agent_and_ours_set_the_same(monkeypatch):
    monkeypatch.chdir(ROOT)
    found = sweep_file.load("experiments/sweep.yaml")
    settings = {"learning_rate": 3e-05, "model_options.filters": [32, 64, 128], "optimizer": "adamw"}
    words = agent_words("experiments/sweep.yaml", settings)
    seen = []
    monkeypatch.setattr(pipeline, "run", lambda experiment, **_: seen.append(experiment) or sys.exit(9))
    for each in (words, [f"{key}={value}" for key, value in settings.items()]):
        assert CliRunner().invoke(cli, ["run", "experiments/cnn_best.py", *each]).exit_code == 9
    assert seen[0] == seen[1] == override(found.experiment, words)
    assert seen[0].model_options == {**found.experiment.model_options, "filters": (32, 64, 128)}
    assert (seen[0].learning_rate, seen[0].optimizer) == (3e-5, "adamw")


def test_run_refuses_an_unknown_setting(place):
    done = CliRunner().invoke(cli, ["run", "tiny.py", "epoch=3"])
    assert (done.exit_code, done.output) == (
        2,
        "Error: An experiment has no setting 'epoch'. Did you mean 'epochs'?\n",
    )


# Running.


def test_grid_to_the_end(place, caplog):
    caplog.set_level("INFO", "fer_keras")
    result = run(write(), workers=2)
    assert [row["settings"] for row in result["trials"]] == sweep_file.cells(
        sweep_file.load("search.yaml").distributions
    )
    assert {row["state"] for row in result["trials"]} == {"complete"}
    assert result["best"]["settings"] == {"learning_rate": 0.3, "batch_size": 8}
    assert result["best"]["value"] == pytest.approx(0.9)
    assert result["best"]["record"] == "runs/sweeps/search/002/search-002/20300101-000000"
    assert result["command"] == "fer-keras run tiny.py learning_rate=0.3 batch_size=8"
    assert json.loads((place / "sweeps/search/sweep.json").read_text()) == result
    assert "trial 002 of 6: val_acc 0.9000  learning_rate=0.3 batch_size=8" in caplog.messages
    pictures = ["parallel_coordinates.png", "parameter_importance.png", "sweep_history.png"]
    assert sorted(path.name for path in place.glob("sweeps/search/*.png")) == pictures
    assert sweep_results.table(result).splitlines()[:3] == [
        "search: 6 trials, 6 complete",
        "trial     val_acc  epochs  settings",
        "    2      0.9000       3  learning_rate=0.3 batch_size=8",
    ]
    assert list(place.glob("sweeps/search/workers/*")) == []
    assert run() == result
    assert "run.json" not in caplog.text


def test_random_and_bayes_go_on_to_a_raised_cap(place):
    parameters = {"learning_rate": {"min": 0.1, "max": 0.3}, "batch_size": {"values": [8, 16]}}
    for method in ("random", "bayes"):
        options = {"method": method, "parameters": parameters, "name": method}
        assert len(run(write(run_cap=2, **options))["trials"]) == 2
        result = run(write(run_cap=3, **options))
        assert [row["trial"] for row in result["trials"]] == [0, 1, 2]
        assert all(0.1 <= row["settings"]["learning_rate"] <= 0.3 for row in result["trials"])


def test_goal_minimize(place):
    parameters = {"learning_rate": {"values": [0.2, 0.1]}}
    result = run(write(metric={"name": "val_acc", "goal": "minimize"}, parameters=parameters))
    assert result["best"]["settings"] == {"learning_rate": 0.1}
    assert sweep_results.table(result).splitlines()[2].startswith("    1      0.3000")


def test_hopeless_trials_are_stopped(place, monkeypatch):
    monkeypatch.setenv("FAKE_SECONDS", "0.3")
    monkeypatch.setattr(sweep_storage, "_pruner", lambda sweep: ThresholdPruner(lower=0.15))
    result = run(write(parameters={"learning_rate": {"values": [0.1, 0.2]}}))
    stopped, complete = result["trials"]
    assert (stopped["state"], stopped["epochs"], stopped["value"]) == ("stopped early", 1, 0.1)
    assert (complete["state"], complete["epochs"]) == ("complete", 3)
    assert result["best"] == complete
    assert len(records.rows(pathlib.Path(stopped["record"]) / "history.jsonl")) == 1


def test_what_is_all_but_done_is_not_stopped(place, monkeypatch):
    monkeypatch.setenv("FAKE_SECONDS", "0.2")
    monkeypatch.setattr(sweep_storage, "_pruner", lambda sweep: ThresholdPruner(lower=9, n_warmup_steps=3))
    result = run(write(parameters={"learning_rate": {"values": [0.1, 0.2]}}, run_cap=1))
    assert [row["state"] for row in result["trials"]] == ["complete"]


def test_a_failure_is_logged_and_the_others_go_on(place):
    result = run(write(parameters={"learning_rate": {"values": [0.1, 0.2]}, "batch_size": {"values": [13, 16]}}))
    assert [row["state"] for row in result["trials"]] == ["failed", "complete", "failed", "complete"]
    assert sweep_results.table(result).startswith("search: 4 trials, 2 complete, 2 failed\n")


def test_failures_in_a_row_end_the_sweep(place):
    parameters = {"learning_rate": {"values": [0.1, 0.2, 0.3, 0.4]}, "batch_size": {"value": 13}}
    with pytest.raises(
        InputError, match=r"3 trials failed in a row. The last one failed, exit code 1, see .*/002/"
    ):
        run(write(parameters=parameters))
    assert "thirteen is too many" in pathlib.Path("runs/sweeps/search/002/output.log").read_text()
    assert json.loads(pathlib.Path("sweeps/search/sweep.json").read_text())["best"] is None


def test_another_sweep_of_the_same_name_is_refused(place):
    run(write(run_cap=1))
    with pytest.raises(
        InputError, match="The sweep 'search' was begun with other parameters. Its trials cannot be"
    ):
        run(write(run_cap=1, parameters=GRID | {"seed": {"value": 1}}))
    (place / "faces.csv").write_text((place / "faces.csv").read_text().replace("\n1,", "\n2,", 1))
    with pytest.raises(InputError, match="was begun with other data."):
        run(write(run_cap=1))


def test_a_misspelt_model_option_is_refused_at_once(place):
    with pytest.raises(InputError, match="Model 'nn' has no option 'dropuot'"):
        run(write(parameters={"model_options.dropuot": {"values": [0.1, 0.2]}}))
    assert not (place / "sweeps").exists()


# What workers share.


def opened(**changes):
    return sweep_storage.Storage(sweep_file.load(write(**changes)), "sweeps/search")


def test_a_dead_workers_trial_is_begun_again_on_its_host(place):
    dead, living = opened(), opened()
    lost = dead.take()
    with living.joined():
        again = living.take()
        assert again.params == lost.params
        assert [trial.state for trial in living.trials()] == [TrialState.FAIL, TrialState.RUNNING]
        assert sweep_storage.origin(living.trials()[1]) == 0
        assert living.take().params == {"learning_rate": 0.1, "batch_size": 16}


def test_a_trial_whose_worker_was_killed_before_it_had_its_name_is_begun_again(place):
    killed = opened(run_cap=1)
    trial = killed.study.ask({"learning_rate": killed.sweep.distributions["learning_rate"]})
    trial.set_user_attr("host", killed.host)
    again = opened(run_cap=1).take()
    assert again.params == {"learning_rate": 0.1, "batch_size": 8}
    assert [t.state for t in killed.trials()] == [TrialState.FAIL, TrialState.RUNNING]
    assert sweep_storage.places(killed.trials()) == [0]


@pytest.mark.parametrize("step", ["repeat", "tell"])
def test_a_kill_while_a_trial_is_put_back_repeats_it_once(place, monkeypatch, step):
    worker, other = opened(run_cap=1), opened(run_cap=1)
    trial = worker.take()

    def killed(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(*((worker.study, "tell") if step == "tell" else (sweep_storage, "_repeat")), killed)
        with pytest.raises(KeyboardInterrupt):
            worker.give_back(trial)
    assert other.take().params == trial.params
    assert [t.state for t in other.trials()] == [TrialState.FAIL, TrialState.RUNNING]


def test_a_living_workers_trial_is_left_alone_and_awaited(place):
    first, second = opened(), opened()
    with first.joined():
        first.take()
        assert second.take().params == {"learning_rate": 0.1, "batch_size": 16}
        assert opened().awaits_others()


def test_another_hosts_trial_is_left_alone(place, monkeypatch):
    distant, here = opened(), opened()
    distant.host = "elsewhere"
    distant.take()
    assert not here.awaits_others()
    assert here.take().params == {"learning_rate": 0.1, "batch_size": 16}


def test_a_trial_taken_over_by_another_worker_is_let_go(place, monkeypatch, caplog):
    caplog.set_level("INFO", "fer_keras")
    monkeypatch.setenv("FAKE_SECONDS", "0.5")
    slept, other = opened(run_cap=1), opened(run_cap=1)
    trials = sweep.Trials(slept, 1, [], pathlib.Path("runs"))
    job = trials.next_job()
    other._reclaim()
    again = other.take()
    wait_for(lambda: trials.is_over(job))
    job.process.close()
    assert job.process.exit_code() == -signal.SIGTERM
    assert caplog.messages[-1].startswith("trial 000 of 1: taken over by another worker")
    assert other.trials()[again.number].state == TrialState.RUNNING


def test_a_deadly_trial_is_not_tried_for_ever(place):
    for _ in range(sweep_storage.MOST_RETRIES + 1):
        trial = opened(run_cap=1).take()
        assert trial.params == {"learning_rate": 0.1, "batch_size": 8}
    assert opened(run_cap=1).take() is None


def test_two_workers_at_the_last_place(place, monkeypatch):
    first, second = opened(run_cap=1), opened(run_cap=1)
    answers = [[]]  # the second looks before the first has begun, and begins after it
    honest = second.trials
    monkeypatch.setattr(second, "trials", lambda: answers.pop() if answers else honest())
    monkeypatch.setattr(second, "_reclaim", lambda: None)
    with first.joined():
        assert first.take() is not None
        assert second.take() is None
    assert sweep_storage.places(honest()) == [0]
    assert len(sweep_results.result(first.sweep, first.study)["trials"]) == 1


@pytest.mark.parametrize(
    "storage, message",
    [
        ("mysql://me@host/db", r"Storage must be a path or postgresql://USER@HOST/DATABASE. Received mysql://..."),
        (
            "postgresql://me:secret@127.0.0.1:1/db",
            "The storage cannot be reached: .*Expected postgresql://USER@HOST",
        ),
    ],
)
def test_storage_that_cannot_be_used(place, storage, message):
    pytest.importorskip("psycopg")
    with pytest.raises(InputError, match=message) as error:
        run(write(), storage=storage)
    assert "secret" not in str(error.value)


def test_a_sweep_goes_on_from_a_torn_journal(place):
    run(write(run_cap=2))
    journal = pathlib.Path("sweeps/search/journal.log")
    journal.write_bytes(journal.read_bytes()[:-20])
    assert [row["state"] for row in run(write(run_cap=3))["trials"]][-1] == "complete"


def test_a_journal_that_is_not_optunas_is_named(place):
    run(write(run_cap=1))
    journal = pathlib.Path("sweeps/search/journal.log")
    journal.write_text(journal.read_text().replace('"op_code":0', '"op_code":99', 1))
    with pytest.raises(InputError, match="journal.log is not an Optuna journal"):
        run(write(run_cap=2))


# Processes.


def histories():
    return list(pathlib.Path().glob("runs/**/history.jsonl"))


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_second_call_goes_on(place, monkeypatch, end):
    monkeypatch.setenv("FAKE_SECONDS", "2")
    write()
    process = worker()
    wait_for(histories)
    process.send_signal(end)
    errors = process.communicate(timeout=180)[1]
    assert ("KeyboardInterrupt" in errors) == (end == signal.SIGINT)
    time.sleep(3)
    assert len(records.rows(histories()[0])) <= 1  # the training ended with its sweep
    monkeypatch.setenv("FAKE_SECONDS", "0")
    result = run(workers=3)
    assert [row["state"] for row in result["trials"]] == ["complete"] * 6
    assert len({json.dumps(row["settings"]) for row in result["trials"]}) == 6


@pytest.mark.slow
def test_real_trainings(place, monkeypatch):
    monkeypatch.setattr(sweep, "COMMAND", [sys.executable, "-m", "fer_keras", "run"])
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    parameters = {"model_options.units": {"values": [[4], [8, 4]]}, "epochs": {"value": 2}}
    result = run(write(parameters=parameters), workers=2)
    assert [row["state"] for row in result["trials"]] == ["complete", "complete"]
    record = records.read(result["trials"][1]["record"])
    assert record["experiment"]["model_options"]["units"] == [8, 4]
    assert record["history"][-1]["val_acc"] == result["trials"][1]["value"]
    assert (result["trials"][1]["epochs"], record["scores"]["images"]) == (2, 14)


@pytest.mark.slow
@pytest.mark.postgres
@on_postgres
def test_two_workers_on_postgresql_one_killed(place, monkeypatch):
    pytest.importorskip("psycopg")
    monkeypatch.setenv("FAKE_SECONDS", "0.5")
    write()
    with server() as storage:
        workers = [worker(storage, heartbeat=1), worker(storage, heartbeat=1)]
        wait_for(lambda: len(histories()) >= 2)
        workers[0].kill()
        workers[0].communicate()
        errors = workers[1].communicate(timeout=300)[1]
        assert workers[1].returncode == 0, errors
        result = run(storage=storage)
        with contextlib.closing(
            sweep_storage.Storage(sweep_file.load("search.yaml"), "sweeps/search", storage)
        ) as storage_:
            trials = storage_.trials()
    failed = [trial for trial in trials if trial.state == TrialState.FAIL]
    again = [trial for trial in trials if sweep_storage.origin(trial) != trial.number]
    assert [row["state"] for row in result["trials"]] == ["complete"] * 6
    assert len({json.dumps(row["settings"]) for row in result["trials"]}) == 6
    assert [trial.params for trial in failed] == [trial.params for trial in again]
    assert len(failed) == 1


@pytest.mark.slow
@pytest.mark.postgres
@on_postgres
def test_a_lost_database_is_an_input_error(place, monkeypatch):
    pytest.importorskip("psycopg")
    monkeypatch.setenv("FAKE_SECONDS", "2")
    write()
    with server() as storage:
        process = worker(storage)
        wait_for(histories)
    errors = process.communicate(timeout=180)[1]
    assert "InputError: The storage was lost: " in errors
    assert len(records.rows(histories()[0])) < 3  # the training ended with its sweep

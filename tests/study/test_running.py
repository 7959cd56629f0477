"""The study's runner: what it picks, what it skips, what it does with processes."""

import contextlib
import pathlib
import subprocess
import sys
from types import SimpleNamespace

import click.testing
import numpy as np
import pytest
from helpers import report_results
from helpers.sweeps import wait_for

from fer_keras import models, study
from fer_keras.cli import cli
from fer_keras.core.errors import InputError
from fer_keras.study import STEPS, results, running

EXPERIMENTS = pathlib.Path(__file__).parents[2] / "experiments"
TINY = """
from fer_keras import Experiment
experiment = Experiment(name="{name}", model_options={{"units": (4,)}}, epochs=2, batch_size=16)
"""


def names(files):
    return [experiment.name for experiment in files.values()]


def test_files_are_in_the_studys_order():
    ordered = names(running.experiment_files(EXPERIMENTS))
    assert ordered[:3] == ["1-Layer-NN", "2-1024-Layer-NN", "3-1024-Layer-NN"]
    assert ordered.index("3-2-Best") > ordered.index("1-1-CNN")


def test_select_by_name_stem_and_step():
    files = running.experiment_files(EXPERIMENTS)
    assert names(running.select(files, ["3-2-Best", "nn_1_layer"])) == ["1-Layer-NN", "3-2-Best"]
    assert len(running.select(files, step=3)) == 3
    of_the_study = {name for step in STEPS for name in step.runs}
    assert names(running.select(files)) == [name for name in names(files) if name in of_the_study]
    assert names(running.select(files, ["Resnet-Small"])) == ["Resnet-Small"]


def test_unknown_name_and_step():
    files = running.experiment_files(EXPERIMENTS)
    with pytest.raises(InputError, match="No run '1-Layer-MN' in the study. Did you mean '1-Layer-NN'?"):
        running.select(files, ["1-Layer-MN"])
    with pytest.raises(InputError, match="No step 13 in the study. Expected one of 1 to 12."):
        running.select(files, step=13)


def test_no_experiments(tmp_path):
    with pytest.raises(InputError, match="No experiment files in"):
        running.experiment_files(tmp_path)


def write_experiments(folder, *stems):
    for stem in stems:
        (folder / f"{stem}.py").write_text(TINY.format(name=stem))
    return running.experiment_files(folder)


def test_plan_takes_every_first_seed_first(tmp_path):
    jobs = running.plan(write_experiments(tmp_path, "a", "b"), 2, None, tmp_path / "results")
    assert [job.title for job in jobs] == ["a seed 0", "b seed 0", "a seed 1", "b seed 1"]
    assert running.first_seed("1-Layer-NN") == 3  # after the pilot's
    assert jobs[3].result == tmp_path / "results" / "b" / "1.json"
    assert {job.experiment.epochs for job in jobs} == {2}


def test_quick_looks_and_demos_leave_the_studys_results_alone():
    assert running.home("experiments", False, None) == pathlib.Path("experiments/results")
    assert running.home("experiments", False, 1) == pathlib.Path("experiments/results/epochs-1")
    assert running.home("experiments", True, 2) == pathlib.Path("experiments/results/synthetic/epochs-2")


def test_missing_compares_settings_and_data(tmp_path):
    (job,) = running.plan(write_experiments(tmp_path, "a"), 1, None, tmp_path / "results")
    assert running.missing([job], "digest") == [job]
    settings = models.resolved(job.experiment)
    known = report_results.result("a", 0, 0.4, 0.4)
    known["data"]["digest"] = "digest"
    results.write(job.result, {**known, "experiment": settings})
    assert running.missing([job], "digest") == []
    assert running.missing([job], "other data") == [job]
    older = {key: value for key, value in settings.items() if key != "label_smoothing"}  # before that setting
    results.write(job.result, {**known, "experiment": older})
    assert running.missing([job], "digest") == []
    results.write(job.result, {**known, "experiment": {**settings, "batch_size": 17}})
    assert running.missing([job], "digest") == [job]


def test_experiment_of_other_labels_is_no_run_of_the_study(tmp_path):
    with pytest.raises(InputError, match="resnet_tiny_ferplus.py is of fer. labels, but the study"):
        running.run(["resnet_tiny_ferplus"], folder=EXPERIMENTS, output=tmp_path)


def test_failed_run_is_logged_and_the_others_go_on(tmp_path, caplog):
    jobs = running.plan(write_experiments(tmp_path, "a", "b"), 1, None, tmp_path / "results")
    for job in jobs:
        job.file.unlink()
    with running.Runs(jobs, 2, [], tmp_path / "runs", {"digest": "digest", "synthetic": False}, 2) as runs:
        runs.run_all()
    assert (runs.done, sorted(job.title for job in runs.failed)) == ([], ["a seed 0", "b seed 0"])
    assert "failed  a seed 0, exit code 2" in caplog.messages


def write_accuracies(folder, **runs):
    """Write a result for each value of each run, the first of the study's first seed."""
    for stem, values in runs.items():
        for seed, accuracy in enumerate(values, study.FIRST_SEED):
            one = report_results.result(stem, seed, accuracy, accuracy)
            accuracies = dict.fromkeys(("train_acc", "val_acc", "train_acc_inference"), accuracy)
            one["history"] = [one["history"][0] | accuracies]
            results.write(results.path(folder / "results", stem, seed), one)


def test_decide_adds_seeds_to_the_runs_of_inconclusive_findings_alone(tmp_path, monkeypatch):
    write_experiments(tmp_path, "a", "b", "c", "d")
    more = (0.0, float("inf"))
    clear = study.Finding(1, "a is better.", "val_acc", more, (("a", "b"),))
    unclear = study.Finding(1, "c is better.", "val_acc", more, (("c", "b"),))
    monkeypatch.setattr(study, "FINDINGS", (clear, unclear))
    monkeypatch.setattr(study, "STEPS", (study.Step(1, "?", "!", ("a", "b", "c", "d")),))
    monkeypatch.setattr(running, "load_data", lambda path: SimpleNamespace(synthetic=False))
    asked = []

    def run(names, seeds, folder, **options):
        asked.append((names, seeds))
        noise = [0.4, 0.6] * (seeds // 2)
        write_accuracies(tmp_path, a=[0.9] * seeds, b=[0.5] * seeds, c=noise, d=noise)
        experiments = {experiment.name: path for path, experiment in running.experiment_files(folder).items()}
        jobs = [running.Job(experiments[n], None, results.path(folder / "results", n, 3)) for n in names]
        return jobs, []

    monkeypatch.setattr(running, "run", run)
    looks = list(running.decide(folder=tmp_path))
    first, second, last = study.LOOKS
    # The mean of ±0.1 stays across 0, so all looks are used up; d is in no finding and has the first look alone.
    assert asked == [(["a", "b", "c", "d"], first), (["b", "c"], second), (["b", "c"], last)]
    assert [look.minutes for look in looks] == [6.0, 3.0, 3.0]
    assert {tuple(look.decided) for look in looks} == {("a is better.",)}
    assert looks[-1].inconclusive == ["c is better."]


def test_decide_stops_at_a_failed_run(tmp_path, monkeypatch):
    write_experiments(tmp_path, "a")
    monkeypatch.setattr(running, "load_data", lambda path: SimpleNamespace(synthetic=False))
    monkeypatch.setattr(running, "run", lambda names, **options: ([], ["a seed 3"]))
    (look,) = running.decide(folder=tmp_path)
    assert look.failed == ["a seed 3"]


def test_decide_takes_no_names():
    result = click.testing.CliRunner().invoke(cli, ["study", "--decide", "3-2-Best"])
    assert result.exit_code == 2 and "Give it neither NAMES nor --seeds" in result.output


def test_parameters():
    # 2304 x 1024 + 1024 + 1024 x 7 + 7.
    (experiment,) = running.select(running.experiment_files(EXPERIMENTS), ["1-Layer-NN"]).values()
    assert running.parameters(experiment) == 2_367_495


@pytest.mark.slow
def test_study_runs_what_is_missing_once_and_a_rerun_is_equal(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_experiments(tmp_path, "a", "b")
    options = {"data": faces(tmp_path), "folder": tmp_path, "output": tmp_path / "runs", "workers": 2}
    caplog.set_level("INFO", "fer_keras")
    done, failed = running.run(["a", "b"], seeds=1, **options)
    assert ([job.title for job in failed], len(done)) == ([], 2)
    assert "done    a seed 0: validation 0." in caplog.text
    first = results.read(tmp_path / "results")
    assert running.run(["a", "b"], seeds=1, **options) == ([], [])
    results.path(tmp_path / "results", "a", 0).unlink()
    done, _ = running.run(["a", "b"], seeds=1, **options)
    assert [job.title for job in done] == ["a seed 0"]
    again = results.read(tmp_path / "results")
    assert {**first["a"][0], "cost": None} == {**again["a"][0], "cost": None}
    assert len(first["a"][0]["history"]) == 2


def faces(folder):
    """Write 70 training and 14 test faces, ten and two of each class; return the path."""
    random = np.random.default_rng(0)
    rows = ["emotion,pixels,Usage"]
    for i in range(84):
        pixels = " ".join(map(str, random.integers(0, 256, 2304)))
        rows.append(f"{i % 7},{pixels},{'Training' if i < 70 else 'PublicTest'}")
    (folder / "faces.csv").write_text("\n".join(rows) + "\n")
    return folder / "faces.csv"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
def test_a_killed_study_leaves_no_training_and_the_next_goes_on(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (tmp_path / "experiments").mkdir()
    (file,) = write_experiments(tmp_path / "experiments", "a")
    file.write_text(file.read_text().replace("epochs=2", "epochs=40"))
    command = [sys.executable, "-m", "fer_keras", "study", "a", "--seeds", "1", "--workers", "1"]
    study_ = subprocess.Popen([*command, "--data", str(faces(tmp_path))], cwd=tmp_path)
    wait_for(lambda: list(tmp_path.glob("runs/a/*/checkpoint.npz")))
    study_.kill()
    study_.wait()
    wait_for(lambda: not trainings_of(tmp_path))
    done, failed = running.run(
        ["a"], seeds=1, data=tmp_path / "faces.csv", folder=tmp_path / "experiments", output=tmp_path / "runs"
    )
    assert (len(done), failed) == (1, [])
    assert len(list(tmp_path.glob("runs/a/*"))) == 1  # the interrupted run was continued


def trainings_of(folder):
    """Return the running processes that work in `folder`."""
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            found += [process.name] if (process / "cwd").resolve() == folder else []
    return found

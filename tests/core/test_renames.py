"""Old names: user input ends in an error with the new name, files of earlier versions are read."""

import dataclasses
import importlib
import inspect
import json
import pathlib
import pickle
import shutil

import pytest
import yaml
from click.testing import CliRunner

from fer_keras import FER, Experiment, data
from fer_keras.cli import cli
from fer_keras.core import renames
from fer_keras.core.errors import InputError
from fer_keras.experiment import override
from fer_keras.model_files import pretrained
from fer_keras.runs import records
from fer_keras.sweep import file as sweep_file

SAMPLE = pathlib.Path(__file__).parents[1] / "runs" / "samples" / "0.1.0"  # a run as version 0.1.0 wrote it


def call(*words):
    return CliRunner().invoke(cli, [str(word) for word in words])


@pytest.mark.parametrize("old, new", renames.IMPORTS.items())
def test_old_import_names_the_new_one(old, new):
    with pytest.raises(ImportError) as error:
        importlib.import_module(old)
    parent, _, name = old.rpartition(".")
    known = f"{name} is now {new}." if parent in renames.IMPORTS else f"{old} is now {new}."
    assert known in str(error.value)
    module, _, name = new.rpartition(".")
    try:
        importlib.import_module(new)
    except ModuleNotFoundError:
        assert hasattr(importlib.import_module(module), name)


def test_old_import_by_from_and_of_a_function():
    with pytest.raises(ImportError, match="^fer_keras.tracking is now fer_keras.runs.wandb_tracker.$"):
        from fer_keras import tracking  # noqa: F401
    with pytest.raises(ImportError) as error:
        from fer_keras.pipeline import judge  # noqa: F401
    assert str(error.value) == (
        "fer_keras.pipeline is now fer_keras.runs.pipeline. "
        "describe is now fer_keras.evaluation.describe_data. "
        "judge is now fer_keras.evaluation.evaluate_split. "
        "resolved is now fer_keras.models.resolved."
    )
    with pytest.raises(ImportError, match="^fer_keras.training.fit is now fer_keras.training.fitting.fit.$"):
        from fer_keras.training import fit  # noqa: F401
    with pytest.raises(ImportError, match="^fer_keras.report is now fer_keras.study.report.$"):
        import fer_keras.report.page  # noqa: F401


def test_old_attribute_names_the_new_one():
    with pytest.raises(AttributeError, match="^fer_keras.FER.explain is now fer_keras.FER.saliency.$"):
        object.__new__(FER).explain  # noqa: B018
    with pytest.raises(AttributeError, match="^fer_keras.data.clean is now fer_keras.data.deduplicate.$"):
        data.clean  # noqa: B018
    with pytest.raises(AttributeError, match="^fer_keras.data has no 'cleaned'$"):
        data.cleaned  # noqa: B018


def test_unknown_import_stays_unknown():
    with pytest.raises(ModuleNotFoundError, match="No module named 'fer_keras.pipelines'"):
        importlib.import_module("fer_keras.pipelines")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Experiment("a", clean=True),
        lambda: dataclasses.replace(Experiment("a"), clean=True),
        lambda: override(Experiment("a"), ["clean=true"]),
    ],
)
def test_old_setting_names_the_new_one(make):
    with pytest.raises(InputError, match="^The setting 'clean' of an experiment is now 'deduplicate'.$"):
        make()


def test_old_setting_in_a_file_is_one_line(tmp_path):
    (tmp_path / "a.py").write_text("from fer_keras import Experiment\nexperiment = Experiment('a', clean=True)\n")
    result = call("show", tmp_path / "a.py")
    assert result.output == "Error: The setting 'clean' of an experiment is now 'deduplicate'.\n"
    assert result.exit_code == 2


def test_unknown_setting_has_a_hint():
    with pytest.raises(InputError, match="no setting 'epoch'. Did you mean 'epochs'?"):
        Experiment("a", epoch=3)
    with pytest.raises(InputError, match="no setting 'lr'. Did you mean 'learning_rate'?"):
        override(Experiment("a"), ["lr=0.1"])


def test_experiment_stays_a_dataclass():
    experiment = Experiment("a", "cnn", seed=3)
    assert list(inspect.signature(Experiment).parameters) == [f.name for f in dataclasses.fields(Experiment)]
    assert pickle.loads(pickle.dumps(experiment)) == experiment
    with pytest.raises(dataclasses.FrozenInstanceError):
        experiment.seed = 4


@pytest.mark.parametrize(
    "words, message",
    [
        (("evaluate", "--flip"), "Error: --flip is now --tta flip.\n"),
        (("predict", "x.png", "--crops"), "Error: --crops is now --tta ten-crop.\n"),
        (("data", "audit", "--flip"), "Error: --flip is now --tta flip.\n"),
        (("run", "x.py", "--lr", "0.1"), "learning_rate=VALUE.\n"),
        (("train", "x.py"), "Error: No such command 'train'. Did you mean 'run'?\n"),
    ],
)
def test_old_option_names_the_new_one(words, message):
    if words == ("evaluate", "--flip") and "--flip" in call("evaluate", "--help").output:
        pytest.skip("evaluate still has the option")
    result = call(*words)
    assert result.output.endswith(message) and result.exit_code == 2


def test_record_of_0_1_0():
    record = records.read(SAMPLE)
    experiment = Experiment(**record["experiment"])
    assert experiment.deduplicate and experiment.model_options["negative_slope"] == 0.3
    assert record["data"]["synthetic"] and "demo" not in record["data"]
    assert record["scores"]["accuracy"] == pytest.approx(61 / 350)
    assert [row["epoch"] for row in record["history"]] == [1, 2]


def test_interrupted_run_of_0_1_0_is_continued(tmp_path):
    folder = tmp_path / "demo" / "sample" / "20300101-120000"
    folder.mkdir(parents=True)
    shutil.copy(SAMPLE / "run.json", folder)
    record = records.read(folder)
    assert records.find_unfinished(tmp_path, record["experiment"], record["data"]) == folder
    newer = records.create(tmp_path, record["experiment"], record["data"], record["environment"])
    assert newer.parent == tmp_path / "synthetic" / "sample"
    newer = newer.rename(newer.with_name("20300101-120001"))
    assert records.find_unfinished(tmp_path, record["experiment"], record["data"]) == newer


def test_card_of_0_1_0(tmp_path):
    about = json.loads((SAMPLE / "run.json").read_text())
    (tmp_path / "old.json").write_text(json.dumps(about))
    card = pretrained.card("old", folder=tmp_path)
    assert card["experiment"]["deduplicate"] is True and card["data"]["synthetic"] is True
    assert not {"clean", "demo"} & {*card["experiment"], *card["data"]}


def test_sweep_file_of_0_1_0(tmp_path):
    (tmp_path / "a.py").write_text("from fer_keras import Experiment\nexperiment = Experiment('a')\n")
    file = {
        "program": str(tmp_path / "a.py"),
        "method": "grid",
        "metric": {"name": "val_acc", "goal": "maximize"},
        "parameters": {"clean": {"values": [True, False]}, "learning_rate": {"value": 0.1}},
    }
    (tmp_path / "old.yaml").write_text(yaml.safe_dump(file))
    sweep = sweep_file.load(tmp_path / "old.yaml")
    assert list(sweep.distributions) == ["deduplicate"] and sweep.constants == {"learning_rate": 0.1}

import dataclasses
import math
import re

import pytest

from fer_keras.core.errors import InputError
from fer_keras.experiment import Experiment, files_in, load

DEFAULTS = {
    "name": "x",
    "model": "nn",
    "model_options": {},
    "labels": "original",
    "deduplicate": False,
    "normalization": False,
    "augmentation": (),
    "mixup": 0.0,
    "cutmix": 0.0,
    "label_smoothing": 0.0,
    "loss": "cross_entropy",
    "class_weight": None,
    "sam": 0.0,
    "teachers": (),
    "teacher_view": "blended",
    "distillation": 0.0,
    "optimizer": "adam",
    "optimizer_options": {},
    "learning_rate": 0.001,
    "schedule": "constant",
    "batch_size": 128,
    "epochs": 10,
    "seed": 0,
}


def test_defaults_are_the_protocol():
    assert dataclasses.asdict(Experiment(name="x")) == DEFAULTS


def test_is_frozen_and_takes_no_unknown_setting():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Experiment(name="x").epochs = 3
    with pytest.raises(InputError, match="no setting 'epoch'. Did you mean 'epochs'"):
        Experiment(name="x", epoch=3)


@pytest.mark.parametrize("name", ["3-2-Best", "cnn_best", "0.1", "a"])
def test_accepts_names_that_are_safe_as_folders(name):
    assert Experiment(name=name).name == name


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"name": "../x"}, "Experiment name must be letters, digits, '-', '_' and '.'. Received '../x'."),
        ({"name": "a/b"}, "Received 'a/b'."),
        ({"name": ".."}, "Received '..'."),
        ({"name": ""}, "Received ''."),
        ({"name": "a\n"}, r"Received 'a\n'."),
        ({"name": None}, "Received None."),
        ({"labels": "soft"}, "labels must be one of: original, fer+, fer+8. Received 'soft'."),
        ({"deduplicate": 1}, "deduplicate must be True or False. Received 1."),
        (
            {"teachers": "a.keras"},
            "teachers must be a tuple of paths, such as ('teacher.keras',). Received 'a.keras'.",
        ),
        ({"teachers": (3,)}, "Received (3,)."),
        ({"distillation": 1.5}, "distillation must be a number from 0 to 1. Received 1.5."),
        ({"distillation": True}, "Received True."),
        ({"optimizer": "Adam"}, "optimizer must be one of: adam, adamw, muon, rmsprop, sgd. Received 'Adam'."),
        (
            {"schedule": "linear"},
            "schedule must be one of: constant, cosine, one_cycle, plateau, steps. Received 'linear'.",
        ),
        ({"schedule": ["cosine"]}, "Received ['cosine']."),
        ({"learning_rate": 0}, "learning_rate must be a number above 0. Received 0."),
        ({"learning_rate": -0.1}, "Received -0.1."),
        ({"learning_rate": "0.1"}, "Received '0.1'."),
        ({"learning_rate": math.nan}, "Received nan."),
        ({"learning_rate": math.inf}, "Received inf."),
        ({"learning_rate": True}, "Received True."),
        ({"batch_size": 0}, "batch_size must be a whole number above 0. Received 0."),
        ({"batch_size": 12.5}, "Received 12.5."),
        ({"epochs": 0}, "epochs must be a whole number above 0. Received 0."),
        ({"epochs": True}, "Received True."),
        ({"seed": -1}, "seed must be a whole number from 0 to 4294967295. Received -1."),
        ({"seed": 2**32}, "Received 4294967296."),
        ({"augmentation": "flip"}, "augmentation must be a tuple of names, such as ('flip',). Received 'flip'."),
        ({"augmentation": None}, "Received None."),
        ({"model_options": None}, "model_options must be a dict. Received None."),
        ({"model_options": ("units",)}, "Received ('units',)."),
        ({"optimizer_options": 0.9}, "optimizer_options must be a dict. Received 0.9."),
    ],
)
def test_value_out_of_range_is_told(settings, message):
    with pytest.raises(InputError, match=re.escape(message)):
        Experiment(**{"name": "x"} | settings)


def test_largest_seed_is_allowed():
    assert Experiment(name="x", seed=2**32 - 1).seed == 4294967295


def test_load_returns_what_the_file_defines(tmp_path):
    path = tmp_path / "one.py"
    path.write_text("from fer_keras import Experiment\nexperiment = Experiment(name='one', epochs=3)\n")
    assert load(path) == load(str(path)) == Experiment(name="one", epochs=3)


def test_load_does_not_run_the_main_block(tmp_path):
    path = tmp_path / "one.py"
    path.write_text(
        "from fer_keras import Experiment\nexperiment = Experiment(name='one')\n"
        "if __name__ == '__main__':\n    raise SystemExit(1)\n"
    )
    assert load(path).name == "one"


@pytest.mark.parametrize(
    "text, message",
    [
        (None, "No experiment file '.*one.py'. Expected a path such as experiments/"),
        ("experiment = (", "one.py cannot be executed: SyntaxError: "),
        ("1 / 0", "one.py cannot be executed: ZeroDivisionError: division by zero"),
        (
            "from fer_keras import Experiment as E\nexperiment = E(name='x', epoch=1)",
            "no setting 'epoch'. Did you mean 'epochs'",
        ),
        ("from fer_keras import Experiment as E\nexperiment = E(name='x', epochs=0)", "Received 0."),
        ("x = 1", r"one.py must define `experiment = Experiment\(...\)`. Received None."),
        ("experiment = {'name': 'x'}", "Received {'name': 'x'}."),
        ("\0", "one.py cannot be executed: "),
    ],
)
def test_load_tells_what_is_wrong_with_the_file(tmp_path, text, message):
    path = tmp_path / "one.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=message):
        load(path)


def test_load_refuses_a_folder(tmp_path):
    with pytest.raises(InputError, match="No experiment file"):
        load(tmp_path)


def test_a_temporary_file_that_a_killed_process_left_is_no_experiment(tmp_path):
    (tmp_path / "b.py").touch()
    (tmp_path / ".b-x7d_2k1q.py").write_text("raise SystemExit(9)")
    assert files_in(tmp_path) == [tmp_path / "b.py"]
    (tmp_path / "b.py").unlink()
    with pytest.raises(
        InputError, match="No experiment files in '.*'. Those of the study are in the folder experiments"
    ):
        files_in(tmp_path)

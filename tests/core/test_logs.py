"""One line for each event, for people or for programs."""

import json
import logging
import subprocess
import sys
import warnings

import pytest
from click.testing import CliRunner
from helpers import data_forms

from fer_keras.cli import cli
from fer_keras.core import logs

LOG = logging.getLogger("fer_keras")
TINY = """
from fer_keras import Experiment, run

experiment = Experiment(name="tiny", model_options={"units": (4,)}, epochs=2, batch_size=32)
"""


@pytest.fixture(autouse=True)
def as_before():
    handlers, level = logging.getLogger().handlers[:], LOG.level
    yield
    logging.getLogger().handlers[:] = handlers
    LOG.setLevel(level)
    logging.captureWarnings(False)


def test_event_is_one_line(capsys):
    logs.start()
    LOG.info("two\nlines, %d", 7)
    LOG.debug("not shown")
    logging.getLogger("other").info("not shown")
    logging.getLogger("other").warning("shown")
    assert capsys.readouterr() == ("", "two lines, 7\nshown\n")


@pytest.mark.parametrize("level, shown", [(logging.WARNING, "w"), (logging.INFO, "iw"), (logging.DEBUG, "diw")])
def test_levels(capsys, level, shown):
    logs.start(level)
    for name, text in (("debug", "d"), ("info", "i"), ("warning", "w")):
        getattr(LOG, name)(text)
    assert capsys.readouterr().err.split() == list(shown)


def test_json_has_time_level_message_and_values(capsys):
    logs.start(as_json=True)
    LOG.info("epoch %d", 3, extra={"values": {"epoch": 3, "loss": 0.5}})
    event = json.loads(capsys.readouterr().err)
    assert event.pop("time").endswith("+00:00")
    assert event == {"level": "info", "message": "epoch 3", "epoch": 3, "loss": 0.5}


def test_json_has_tracebacks_and_warnings_of_python(capsys):
    logs.start(as_json=True)
    try:
        raise KeyError("x")
    except KeyError:
        LOG.exception("failed")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("careful", UserWarning, stacklevel=1)
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert first["level"] == "error" and "KeyError: 'x'" in first["traceback"]
    assert second["level"] == "warning" and "careful" in second["message"]


def test_starting_again_replaces_the_first(capsys):
    logs.start()
    logs.start(as_json=True)
    assert logs.as_json()
    logs.start()
    assert not logs.as_json()
    LOG.info("once")
    assert capsys.readouterr().err == "once\n"


def run(tmp_path, *words):
    file, data = tmp_path / "tiny.py", tmp_path / "faces.csv"
    file.write_text(TINY)
    data_forms.write_csv(data, data_forms.tiny((42, 9, 9)))
    options = ["--data", data, "--output", tmp_path / "runs", "--wandb", "disabled"]
    return CliRunner().invoke(cli, [*words, "run", *map(str, [file, *options])])


def test_command_tells_events_as_json(tmp_path):
    result = run(tmp_path, "--log-json")
    events = [json.loads(line) for line in result.stderr.splitlines()]
    assert [event["epoch"] for event in events if "epoch" in event] == [1, 2]
    assert all(event["val_loss"] > 0 for event in events if "epoch" in event)
    assert "accuracy" in result.stdout


def test_quiet_command_prints_results_alone(tmp_path):
    result = run(tmp_path, "--quiet")
    assert result.stderr == "" and "accuracy" in result.stdout


def test_verbose_command_tells_the_run_directory_before_it_trains(tmp_path):
    assert "Run directory: " in run(tmp_path, "--verbose").stderr


def test_error_of_the_user_is_a_json_line_too():
    result = CliRunner().invoke(cli, ["--log-json", "show", "no.py"])
    event = json.loads(result.stderr)
    assert result.exit_code == 2 and event["level"] == "error"
    assert event["message"] == "No experiment file 'no.py'. Expected a path such as experiments/cnn_best.py."


def test_python_shows_epochs_unless_the_program_has_handlers_of_its_own(tmp_path):
    data = data_forms.write_csv(tmp_path / "faces.csv", data_forms.tiny((42, 9, 9)))
    program = TINY + f"run(experiment, data={str(data)!r}, output={str(tmp_path)!r}, tracking='disabled')"
    for before, lines in (("", 2), ("import logging; logging.basicConfig()\n", 0)):
        done = subprocess.run([sys.executable, "-c", before + program], capture_output=True, text=True, check=True)
        assert sum(line.startswith("epoch ") for line in done.stderr.splitlines()) == lines


def test_json_has_what_c_libraries_and_child_processes_write():
    program = (
        "import os, subprocess, sys\n"
        "from fer_keras.core import logs\n"
        "logs.start(as_json=True)\n"
        "logs.start(as_json=True)\n"
        "os.write(2, b'TIFFReadDirectory: Warning, \\xff\\n')\n"
        "subprocess.run(['sh', '-c', 'echo from a child >&2'])\n"
        "os.write(2, b'at the end')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert [event["message"] for event in events] == [
        "TIFFReadDirectory: Warning, \\xff",
        "from a child",
        "at the end",
    ]
    assert {event["source"] for event in events} == {"standard error"} and done.stdout == ""

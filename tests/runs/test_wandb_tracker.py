import json
import logging
import os
import re
import subprocess
import sys
import types

import numpy as np
import pytest
import wandb
from helpers.wandb_reader import read_records, read_run

from fer_keras import evaluation
from fer_keras.runs import plots, wandb_tracker
from fer_keras.runs.wandb_tracker import Tracker

HISTOGRAM = {"scale": 1.0, "limit": 2.0, "counts": [1, 2, 3, 4]}


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """Keep wandb away from the home directory, the user's account and the network."""
    for name in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR"):  # the tracker sets these
        monkeypatch.setenv(name, "")
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "config"))


def finished_record():
    history = [
        {"epoch": epoch, "train_loss": 1.5, "train_acc": 0.4, "val_loss": val_loss, "val_acc": 0.3}
        | {"grad_ratio": 0.5, "weight_norm": 9.0, "epoch_time": 2.0, "grad_ratio/dense": 0.4}
        for epoch, val_loss in ((1, 1.6), (2, None))
    ]
    return {
        "experiment": {"name": "3-2-Best"},
        "data": {"synthetic": False, "digest": "abc"},
        "environment": {"cores": 2},
        "overfit": evaluation.overfit_verdict([2.0, 0.01], 7),
        "history": history,
        "scores": evaluation.scores([0, 1], [[1, 0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0]]),
    }


def open_tracker(folder, mode="offline"):
    config = {"experiment": {"name": "3-2-Best", "epochs": 2}}
    return Tracker(mode, folder, project="fer-keras", name="3-2-Best", config=config)


def track(folder, mode="offline", draw=lambda record, folder: {}):
    record = finished_record()
    with open_tracker(folder, mode) as tracker:
        for row in record["history"]:
            tracker.log_epoch(row)
            tracker.log_histograms(
                row["epoch"], {"gradients": {"dense": HISTOGRAM}, "parameters": {"dense": HISTOGRAM}}
            )
        tracker.log_results(record, draw(record, folder))
    return tracker


@pytest.fixture(scope="module")
def offline(tmp_path_factory):
    """A finished offline run: its folder, history, config and run record."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("run")
        for name in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR"):
            patch.setenv(name, "")
        track(folder, draw=plots.draw)
    rows, config, run = read_run(folder)
    return types.SimpleNamespace(folder=folder, rows=rows, config=config, run=run)


def test_key_of_the_account_is_written_nowhere(tmp_path, monkeypatch, caplog):
    key = "0123456789abcdef" * 2 + "deadbeef"
    monkeypatch.setenv("WANDB_API_KEY", key)
    (tmp_path / "netrc").write_text(f"machine api.wandb.ai login user password {key}\n")
    caplog.set_level("DEBUG")
    wandb.teardown()  # else it may know no key, or this one for the rest of the tests
    track(tmp_path / "run")
    wandb.teardown()
    written = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert any(path.suffix == ".wandb" for path in written)
    assert [path for path in written if key.encode() in path.read_bytes()] == []
    assert key not in caplog.text


def logged(rows, key):
    return [row[key] for row in rows if key in row]


def test_every_name_of_the_study_is_in_the_wandb_record(offline):
    keys = set().union(*offline.rows)
    assert keys >= {"train_loss", "train_acc", "val_loss", "val_acc", "weight_norm", "grad_ratio", "epoch_time"}
    assert keys >= {"loss", "accuracy", "Overfit Training Curve", "Training Curve", "Confusion Matrix Curve"}
    assert keys >= {f"test/{kind}_{x}" for kind in ("recall", "precision", "f1") for x in range(7)}
    assert keys >= {"gradients/dense", "parameters/dense"}
    for name in ("Loss Progress", "Accuracy Progress", "Gradient-to-Weight Ratio over time"):
        assert name in keys, "the picture"
        assert f"Custom Chart Tables/{name}_table" in keys, "the interactive chart's data"
        assert name in offline.config["_wandb"]["visualize"], "the interactive chart"


def test_values_are_those_given(offline):
    assert logged(offline.rows, "train_loss") == [1.5, 1.5]
    assert logged(offline.rows, "epoch") == [1, 1, 2, 2]
    assert logged(offline.rows, "grad_ratio/dense") == [0.4, 0.4]
    assert logged(offline.rows, "val_loss") == [1.6]  # the other was not finite
    assert logged(offline.rows, "accuracy") == [0.5]
    assert logged(offline.rows, "test/recall_0") == [1.0]
    histogram = logged(offline.rows, "gradients/dense")[0]
    assert histogram["values"] == [1, 2, 3, 4]
    assert histogram["bins"] == pytest.approx([-2, -0.786151, 0, 0.786151, 2], abs=1e-6)


def test_the_run_is_named_and_grouped_and_tells_no_host(offline):
    assert (offline.run.project, offline.run.display_name, offline.run.run_group) == (
        ("fer-keras", "3-2-Best", "3-2-Best")
    )
    assert offline.run.host == ""
    assert offline.config["experiment"] == {"name": "3-2-Best", "epochs": 2}
    assert "resumed_from" not in offline.config


def test_all_files_of_wandb_lie_in_the_run_directory(offline):
    images = sorted(path.name for path in offline.folder.glob("wandb/offline-run-*/files/media/images/*.png"))
    assert len(images) == 6
    assert list((offline.folder / "wandb" / "data").rglob("*"))


def test_a_resumed_training_names_the_run_before(tmp_path):
    first = open_tracker(tmp_path)
    identity = first.run.id
    first.finish()
    second = open_tracker(tmp_path)
    assert second.run.config["resumed_from"] == identity
    assert second.run.id != identity
    second.finish()


def test_wandbs_own_variables_have_priority(tmp_path, monkeypatch):
    chosen = {
        **{"PROJECT": "mine", "NAME": "try-3", "RUN_GROUP": "tries", "ENTITY": "team"},
        **{"TAGS": "a,b", "NOTES": "Why not?", "DIR": str(tmp_path / "elsewhere")},
    }
    (tmp_path / "elsewhere").mkdir()
    for name, value in chosen.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))
    wandb.teardown()  # it reads them once
    track(tmp_path / "run")
    wandb.teardown()
    _, _, run = read_run(tmp_path / "elsewhere")
    assert (run.project, run.display_name, run.run_group, run.entity) == ("mine", "try-3", "tries", "team")
    assert (list(run.tags), run.notes) == (["a", "b"], "Why not?")
    assert not list((tmp_path / "run").glob("wandb/*run-*"))
    assert os.environ["WANDB_CACHE_DIR"] == str(tmp_path / "cache")
    assert os.environ["WANDB_DATA_DIR"] == str(tmp_path / "run" / "wandb" / "data")


@pytest.mark.parametrize(
    "mode, variable, line",
    [
        ("disabled", "", "wandb is off: --wandb disabled."),
        ("auto", "disabled", "wandb is off: WANDB_MODE is disabled."),
        ("offline", "", "wandb is offline: --wandb offline; `wandb sync .*/offline-run-.*` uploads this run."),
        ("auto", "offline", "wandb is offline: WANDB_MODE is offline; `wandb sync "),
        ("auto", "", r"wandb is offline: you are not logged in \(`wandb login`\); `wandb sync "),
    ],
)
def test_first_line_says_where_a_run_is_logged_to_and_why(tmp_path, monkeypatch, caplog, mode, variable, line):
    caplog.set_level("INFO", "fer_keras")
    if variable:
        monkeypatch.setenv("WANDB_MODE", variable)
    with open_tracker(tmp_path, mode):
        (said,) = [record.getMessage() for record in caplog.records if record.name == "fer_keras"]
        assert re.match(f"Logging to {tmp_path}. {line}", said)


CONNECTIONS = """
import atexit, os, socket, sys, threading
server = socket.create_server(("127.0.0.1", 0))  # stands for wandb's
os.environ["WANDB_BASE_URL"] = f"http://127.0.0.1:{server.getsockname()[1]}"
connections = []
atexit.register(lambda: print(connections))  # before wandb's, so that it runs after them
connect = socket.socket.connect
def counted(self, address):
    if self.family != socket.AF_UNIX:
        connections.append(address)
    return connect(self, address)
socket.socket.connect = counted
def accept():
    while True:
        connection, address = server.accept()
        connections.append(address)
        connection.close()
threading.Thread(target=accept, daemon=True).start()
from fer_keras.runs.wandb_tracker import Tracker
with Tracker(sys.argv[1], "run", project="p", name="n", config={}) as tracker:
    tracker.log_epoch({"epoch": 1, "val_acc": 0.5})
"""


@pytest.mark.parametrize("mode", ["offline", "disabled", "auto"])
def test_offline_and_disabled_make_no_connection(tmp_path, mode):
    """Even with a key; in mode auto without one."""
    environment = os.environ | ({} if mode == "auto" else {"WANDB_API_KEY": "0123456789abcdef" * 2 + "deadbeef"})
    command = [sys.executable, "-c", CONNECTIONS, mode]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("mode", ["disabled", "auto"])
def test_disabled_by_argument_or_environment(tmp_path, monkeypatch, mode):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert track(tmp_path, mode).run is None
    assert not (tmp_path / "wandb").exists()


def test_auto_goes_offline_without_a_login_and_says_nothing_loud(tmp_path, caplog):
    tracker = open_tracker(tmp_path, "auto")
    assert tracker.run.offline
    assert not [entry for entry in caplog.records if entry.levelno >= logging.WARNING]
    tracker.finish()


def test_online_goes_offline_where_the_server_does_not_answer(tmp_path, monkeypatch, caplog):
    modes = []

    def start(mode, folder, **arguments):
        modes.append(mode)
        if mode == "online":
            raise wandb.errors.CommError("no such host\nagain")
        return types.SimpleNamespace(id="x", offline=True, settings=types.SimpleNamespace(sync_dir="d"))

    monkeypatch.setattr(wandb, "login", lambda **_: True)
    monkeypatch.setattr(wandb_tracker, "_init", start)
    assert open_tracker(tmp_path, "online").run.offline
    assert modes == ["online", "offline"]
    assert "wandb goes offline: CommError: no such host again." in caplog.text


class Broken:
    """A wandb run whose every method fails."""

    def __getattr__(self, name):
        raise OSError("No space left on device")


class FaultyRun(Broken):
    """One that has started before."""

    offline, url = False, "https://example.org/run"


def test_artifacts_and_table_of_mistakes_are_logged(tmp_path):
    (tmp_path / "model.keras").write_bytes(b"weights")
    record = finished_record()
    with open_tracker(tmp_path) as tracker:
        tracker.log_mistakes(np.zeros((2, 48, 48, 1), "uint8"), record["scores"]["mistakes"], list("abcdefg"))
        tracker.log_artifacts(record, tmp_path / "model.keras")
    found = read_records(tmp_path)
    artifacts = {record.type: record for kind, record in found if kind == "artifact"}
    assert artifacts["dataset"].name == "data-abc" and artifacts["model"].name == "3-2-Best"
    assert [entry.path for entry in artifacts["model"].manifest.contents] == ["model.keras"]
    assert json.loads(artifacts["model"].metadata)["test"]["accuracy"] == 0.5
    (table,) = (tmp_path / "wandb").glob("*run-*/files/media/table/*.json")
    (row,) = json.loads(table.read_text())["data"]  # of two test images, one is wrong
    assert row[1:] == [1, "b", "a", 1.0]


def test_stopped_training_sends_an_alert(tmp_path):
    with pytest.raises(KeyboardInterrupt), open_tracker(tmp_path):
        raise KeyboardInterrupt
    (alert,) = [record for kind, record in read_records(tmp_path) if kind == "alert"]
    assert (alert.title, alert.text, alert.level) == ("Training stopped", "KeyboardInterrupt()", "ERROR")


def test_a_failing_start_is_told_and_costs_nothing(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(wandb, "init", Broken().__getattr__)
    assert track(tmp_path).run is None
    assert caplog.text.count("wandb cannot start and is off") == 1


def test_a_fault_amid_training_is_told_once_and_costs_nothing(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(wandb_tracker, "_start", lambda *_: (FaultyRun(), "a test"))
    assert track(tmp_path).run is None
    assert [entry.getMessage() for entry in caplog.records if entry.levelno >= logging.WARNING] == [
        "wandb failed and is now off; the record on disk continues. OSError: No space left on device"
    ]


def test_keyboard_interrupt_is_no_fault_of_wandb(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(
        wandb_tracker,
        "_start",
        lambda *_: (types.SimpleNamespace(log=interrupt, offline=False, url="u"), "a test"),
    )
    with pytest.raises(KeyboardInterrupt):
        open_tracker(tmp_path).log_epoch({"epoch": 1})

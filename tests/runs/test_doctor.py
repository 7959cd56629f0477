"""What the doctor finds on machines with one fault each."""

import os
import re

import pytest
from click.testing import CliRunner
from helpers.data_forms import tiny, write_csv

from fer_keras.backend import machine, selection
from fer_keras.cli import cli
from fer_keras.recognition import decoding
from fer_keras.runs import doctor

SUBJECTS = ["packages", "extras", "backend", "device", "precision", "data", "wandb", "decoding"]
SUBJECTS += ["runs", "cache", "temporary"]


@pytest.fixture(autouse=True)
def nowhere(monkeypatch, tmp_path):
    """A machine without a wandb account, in a folder that can be written."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")


def found(subject):
    (finding,) = [finding for finding in doctor.findings() if finding.subject == subject]
    return finding


def test_machine_in_order_is_a_line_for_each_thing(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_DATA", str(write_csv(tmp_path / "faces.csv", tiny())))
    result = CliRunner().invoke(cli, ["doctor"])
    assert result.exit_code == 0, result.output
    lines = [line.split(maxsplit=2) for line in result.output.splitlines()]
    assert [subject for _, subject, _ in lines] == SUBJECTS
    assert f"FER_DATA is '{tmp_path / 'faces.csv'}'" in result.output
    assert re.search(rf"ok +backend +{os.environ['KERAS_BACKEND']} \d", result.output)


def test_missing_data_is_a_note(tmp_path):
    assert found("data").level == "note"
    assert "synthetic faces. Set FER_DATA or run `fer-keras data fetch`." in found("data").text


@pytest.mark.parametrize(
    "variable, value, subject, message",
    [
        ("FER_DATA", "no.csv", "data", "There is no no.csv, which FER_DATA names"),
        ("KERAS_BACKEND", "theano", "backend", "KERAS_BACKEND must be one of"),
        ("XDG_CACHE_HOME", "/proc/nowhere", "cache", "cannot be written. Give another folder by XDG_CACHE_HOME"),
    ],
)
def test_fault_is_told_with_exit_code_1(monkeypatch, variable, value, subject, message):
    monkeypatch.setenv(variable, value)
    if subject == "cache":
        monkeypatch.setattr(doctor.os, "access", lambda path, mode: not str(path).startswith("/proc"))
    result = CliRunner().invoke(cli, ["doctor"])
    assert result.exit_code == 1
    (line,) = [line for line in result.output.splitlines() if line.startswith("wrong")]
    assert line.split()[1] == subject and message in line


def test_missing_package_is_told_with_the_words_that_install_it(monkeypatch):
    monkeypatch.setattr(doctor, "_requirements", lambda: {doctor.Requirement("nothing-of-this-name>=3"): None})
    assert found("packages").level == "wrong"
    assert found("packages").text.endswith("Run `pip install 'nothing-of-this-name>=3'`.")


def test_extras_are_sorted_by_what_is_there(monkeypatch):
    requirements = {doctor.Requirement("numpy"): "there", doctor.Requirement("nothing-of-this-name"): "away"}
    monkeypatch.setattr(doctor, "_requirements", lambda: requirements)
    assert found("extras").text == "installed: there; not: away (`pip install 'fer-keras[NAME]'`)"


def test_extras_of_this_package_are_known():
    assert {None, "dev", "parquet"} <= set(doctor._requirements().values())


def test_backend_that_cannot_be_loaded_is_told(monkeypatch):
    def broken():
        raise OSError("libcudart.so.12: cannot open shared object file")

    monkeypatch.setattr(machine, "environment", broken)
    finding = found("backend")
    assert finding.level == "wrong" and "libcudart.so.12" in finding.text
    assert f"pip install --force-reinstall {selection.PACKAGES[os.environ['KERAS_BACKEND']]}" in finding.text


def test_little_room_is_a_note(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1 << 29}))
    assert found("runs").level == "note" and "0.5 GiB free" in found("runs").text


def test_a_system_without_memory_limits_is_a_note(monkeypatch):
    assert found("decoding").level == ("ok" if decoding.enforced() else "note")
    monkeypatch.setattr(decoding.sys, "platform", "darwin")
    assert found("decoding").level == "note"
    assert "does not limit the memory of a process" in found("decoding").text

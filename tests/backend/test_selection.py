import subprocess
import sys

import pytest

from fer_keras.backend import selection


def test_backend_that_is_there_has_no_fault(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    assert "torch" in selection.installed() and selection.fault() is None


def test_unknown_backend_is_told(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    assert selection.fault() == "KERAS_BACKEND must be one of: torch, jax, tensorflow. Received 'theano'."


def test_backend_that_is_not_installed_is_told(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setattr(selection.importlib.util, "find_spec", lambda name: name == "torch" or None)
    assert selection.fault() == (
        "KERAS_BACKEND is 'jax', but jax is not installed. Run `pip install 'fer-keras[jax]'`, or set "
        "KERAS_BACKEND to what is there: torch."
    )


def test_command_that_needs_keras_is_one_line_and_exit_code_2(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    for words, code in ((["overfit", "experiments/cnn_best.py"], 2), (["completion", "bash"], 0)):
        command = [sys.executable, "-m", "fer_keras", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == code, done.stderr
        if code:
            lines = [line for line in done.stderr.splitlines() if not line.startswith("Using ")]
            assert lines == ["Error: KERAS_BACKEND must be one of: torch, jax, tensorflow. Received 'theano'."]


@pytest.mark.parametrize("name", selection.PACKAGES)
def test_each_backend_has_words_to_install_it(name):
    assert selection.PACKAGES[name] in (name, f"'fer-keras[{name}]'")

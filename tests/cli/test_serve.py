"""`fer-keras serve`: what its options become."""

import sys

import pytest
from click.testing import CliRunner
from helpers.portraits import brightness

from fer_keras.cli import cli
from fer_keras.recognition import classifiers

server = pytest.importorskip("fer_keras.server", reason="needs fer-keras[serve]", exc_type=ImportError)


def call(*words):
    return CliRunner().invoke(cli, ["serve", *words])


def test_options(monkeypatch):
    calls = []
    monkeypatch.setattr(server, "serve", lambda *arguments, **options: calls.append((*arguments, options)))
    monkeypatch.setattr(classifiers, "classifier", lambda model, **options: brightness)
    assert call().exit_code == call("--host", "0.0.0.0", "--port", "80", "--detector", "none").exit_code == 0
    assert call("--trusted-proxy", "10.0.0.2", "--trusted-proxy", "10.1.0.0/16").exit_code == 0
    assert call("--max-pixels", "50000000").exit_code == 0
    (fer, *address, limits, options), (_, *other), (*_, trusting), (large, *_, large_limits, _) = calls
    assert address == ["127.0.0.1", 8000] and options == {"trusted_proxies": ()} and limits == server.Limits()
    assert other[:2] == ["0.0.0.0", 80]
    assert trusting == {"trusted_proxies": ("10.0.0.2", "10.1.0.0/16")}
    assert fer.classifier is brightness and fer.max_pixels == server.MAX_PIXELS == 20_000_000
    assert large.max_pixels == 50_000_000 and large_limits.decode.memory_bytes == 800 << 20


@pytest.mark.parametrize(
    "words", [("--port", "65536"), ("--model", "none.keras"), ("--host", ""), ("--trusted-proxy", "nobody")]
)
def test_what_is_wrong_is_one_line(words):
    result = call("--model", "tiny", *words)
    assert result.exit_code == 2 and words[1] in result.stderr and "Traceback" not in result.stderr


def test_missing_extra_is_told(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("fer_keras.server")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delattr("fer_keras.server")
    result = call()
    assert result.exit_code == 2
    assert result.stderr == "Error: Serving needs uvicorn: pip install 'fer-keras[serve]'.\n"

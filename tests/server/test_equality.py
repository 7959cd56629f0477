"""One network, one photograph, four ways to ask: the same probabilities."""

import json

import pytest
from click.testing import CliRunner
from helpers import networks
from helpers.portraits import PORTRAIT
from helpers.serving import ask, serving

from fer_keras import FER
from fer_keras.cli import cli


def asked_by_cli(model):
    result = CliRunner().invoke(cli, ["predict", str(PORTRAIT), "--json", "--model", str(model)])
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)[0]["faces"]


def asked_by_http(model):
    with serving(FER(model)) as port:
        return ask(port, "/api/predict", PORTRAIT.read_bytes())[2]["faces"]


@pytest.mark.slow
def test_probabilities_are_equal_through_python_cli_http_and_onnx(tmp_path):
    pytest.importorskip("onnxruntime", reason="needs fer-keras[onnx]")
    path = tmp_path / "model.keras"
    model = networks.drawn(path)
    exported = CliRunner().invoke(cli, ["export", str(path), "--format", "onnx"])
    assert exported.exit_code == 0, exported.stderr
    (face,) = FER(model).analyze(PORTRAIT)
    assert 0.3 < max(face.probabilities.values()) < 0.999  # neither alike nor certain
    for asked in (asked_by_cli, asked_by_http):
        for file in (path, tmp_path / "model.onnx"):
            (found,) = asked(file)
            assert found["probabilities"] == pytest.approx(face.probabilities, abs=1e-4)

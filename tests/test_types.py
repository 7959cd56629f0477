"""What an editor sees: completion of the public names, by jedi as editors use it."""

import pathlib

import jedi
import pytest

import fer_keras

ROOT = pathlib.Path(__file__).parents[1]


def completions(code):
    return {c.name for c in jedi.Script(code, project=jedi.Project(ROOT)).complete()}


def test_public_names_complete():
    assert set(fer_keras.__all__) <= completions("import fer_keras\nfer_keras.")
    assert "FER" in completions("from fer_keras import F")


def test_methods_of_fer_complete():
    names = completions("from fer_keras import FER\nFER().")
    assert {"analyze", "analyze_many", "analyze_video"} <= names


def test_analyze_returns_faces():
    (found,) = jedi.Script("from fer_keras import FER\nFER().analyze", project=jedi.Project(ROOT)).infer(2, 12)
    assert found.get_type_hint().endswith("-> list[Face]")
    assert {"box", "emotion", "probabilities"} <= completions(
        "from fer_keras import FER\nfor face in FER().analyze('a.png'):\n    face."
    )


@pytest.mark.parametrize("option", ["data", "output", "tracking", "precision"])
def test_run_spells_out_its_options(option):
    code = "from fer_keras import run\nrun("
    (signature,) = jedi.Script(code, project=jedi.Project(ROOT)).get_signatures(2, 4)
    assert option in [parameter.name for parameter in signature.params]


def test_settings_of_an_experiment_complete():
    (signature,) = jedi.Script("from fer_keras import Experiment\nExperiment(").get_signatures(2, 11)
    assert {"name", "model", "deduplicate", "learning_rate"} <= {p.name for p in signature.params}


def test_package_says_that_it_is_typed():
    assert (pathlib.Path(fer_keras.__file__).parent / "py.typed").read_text() == ""

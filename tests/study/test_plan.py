"""The steps and findings, against the experiment files."""

import ast
import dataclasses
import pathlib
import re

import pytest

from fer_keras.experiment import load
from fer_keras.study import FINDINGS, STEPS, judging, plan, results, running
from fer_keras.study.judging import METRICS

FOLDER = pathlib.Path(__file__).parents[2] / "experiments"
FILES = [path for path in sorted(FOLDER.glob("*.py")) if "\nSource    beyond the study" not in path.read_text()]


def test_steps_hold_every_run_once():
    listed = [name for step in STEPS for name in step.runs]
    assert len(set(listed)) == len(listed)
    assert set(listed) == {load(path).name for path in FILES}
    assert [step.number for step in STEPS] == list(range(1, 13))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_asks_its_steps_question(path):
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    question = re.search(r"^Question  (.*)$", text, re.MULTILINE)[1]
    number = int(re.search(r"^Source    study, step (\d+)\.", text, re.MULTILINE)[1])
    step = STEPS[number - 1]
    assert question == step.question
    assert load(path).name in step.runs


def test_every_step_claims_something():
    assert {finding.step for finding in FINDINGS} == {step.number for step in STEPS}


@pytest.mark.parametrize("finding", FINDINGS, ids=lambda finding: finding.claim)
def test_finding_names_runs_of_its_step_or_before(finding):
    known = {name for step in STEPS for name in step.runs}
    own = set(STEPS[finding.step - 1].runs)
    named = {side for pair in finding.pairs for side in pair if isinstance(side, str)}
    assert named <= known
    assert named & own
    assert finding.metric in METRICS
    assert finding.claimed[0] < finding.claimed[1]
    assert finding.claim.endswith(".")


def test_rule_metrics_margins_and_pairs_are_those_that_were_fixed_before_the_runs():
    assert judging.rule_hash() == "e8d3a950f9cc676befe55978e5388a584d8ffd8d65239e79d29ef6d21d4ae9f6"


def test_every_result_was_recorded_under_the_rule_that_judges_it():
    for stem, group in results.read(FOLDER / "results").items():
        for result in group:
            name, seed = result["experiment"]["name"], result["experiment"]["seed"]
            if running.is_of_study(name) and seed >= plan.FIRST_SEED:
                assert result["rule"] == judging.rule_hash(name), f"{stem}/{seed}.json"


def test_rule_of_a_run_is_that_of_its_own_findings(monkeypatch):
    before = {name: judging.rule_hash(name) for name in ("1-Layer-NN", "3-2-Best")}
    changed = tuple(dataclasses.replace(f, claimed=(0.0, 0.5)) if f.step == 12 else f for f in plan.FINDINGS)
    monkeypatch.setattr(judging, "FINDINGS", changed)
    assert judging.rule_hash("1-Layer-NN") == before["1-Layer-NN"]
    assert judging.rule_hash("3-2-Best") != before["3-2-Best"]


def test_each_claim_on_a_gap_is_judged_by_both_readings():
    gaps = {finding.claim.removesuffix("."): finding.pairs for finding in FINDINGS if finding.metric == "gap"}
    both = {
        finding.claim.removesuffix(" (training accuracy in inference mode)."): finding.pairs
        for finding in FINDINGS
        if finding.metric == "inference_gap"
    }
    assert gaps == both and len(gaps) > 10


def test_normalization_compares_exactly_the_runs_that_the_report_names():
    pair = ("3-Layer-Down-NN-adam", "3-1024-Layer-Down-NN")
    assert [f.pairs for f in FINDINGS if "5 points of validation" in f.claim] == [(pair,)]

"""Judging, with numbers worked out by hand."""

import math

import pytest

from fer_keras.study import Finding, judging
from fer_keras.study.judging import FAILS, HOLDS, UNKNOWN, by_run, compare, interval, judge, verdict

MORE, LESS = (0.0, math.inf), (-math.inf, 0.0)


def result(name, seed, val_acc, train_acc=0.9, **others):
    history = [{"train_acc": 0.1, "val_acc": 0.1}, {"train_acc": train_acc, "val_acc": val_acc}]
    return {"experiment": {"name": name, "seed": seed}, "history": history, **others}


def runs(**accuracies):
    return by_run([result(name, seed, a) for name, values in accuracies.items() for seed, a in enumerate(values)])


def test_paired_difference_and_interval():
    # Differences 0.02, 0.03, 0.04: mean 0.03, SD 0.01; t(2 degrees, 97.5 %) = 4.302653;
    # half width 4.302653 x 0.01 / sqrt(3) = 0.0248414.
    judged = compare(
        "a", "b", judging.METRICS["val_acc"].of, MORE, runs(a=[0.42, 0.53, 0.64], b=[0.40, 0.50, 0.60])
    )
    assert judged.seeds == (0, 1, 2)
    assert judged.differences == pytest.approx((0.02, 0.03, 0.04))
    assert judged.mean == pytest.approx(0.03)
    assert judged.sd == pytest.approx(0.01)
    assert (judged.low, judged.high) == pytest.approx((0.03 - 0.0248414, 0.03 + 0.0248414), abs=1e-7)
    assert judged.verdict == HOLDS


def test_interval_of_five_values():
    # t(4 degrees, 97.5 %) = 2.776445; 2.776445 x 2 / sqrt(5) = 2.4833.
    assert interval(1.0, 2.0, 5) == pytest.approx((1 - 2.4833, 1 + 2.4833), abs=1e-4)


@pytest.mark.parametrize(
    "low, high, claimed, expected",
    [
        (0.005, 0.055, MORE, HOLDS),
        (-0.055, -0.005, MORE, FAILS),
        (-0.001, 0.055, MORE, UNKNOWN),
        (0.0, 0.05, MORE, UNKNOWN),  # the border is not more than 0
        (0.0, 0.0, MORE, FAILS),  # every seed equal: no more, for certain
        (-0.05, -0.01, LESS, HOLDS),
        (-0.01, 0.01, (-0.02, 0.02), HOLDS),
        (-0.03, 0.01, (-0.02, 0.02), UNKNOWN),
        (0.025, 0.05, (-0.02, 0.02), FAILS),
        (0.04, 0.06, (0.03, 0.07), HOLDS),
        (0.01, 0.02, (0.03, 0.07), FAILS),
    ],
)
def test_verdict(low, high, claimed, expected):
    assert verdict(low, high, claimed) == expected


def test_two_seeds_cannot_tell_however_clear():
    judged = compare("a", "b", judging.METRICS["val_acc"].of, MORE, runs(a=[0.9, 0.9], b=[0.1, 0.1]))
    assert judged.verdict == UNKNOWN
    assert judged.mean == pytest.approx(0.8)
    assert judged.sd is judged.low is judged.high is None


def test_only_common_seeds_count():
    judged = compare("a", "b", judging.METRICS["val_acc"].of, MORE, runs(a=[0.9] * 4, b=[0.1] * 3))
    assert judged.seeds == (0, 1, 2)


def test_missing_run_cannot_tell():
    judged = compare("a", "absent", judging.METRICS["val_acc"].of, MORE, runs(a=[0.9] * 3))
    assert (judged.seeds, judged.mean, judged.verdict) == ((), None, UNKNOWN)


def test_against_a_number():
    judged = compare("a", 0.6, judging.METRICS["val_acc"].of, MORE, runs(a=[0.61, 0.62, 0.63]))
    # Mean 0.02, SD 0.01, half width 0.0248414: the interval reaches below 0.
    assert judged.mean == pytest.approx(0.02)
    assert judged.verdict == UNKNOWN


def test_finding_holds_only_if_every_pair_does():
    all_runs = runs(a=[0.5] * 3, b=[0.4] * 3, c=[0.6] * 3, d=[0.45, 0.5, 0.55])
    for others, expected in (("b", HOLDS), ("bc", FAILS), ("bd", UNKNOWN), ("dc", FAILS)):
        finding = Finding(1, "a is better.", "val_acc", MORE, tuple(("a", other) for other in others))
        assert judge(finding, all_runs)[0] == expected


def test_metrics():
    check = {"epochs_to_zero": None, "losses": [2.0, 1.0, 0.5]}
    one = result(
        "a",
        0,
        0.4,
        train_acc=0.55,
        overfit=check,
        gradient_ratios={"conv_1_1": [1.0, 3.0], "logits": [50.0, 70.0]},
        scores={"accuracy": 0.61, "macro_f1": 0.52},
    )
    figures = {name: metric.of(one) for name, metric in judging.METRICS.items()}
    assert figures == pytest.approx(
        {
            "val_acc": 0.4,
            "gap": 0.15,
            "test_acc": 0.61,
            "macro_f1": 0.52,
            "overfit_epochs": 4,
            "first_layer_ratio": 2.0,
        }
    )
    check["epochs_to_zero"] = 2
    assert judging.METRICS["overfit_epochs"].of(one) == 2

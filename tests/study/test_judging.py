"""Judging, with numbers worked out by hand."""

import dataclasses
import math

import numpy as np
import pytest

from fer_keras.study import FIRST_SEED, LOOKS, Finding, judging
from fer_keras.study.judging import (
    EQUAL,
    FAILS,
    HOLDS,
    INCONCLUSIVE,
    PENDING,
    decide,
    interval,
    judge,
    judge_pilot,
    place,
)
from fer_keras.study.plan import LESS, MORE, RunFinding

FIRST, SECOND, LAST = LOOKS


def table(metric="val_acc", first=FIRST_SEED, **runs):
    """Return figures of one metric: a list of values by seed, the first of `first`, for each run."""
    return {metric: {run: dict(enumerate(values, first)) for run, values in runs.items()}}


def better(*others, claimed=MORE, metric="val_acc"):
    return Finding(1, "a is better.", metric, claimed, tuple(("a", other) for other in others))


def around(mean, count=FIRST, width=0.001):
    """Return `count` values, half of them `width` above the mean and half below."""
    return [mean + width * (-1) ** i for i in range(count)]


def test_interval():
    # t(4 degrees, 97.5 %) = 2.776445; 2.776445 x 2 / sqrt(5) = 2.4833.
    assert interval(1.0, 2.0, 5, 0.05) == pytest.approx((1 - 2.4833, 1 + 2.4833), abs=1e-4)


def test_paired_difference_and_interval_of_a_look():
    # Differences 0.02, 0.03, 0.04, 0.03: mean 0.03, SD sqrt(2/3) x 0.01; t(3 degrees, 98.895 %) = 4.3748;
    # half width 4.3748 x 0.0081650 / 2 = 0.017860.
    verdict, (judged,) = judge(better("b"), table(a=[0.42, 0.53, 0.64, 0.73], b=[0.40, 0.50, 0.60, 0.70]))
    assert judged.seeds == (3, 4, 5, 6)
    assert judged.differences == pytest.approx((0.02, 0.03, 0.04, 0.03))
    assert judged.mean == pytest.approx(0.03)
    assert judged.sd == pytest.approx(0.0081650, abs=1e-7)
    assert (judged.low, judged.high) == pytest.approx((0.03 - 0.017860, 0.03 + 0.017860), abs=1e-6)
    assert verdict == judged.verdict == HOLDS


@pytest.mark.parametrize(
    "low, high, claimed, expected",
    [
        (0.005, 0.055, MORE, HOLDS),
        (-0.055, -0.005, MORE, FAILS),
        (-0.001, 0.055, MORE, INCONCLUSIVE),
        (0.0, 0.05, MORE, INCONCLUSIVE),  # the border is not more than 0
        (0.0, 0.0, MORE, FAILS),  # every seed equal: no more, for certain
        (-0.05, -0.01, LESS, HOLDS),
        (-0.01, 0.01, (-0.02, 0.02), HOLDS),
        (-0.03, 0.01, (-0.02, 0.02), INCONCLUSIVE),
        (0.025, 0.05, (-0.02, 0.02), FAILS),
        (0.04, 0.06, (0.03, 0.07), HOLDS),
        (0.01, 0.02, (0.03, 0.07), FAILS),
    ],
)
def test_place(low, high, claimed, expected):
    assert place(low, high, claimed) == expected


@pytest.mark.parametrize(
    "low, high, expected",
    [
        (-0.009, 0.009, EQUAL),
        (0.001, 0.009, EQUAL),  # real, but too small to matter
        (-0.009, -0.001, EQUAL),
        (0.001, 0.011, HOLDS),
        (-0.011, -0.001, FAILS),
        (-0.011, 0.001, INCONCLUSIVE),
        (-0.01, 0.01, INCONCLUSIVE),  # the border matters
    ],
)
def test_a_difference_within_a_point_comes_before_more_and_less(low, high, expected):
    assert decide(low, high, MORE, directional=True) == expected


def test_claims_with_a_margin_of_their_own_know_no_point():
    small = table(a=around(0.005), b=around(0.0))
    assert judge(better("b"), small)[0] == EQUAL
    assert judge(better("b", claimed=(-math.inf, 0.01)), small)[0] == HOLDS
    assert judge(better(0.004), table(a=around(0.0045, width=1e-5)))[0] == HOLDS
    assert judge(better(0.0), small)[0] == EQUAL
    assert (
        judge(better("b", metric="gradient_sd"), table("gradient_sd", **{"a": [0.002] * 4, "b": [0.001] * 4}))[0]
        == HOLDS
    )


def test_pilot_seeds_judge_nothing():
    pilot = table(first=0, a=[0.5] * 3, b=[0.4] * 3)
    verdict, (judged,) = judge(better("b"), pilot)
    assert (verdict, judged.seeds, judged.mean) == (PENDING, (), None)
    assert judge_pilot(better("b"), pilot) == HOLDS


def test_pilot_rule():
    # Differences 0.01, 0.02, 0.03: mean 0.02, SD 0.01, half width 4.302653 x 0.01 / sqrt(3) = 0.0248: across 0.
    assert judge_pilot(better("b"), table(first=0, a=[0.41, 0.52, 0.63], b=[0.40, 0.50, 0.60])) == INCONCLUSIVE
    assert judge_pilot(better("b"), table(first=0, a=[0.3] * 3, b=[0.4] * 3)) == FAILS
    assert judge_pilot(better("b"), table(first=0, a=[0.5] * 3, b=[0.4] * 2)) is None


def test_an_unfinished_look_decides_nothing():
    verdict, (judged,) = judge(better("b"), table(a=[0.9] * FIRST, b=[0.1] * (FIRST - 1)))
    assert verdict == judged.verdict == PENDING
    assert judged.seeds == (3, 4, 5) and judged.mean == pytest.approx(0.8)


def test_the_first_look_that_decides_stands():
    # Clear at the first look; later seeds say the opposite.
    decided = table(a=[0.5] * FIRST + [0.0] * (LAST - FIRST), b=[0.4] * LAST)
    verdict, (judged,) = judge(better("b"), decided)
    assert verdict == HOLDS and len(judged.seeds) == FIRST
    # Undecided at the first, clear at the second: differences of ±0.1 four times, then 0.2 with little spread.
    later = table(a=[0.5, 0.3] * 2 + [0.6] * (SECOND - FIRST), b=[0.4] * SECOND)
    verdict, (judged,) = judge(better("b"), later)
    assert len(judged.seeds) == SECOND


def test_finding_of_several_pairs():
    all_runs = table(a=around(0.5), b=[0.4] * 4, c=[0.6] * 4, d=[0.4, 0.6, 0.4, 0.6], e=[0.5] * 4, f=[0.501] * 4)
    cases = {
        "b": HOLDS,
        "bc": FAILS,
        "bd": INCONCLUSIVE,
        "dc": FAILS,
        "e": EQUAL,
        "ef": EQUAL,
        "be": FAILS,
        "de": FAILS,
    }
    assert {others: judge(better(*others), all_runs)[0] for others in cases} == cases


def test_one_of_two_pairs_must_refute_at_half_the_level():
    # Four differences of mean m and SD s: t = 2 m / s. The level 0.0221 asks for 4.37, half of it for 5.64.
    mean, sd = -0.05, 0.02
    unit = np.array([1, -1, 1, -1]) * sd * math.sqrt(3) / 2
    values = table(a=(mean + unit).tolist(), b=[0.0] * 4, c=[-0.5] * 4)
    assert 4.3748 < 2 * abs(mean) / sd < 5.6362
    assert judge(better("b"), values)[0] == FAILS
    verdict, (against_b, against_c) = judge(better("b", "c"), values)
    assert (verdict, against_b.verdict, against_c.verdict) == (INCONCLUSIVE, FAILS, HOLDS)


def test_seeds_for_power():
    # z of 98.895 % is 2.28904, z of 80 % 0.84162: 3.13066^2 = 9.8010; 2.28904^2 / 2 = 2.6199.
    # Directional, mean 0.02, SD 0.02, border 0: 9.8010 x 1 + 2.6199 = 12.42.
    assert judging.seeds_for_power(0.02, 0.02, MORE, directional=True) == 13
    # Within one point: 0.002 is 0.008 from its border and 0.002 from 0: 9.8010 x (0.02 / 0.008)^2 + 2.6199 = 63.9.
    assert judging.seeds_for_power(0.002, 0.02, MORE, directional=True) == 64
    # A margin of its own: 0.03 lies 0.01 outside (-0.02, 0.02): 9.8010 x 4 + 2.6199 = 41.8.
    assert judging.seeds_for_power(0.03, 0.02, (-0.02, 0.02), directional=False) == 42
    assert judging.seeds_for_power(0.02, 0.02, (-0.02, 0.02), directional=False) is None
    unclear = table(a=[0.45, 0.55] * 2, b=[0.5] * 4)
    (judged,) = judge(better("b"), unclear)[1]
    # Mean 0, SD 0.05 x sqrt(4/3) = 0.057735, 0.01 from the border: 9.8010 x 33.33 + 2.6199 = 329.3.
    assert judged.needed == 330
    (judged,) = judge(better("b"), table(a=around(0.6), b=[0.5] * 4))[1]
    assert judged.needed is None


def test_sign_flip_of_ranks():
    # Ranks 1, 2, 3 with signs + + -: 0; all of one sign: 6, which 2 of 8 patterns reach.
    assert judging.sign_flip((1, 2, -3)) == (0, 1)
    assert judging.sign_flip((5, 70, 6)) == (6, 0.25)
    # Ties share 2.5; the 0 has no part: sums of 2.5 ± 2.5 ± 4 or so, |9| in 2 of 8 patterns.
    assert judging.sign_flip((0, 7, 7, 9)) == (9, 0.25)


def test_epochs_of_the_overfit_check_are_judged_by_ranks():
    one_side = table("overfit_epochs", a=[50 + i for i in range(SECOND)], b=[40] * SECOND)
    longer = Finding(1, "a takes longer.", "overfit_epochs", MORE, (("a", "b"),))
    verdict, (judged,) = judge(longer, one_side)
    # At the first look 2 of 16 patterns are as extreme, at the second 2 of 256.
    assert (verdict, judged.p, judged.low) == (HOLDS, 2 / 256, None)
    sooner = Finding(1, "a is sooner.", "overfit_epochs", LESS, (("a", "b"),))
    assert judge(sooner, one_side)[0] == FAILS


def result(name, seed, epochs_to_zero, val_acc=0.4, train_acc=0.55):
    history = [{"train_acc": 0.1, "val_acc": 0.1}, *[{"train_acc": train_acc, "val_acc": val_acc}] * 3]
    return {
        "experiment": {"name": name, "seed": seed},
        "history": history,
        "overfit": {"epochs_to_zero": epochs_to_zero, "losses": [1.0] * (epochs_to_zero or 100)},
        "gradient_ratios": {"conv_1_1": [1.0, 3.0], "logits": [50.0, 70.0]},
        "scores": {"accuracy": 0.61, "macro_f1": 0.52},
    }


def test_the_overfit_check_over_runs(monkeypatch):
    names = ("1-Layer-NN", "2-1024-Layer-NN", "3-1024-Layer-NN", "3-1024-Layer-Batchnorm-NN", "1-1-CNN")
    found = {
        name: [result(name, 3, epochs, val_acc=0.3 + 0.02 * i)]
        for i, (name, epochs) in enumerate(zip(names, (10, 20, 30, 40, None), strict=True))
    } | {"other": [result("Resnet-Tiny", 3, 1)]}
    claim = RunFinding("The sooner, the lower.", "overfit_epochs", "val_acc", MORE)
    one = judging.associate(claim, judging.figures(found), found)
    assert (one.runs, one.rho, one.verdict) == (5, pytest.approx(1), PENDING), "runs are missing"
    monkeypatch.setattr(judging, "STEPS", [dataclasses.replace(judging.STEPS[0], runs=names)])
    one = judging.associate(claim, judging.figures(found), found)
    assert (one.runs, one.rho, one.unfinished) == (5, pytest.approx(1), ("1-1-CNN",))
    assert (one.low, one.high, one.verdict) == (pytest.approx(1), pytest.approx(1), HOLDS)
    opposite = RunFinding("The sooner, the larger the gap.", "overfit_epochs", "val_acc", LESS)
    assert judging.associate(opposite, judging.figures(found), found).verdict == FAILS
    assert judging.associate(claim, judging.figures({}), {}).verdict == PENDING
    equal = {name: [result(name, 3, 10)] for name in names}
    one = judging.associate(claim, judging.figures(equal), equal)
    assert (one.runs, one.rho, one.verdict) == (5, None, INCONCLUSIVE)


def test_metrics():
    one = result("a", 0, None) | {"spread": {"gradient_sd": {"x": [0.1, 0.3]}, "weight_sd": {"x": [0.02, 0.04]}}}
    one["history"] = [
        {"train_acc": 0.2, "val_acc": 0.1},
        {"train_acc": 0.3, "val_acc": 0.3, "train_acc_inference": 0.50},
        {"train_acc": 0.4, "val_acc": 0.2, "train_acc_inference": 0.60},
        {"train_acc": 0.8, "val_acc": 0.4, "train_acc_inference": 0.70},
    ]
    figures = {name: metric.of(one) for name, metric in judging.METRICS.items()}
    assert figures == pytest.approx(
        {
            "val_acc": 0.3,  # of 0.3, 0.2, 0.4
            "gap": 0.2,  # 0.5 of 0.3, 0.4, 0.8
            "inference_gap": 0.3,
            "test_acc": 0.61,
            "macro_f1": 0.52,
            "early_train_acc": 0.3,  # of 0.2, 0.3, 0.4
            "val_acc_change": 0.5 / 3,  # of 0.2, 0.1, 0.2
            "overfit_epochs": 101,
            "first_layer_ratio": 2.0,
            "gradient_sd": 0.2,
            "weight_sd": 0.03,
        }
    )
    last = {name: judging.LAST_EPOCH_METRICS[name].of(one) for name in ("val_acc", "gap")}
    assert last == pytest.approx({"val_acc": 0.4, "gap": 0.4})


def test_one_epoch_has_no_change_of_accuracy():
    one = result("a", 3, 7)
    one["history"] = one["history"][:1]
    assert judging.figures({"a": [one]})["val_acc_change"] == {}


def test_older_result_lacks_the_newer_figures():
    figures = judging.figures({"a": [result("a", 3, 7)]})
    assert figures["inference_gap"] == figures["gradient_sd"] == {}
    assert figures["overfit_epochs"] == {"a": {3: 7}}

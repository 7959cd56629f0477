"""Findings judged by results over several seeds."""

import dataclasses
import math
import statistics
from collections.abc import Callable

from scipy.special import stdtrit

HOLDS, FAILS, UNKNOWN = "holds", "does not hold", "cannot be told"
LEAST_SEEDS = 3
CONFIDENCE = 0.95


@dataclasses.dataclass(frozen=True)
class Metric:
    """A figure of one result.

    Args:
        label: its name for people.
        points: whether it is a fraction, to be shown in points of percent.
        of: function of a result as `fer_keras.study.results.read` gives it.
    """

    label: str
    points: bool
    of: Callable[[dict], float]


@dataclasses.dataclass(frozen=True)
class Judgement:
    """What the results say of one pair of a finding.

    Attributes:
        run: run name.
        other: run name or number.
        seeds: the seeds that both sides have.
        differences: metric of `run` minus that of `other`, for each of the seeds.
        mean: of the differences; `None` without seeds.
        sd: standard deviation of the differences; `None` with fewer than three seeds, like `low` and `high`.
        low, high: 95 % confidence interval of the mean difference.
        verdict: `HOLDS` if that interval lies inside the claimed one, `FAILS` if outside, else `UNKNOWN`.
    """

    run: str
    other: str | float
    seeds: tuple[int, ...]
    differences: tuple[float, ...]
    mean: float | None = None
    sd: float | None = None
    low: float | None = None
    high: float | None = None
    verdict: str = UNKNOWN


def _val_acc(result):
    return result["history"][-1]["val_acc"]


def _gap(result):
    # Keras' training accuracy is the mean over the epoch's steps, dropout and augmentation included.
    return result["history"][-1]["train_acc"] - _val_acc(result)


def _overfit_epochs(result):
    # A check that never came down to 0 counts as one epoch longer than it was.
    overfit = result["overfit"]
    return overfit["epochs_to_zero"] or len(overfit["losses"]) + 1


def _first_layer_ratio(result):
    return statistics.fmean(next(iter(result["gradient_ratios"].values())))


METRICS = {
    "val_acc": Metric("validation accuracy after the last epoch", True, _val_acc),
    "gap": Metric("gap: training minus validation accuracy after the last epoch", True, _gap),
    "test_acc": Metric("test accuracy", True, lambda result: result["scores"]["accuracy"]),
    "macro_f1": Metric("test macro F1", True, lambda result: result["scores"]["macro_f1"]),
    "overfit_epochs": Metric("epochs until the overfit check's loss is 0", False, _overfit_epochs),
    "first_layer_ratio": Metric("first layer's gradient, % of its weights, all epochs", False, _first_layer_ratio),
}


def by_run(results):
    """Return {run name: {seed: result}}, names in the order of `results`."""
    runs = {}
    for result in results:
        experiment = result["experiment"]
        runs.setdefault(experiment["name"], {})[experiment["seed"]] = result
    return runs


def judge(finding, runs):
    """Judge every pair of `finding`.

    Args:
        finding: `fer_keras.study.Finding`.
        runs: what `by_run` returned.

    Returns:
        `(verdict, judgements)`: `FAILS` if one pair fails, `HOLDS` if all hold, else `UNKNOWN`; and a `Judgement`
        for each pair.
    """
    metric = METRICS[finding.metric].of
    judgements = [compare(run, other, metric, finding.claimed, runs) for run, other in finding.pairs]
    verdicts = {judgement.verdict for judgement in judgements}
    if FAILS in verdicts:
        return FAILS, judgements
    return (HOLDS if verdicts == {HOLDS} else UNKNOWN), judgements


def compare(run, other, metric, claimed, runs):
    """Return the `Judgement` of one pair, paired by seed: a seed is also that of the split, so faces are equal."""
    left = values(runs.get(run, {}), metric)
    right = values(runs.get(other, {}), metric) if isinstance(other, str) else dict.fromkeys(left, other)
    seeds = tuple(sorted(left.keys() & right.keys()))
    differences = tuple(left[seed] - right[seed] for seed in seeds)
    mean = statistics.fmean(differences) if seeds else None
    if len(seeds) < LEAST_SEEDS:
        return Judgement(run, other, seeds, differences, mean)
    sd = statistics.stdev(differences)
    low, high = interval(mean, sd, len(seeds))
    return Judgement(run, other, seeds, differences, mean, sd, low, high, verdict(low, high, claimed))


def values(results, metric):
    """Return {seed: metric} of {seed: result}."""
    return {seed: metric(result) for seed, result in results.items()}


def interval(mean, sd, count):
    """Return the 95 % confidence interval of a mean of `count` values: mean ± t · sd / √count, Student's t."""
    half = float(stdtrit(count - 1, (1 + CONFIDENCE) / 2)) * sd / math.sqrt(count)
    return mean - half, mean + half


def verdict(low, high, claimed):
    """Say whether a confidence interval lies inside the open interval `claimed`, outside, or across its border."""
    if claimed[0] < low and high < claimed[1]:
        return HOLDS
    return FAILS if high <= claimed[0] or claimed[1] <= low else UNKNOWN

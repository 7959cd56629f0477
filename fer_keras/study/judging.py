"""Judges findings by results over several seeds, by the rule in `fer_keras.study.plan`."""

import dataclasses
import functools
import hashlib
import itertools
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import ndtri, stdtrit
from scipy.stats import rankdata, spearmanr

from fer_keras.experiment import LAST_EPOCHS
from fer_keras.study.plan import (
    FINDINGS,
    FIRST_SEED,
    LEVEL,
    LOOKS,
    MATTERS,
    RUN_FINDINGS,
    STEPS,
    Finding,
    RunFinding,
)
from fer_keras.study.results import Results

HOLDS, FAILS, EQUAL, INCONCLUSIVE = "holds", "does not hold", "no difference that matters", "inconclusive"
PENDING = "not judged yet"  # its first look is not complete
RunValues = dict[str, dict[int, float]]  # {run name: {seed: value}}
Table = dict[str, RunValues]  # {metric: values}
VERDICTS = (HOLDS, FAILS, EQUAL, INCONCLUSIVE, PENDING)
FALSE = 0.05  # probability of a false verdict on one finding over all looks
PILOT_SEEDS = range(FIRST_SEED)
PILOT_LEVEL = 0.05
POWER = 0.8  # for which the seeds of an inconclusive pair are estimated
RESAMPLES = 2000


@dataclasses.dataclass(frozen=True)
class Metric:
    """A figure of one result.

    Args:
        label: its name for readers.
        points: whether it is a fraction, shown in percentage points.
        of: function of a result from `fer_keras.study.results.read`; returns `None` if the result lacks it.
        censored: whether it counts epochs up to a limit; such figures are compared by ranks.
    """

    label: str
    points: bool
    of: Callable[[dict], float | None]
    censored: bool = False


@dataclasses.dataclass(frozen=True)
class Judgement:
    """The verdict on one pair of a finding, with its figures.

    Attributes:
        run: run name.
        other: run name or number.
        seeds: those with a result on both sides.
        differences: metric of `run` minus that of `other`, for each seed.
        mean: of the differences; `None` without seeds.
        sd: standard deviation of the differences; `None` with fewer than two seeds, like `low` and `high`.
        low, high: confidence interval of the mean difference; `None` for a censored metric.
        p: of the sign-flip test, for a censored metric only.
        verdict: one of `VERDICTS`.
        rejected: whether the pair alone refutes a finding that claims several.
        needed: estimated number of seeds to decide an inconclusive pair, see `seeds_for_power`; else `None`.
    """

    run: str
    other: str | float
    seeds: tuple[int, ...]
    differences: tuple[float, ...]
    mean: float | None = None
    sd: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    verdict: str = INCONCLUSIVE
    rejected: bool = False
    needed: int | None = None


def _mean_of(key: str, epochs: slice = slice(-LAST_EPOCHS, None)) -> Callable[[dict], float]:
    return lambda result: statistics.fmean(row[key] for row in result["history"][epochs])


def _gap(result: dict[str, Any]) -> float:
    # Keras' training accuracy is the mean over the epoch's steps, with dropout and augmentation.
    return _mean_of("train_acc")(result) - _mean_of("val_acc")(result)


def _inference_gap(result: dict[str, Any]) -> float | None:
    if "train_acc_inference" not in result["history"][-1]:
        return None
    return _mean_of("train_acc_inference")(result) - _mean_of("val_acc")(result)


def _val_acc_change(result: dict[str, Any]) -> float | None:
    accuracies = [row["val_acc"] for row in result["history"]]
    if len(accuracies) < 2:
        return None
    return statistics.fmean(abs(after - before) for before, after in itertools.pairwise(accuracies))


def _overfit_epochs(result: dict[str, Any]) -> int:
    # A check that never reaches 0 counts as one epoch more than its length.
    overfit = result["overfit"]
    return overfit["epochs_to_zero"] or len(overfit["losses"]) + 1


def _first_layer(figures: Mapping[str, Sequence[float]] | None) -> float | None:
    first = next(iter((figures or {}).values()), [])
    return statistics.fmean(first) if first else None


METRICS = {
    "val_acc": Metric("validation accuracy, mean of the last three epochs", True, _mean_of("val_acc")),
    "gap": Metric("generalization gap (running training accuracy), mean of the last three epochs", True, _gap),
    "inference_gap": Metric(
        "generalization gap (training accuracy in inference mode), mean of the last three epochs",
        True,
        _inference_gap,
    ),
    "test_acc": Metric("test accuracy", True, lambda result: result["scores"]["accuracy"]),
    "macro_f1": Metric("test macro F1", True, lambda result: result["scores"]["macro_f1"]),
    "early_train_acc": Metric(
        "training accuracy, mean of the first three epochs", True, _mean_of("train_acc", slice(LAST_EPOCHS))
    ),
    "val_acc_change": Metric("change of validation accuracy from epoch to epoch, mean", True, _val_acc_change),
    "overfit_epochs": Metric("epochs until the overfit check's loss is 0", False, _overfit_epochs, censored=True),
    "first_layer_ratio": Metric(
        "first layer's gradient, % of its weights, all epochs",
        False,
        lambda result: _first_layer(result["gradient_ratios"]),
    ),
    "gradient_sd": Metric(
        "standard deviation of the first layer's gradient, all epochs",
        False,
        lambda result: _first_layer(result.get("spread", {}).get("gradient_sd")),
    ),
    "weight_sd": Metric(
        "standard deviation of the first layer's weights, all epochs",
        False,
        lambda result: _first_layer(result.get("spread", {}).get("weight_sd")),
    ),
}
# For a run's final weights, as in the pilot's rule and on the leaderboard.
LAST_EPOCH_METRICS = METRICS | {
    "val_acc": Metric("validation accuracy after the last epoch", True, _mean_of("val_acc", slice(-1, None))),
    "gap": Metric(
        "generalization gap after the last epoch",
        True,
        lambda result: result["history"][-1]["train_acc"] - result["history"][-1]["val_acc"],
    ),
}


def rule_hash(run: str | None = None) -> str:
    """Return the SHA-256 of the rule and of what it judges: metrics, margins and pairs, without their wording.

    Every result of the study contains the hash for its run at the time of recording, so that later changes of a
    claim on the run are visible.

    Args:
        run: run name, for the findings that compare this run; `None` for all findings.
    """
    chosen = [one for one in FINDINGS if run is None or any(run in pair for pair in one.pairs)]
    claims = [(one.metric, one.claimed, one.pairs) for one in chosen]
    of_runs = [(one.metric, one.other, one.claimed) for one in RUN_FINDINGS]
    names = sorted({claim[0] for claim in claims} | {name for claim in of_runs for name in claim[:2]})
    metrics = [(name, METRICS[name].points, METRICS[name].censored) for name in names]
    rule = (FIRST_SEED, LOOKS, LEVEL, MATTERS, LAST_EPOCHS, claims, of_runs, metrics)
    return hashlib.sha256(repr(rule).encode()).hexdigest()


def figures(found: Results, metrics: Mapping[str, Metric] = METRICS) -> Table:
    """Return {metric: {run name: {seed: value}}} of the results from `fer_keras.study.results.read`."""
    table: Table = {name: {} for name in metrics}
    for result in itertools.chain.from_iterable(found.values()):
        experiment = result["experiment"]
        for name, metric in metrics.items():
            if (value := metric.of(result)) is not None:
                table[name].setdefault(experiment["name"], {})[experiment["seed"]] = value
    return table


def judge(finding: Finding, table: Table, looks: Sequence[int] = LOOKS) -> tuple[str, list[Judgement]]:
    """Judge `finding` at the first look that decides it, else at the last look with complete results.

    Args:
        finding: `fer_keras.study.Finding`.
        table: from `figures`.
        looks: numbers of seeds, ascending.

    Returns:
        `(verdict, judgements)`: `HOLDS` if every pair holds, `EQUAL` if no pair has a difference that matters,
        `FAILS` if one pair refutes the claim (first step of Holm's method over the pairs), `PENDING` if the first
        look is not complete, else `INCONCLUSIVE`; and a `Judgement` of each pair.
    """
    judgements: list[Judgement] = []
    verdict = INCONCLUSIVE
    for look in looks:
        seeds = range(FIRST_SEED, FIRST_SEED + look)
        reached = [compare(finding, pair, table[finding.metric], seeds, LEVEL) for pair in finding.pairs]
        if any(len(judgement.seeds) < look for judgement in reached):
            # An incomplete look decides nothing.
            if judgements:
                return INCONCLUSIVE, judgements
            return PENDING, [dataclasses.replace(j, verdict=PENDING) for j in reached]
        judgements = reached
        if (verdict := _of_pairs(judgements)) != INCONCLUSIVE:
            break
    return verdict, judgements


def judge_pilot(finding: Finding, table: Table) -> str | None:
    """Return the verdict by the pilot's rule on its seeds; `None` if the pilot lacks a run or a figure.

    That rule: the 95 % confidence interval after the last epoch lies inside the claim for every pair, or outside
    it for one. It had no verdict for differences that are too small to matter.

    Args:
        finding: `fer_keras.study.Finding`.
        table: `figures` of `LAST_EPOCH_METRICS`.
    """
    verdicts = set()
    for run, other in finding.pairs:
        seeds, differences = _differences(run, other, table[finding.metric], PILOT_SEEDS)
        if len(seeds) < len(PILOT_SEEDS):
            return None
        bounds = interval(statistics.fmean(differences), statistics.stdev(differences), len(seeds), PILOT_LEVEL)
        verdicts.add(place(*bounds, finding.claimed))
    if FAILS in verdicts:
        return FAILS
    return HOLDS if verdicts == {HOLDS} else INCONCLUSIVE


def _of_pairs(judgements: Sequence[Judgement]) -> str:
    verdicts = {judgement.verdict for judgement in judgements}
    if verdicts == {HOLDS} or verdicts == {EQUAL}:
        return verdicts.pop()
    return FAILS if any(judgement.rejected for judgement in judgements) else INCONCLUSIVE


def compare(
    finding: Finding, pair: tuple[str, str | float], values: RunValues, seeds: Iterable[int], level: float
) -> Judgement:
    """Return the `Judgement` of one pair, paired by seed; equal seeds have equal splits.

    Args:
        finding: `fer_keras.study.Finding`.
        pair: one of its pairs.
        values: {run name: {seed: value}}.
        seeds: to use.
        level: probability of refuting a true claim.
    """
    seeds, differences = _differences(*pair, values, seeds)
    if len(seeds) < 2:
        return Judgement(*pair, seeds, differences, differences[0] if seeds else None)
    mean, sd = statistics.fmean(differences), statistics.stdev(differences)
    if METRICS[finding.metric].censored:
        total, p = sign_flip(differences)
        side = HOLDS if finding.claimed[0] < total < finding.claimed[1] else FAILS
        verdict, strict = (side if p <= limit else INCONCLUSIVE for limit in (level, level / len(finding.pairs)))
        return Judgement(*pair, seeds, differences, mean, sd, None, None, p, verdict, strict == FAILS)
    directional = METRICS[finding.metric].points and finding.is_directional(pair)
    low, high = interval(mean, sd, len(seeds), level)
    stricter = interval(mean, sd, len(seeds), level / len(finding.pairs))
    verdict, strict = (decide(*bounds, finding.claimed, directional) for bounds in ((low, high), stricter))
    needed = seeds_for_power(mean, sd, finding.claimed, directional) if verdict == INCONCLUSIVE else None
    return Judgement(
        *pair, seeds, differences, mean, sd, low, high, None, verdict, strict in (FAILS, EQUAL), needed
    )


def _differences(
    run: str, other: str | float, values: RunValues, seeds: Iterable[int]
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    left = values.get(run, {})
    right = values.get(other, {}) if isinstance(other, str) else dict.fromkeys(left, other)
    common = tuple(seed for seed in seeds if seed in left and seed in right)
    return common, tuple(left[seed] - right[seed] for seed in common)


def interval(mean: float, sd: float, count: int, level: float) -> tuple[float, float]:
    """Return the confidence interval of a mean of `count` values: mean ± t · sd / √count, Student's t."""
    half = float(stdtrit(count - 1, 1 - level / 2)) * sd / math.sqrt(count)
    return mean - half, mean + half


def seeds_for_power(mean: float, sd: float, claimed: tuple[float, float], directional: bool) -> int | None:
    """Return the number of seeds that would decide a pair with probability `POWER` if `mean` and `sd` were true.

    That is (z + z')² (sd / d)² + z² / 2 (Guenther 1981), z and z' the normal quantiles of 1 - `LEVEL` / 2 and of
    `POWER`, d the distance of `mean` from the border of the nearest verdict.

    Args:
        mean, sd: of the differences.
        claimed, directional: as for `decide`.

    Returns:
        `int`; `None` if `mean` lies on a border.
    """
    inside = min(mean - claimed[0], claimed[1] - mean)
    distance = max(abs(inside), MATTERS - abs(mean) if directional else 0)
    if distance == 0:
        return None
    z, z_power = ndtri(1 - LEVEL / 2), ndtri(POWER)
    return math.ceil((z + z_power) ** 2 * (sd / distance) ** 2 + z**2 / 2)


def decide(low: float, high: float, claimed: tuple[float, float], directional: bool) -> str:
    """Return the verdict on one pair by its confidence interval.

    Args:
        low, high: the interval.
        claimed: open interval of the claim.
        directional: whether the claim is "more" or "less"; differences below `MATTERS` do not confirm it.
    """
    if directional and -MATTERS < low and high < MATTERS:
        return EQUAL
    return place(low, high, claimed)


def place(low: float, high: float, claimed: tuple[float, float]) -> str:
    """Return the verdict: a confidence interval is inside, outside or across the border of `claimed`."""
    if claimed[0] < low and high < claimed[1]:
        return HOLDS
    return FAILS if high <= claimed[0] or claimed[1] <= low else INCONCLUSIVE


def sign_flip(differences: Sequence[float]) -> tuple[float, float]:
    """Return the sum of the signed ranks of `differences`, and the probability of a sum at least as far from 0.

    Without a difference, both signs are equally likely: an exact test over all 2ⁿ sign patterns (Wilcoxon 1945),
    with mean ranks for ties; differences of 0 do not count.
    """
    signs, ranks = np.sign(differences), rankdata(np.abs(differences)) * (np.asarray(differences) != 0)
    total = float(signs @ ranks)
    return total, float(np.mean(np.abs(_sign_patterns(len(ranks)) @ ranks) >= abs(total) - 1e-9))


@functools.cache
def _sign_patterns(count: int) -> np.ndarray:
    return np.array(list(itertools.product((-1, 1), repeat=count)))


@dataclasses.dataclass(frozen=True)
class Association:
    """The association of two figures over runs.

    Attributes:
        claim: in words.
        runs, of: number of runs with new seeds, and of the study's runs in all.
        rho: Spearman's rank correlation of the runs' means; `None` with fewer than three runs, or if a
            figure is equal in all of them.
        low, high: its bootstrap interval over runs.
        verdict: `PENDING` while runs are missing, `HOLDS` or `FAILS` if the interval lies on one side of 0, else
            `INCONCLUSIVE`.
        unfinished: names of the runs with more than half of their checks unfinished, which share the highest rank.
    """

    claim: str
    runs: int
    of: int
    rho: float | None = None
    low: float | None = None
    high: float | None = None
    verdict: str = INCONCLUSIVE
    unfinished: tuple[str, ...] = ()


def associate(finding: RunFinding, table: Table, found: Results) -> Association:
    """Return the `Association` of a `fer_keras.study.plan.RunFinding` over the means of each run's new seeds.

    Args:
        finding: one of `RUN_FINDINGS`.
        table: from `figures`.
        found: from `fer_keras.study.results.read`, for the unfinished checks.
    """
    means = [_run_means(table[metric]) for metric in (finding.metric, finding.other)]
    every = [name for step in STEPS for name in step.runs]
    names = [name for name in every if name in means[0] and name in means[1]]
    complete = len(names) == len(every)
    unfinished = tuple(name for name in names if _unfinished(name, found) > 0.5)
    over_runs = functools.partial(Association, finding.claim, len(names), len(every), unfinished=unfinished)
    values = np.array([[of[name] for name in names] for of in means])
    if len(names) < 3 or (np.ptp(values, axis=1) == 0).any():
        return over_runs(verdict=INCONCLUSIVE if complete else PENDING)
    random = np.random.default_rng(0)
    samples = (values[:, random.integers(len(names), size=len(names))] for _ in range(RESAMPLES))
    rhos = [spearmanr(*sample).statistic for sample in samples if not (np.ptp(sample, axis=1) == 0).any()]
    low, high = map(float, np.quantile(rhos, [LEVEL / 2, 1 - LEVEL / 2]))
    rho = float(spearmanr(*values).statistic)
    verdict = place(low, high, finding.claimed) if complete else PENDING
    return over_runs(rho=rho, low=low, high=high, verdict=verdict)


def associations(table: Table, found: Results) -> list[Association]:
    """Return the `Association` of each of `RUN_FINDINGS`."""
    return [associate(finding, table, found) for finding in RUN_FINDINGS]


def _run_means(values: RunValues) -> dict[str, float]:
    new = {run: [v for seed, v in by_seed.items() if seed >= FIRST_SEED] for run, by_seed in values.items()}
    return {run: statistics.fmean(of_run) for run, of_run in new.items() if of_run}


def _unfinished(name: str, found: Results) -> float:
    checks = [
        result["overfit"]["epochs_to_zero"] is None
        for result in itertools.chain.from_iterable(found.values())
        if result["experiment"]["name"] == name and result["experiment"]["seed"] >= FIRST_SEED
    ]
    return statistics.fmean(checks)

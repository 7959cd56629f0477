"""Simulates what the study's looks at its findings cost and decide, from the pilot's results.

    python benchmarks/looks.py

A simulated run has the mean of its pilot, moved by that mean's own uncertainty, and the spread that runs of its
kind have over seeds. Figures that the pilot lacks take the place of the nearest that it has.
"""

import statistics

import click
import numpy as np

from fer_keras.study import FINDINGS, STEPS, judging, results
from fer_keras.study.plan import CLAIMS, FIRST_SEED

CANDIDATES = (
    (3, 6, 9),
    (4, 7, 10),
    (4, 8, 12),
    (5, 8, 11),
    (5, 8, 12),
    (6, 9, 12),
    (6, 8, 10),
    (7, 9, 11),
    (5, 10, 15),
)
STAND_INS = {"inference_gap": "gap", "gradient_sd": "first_layer_ratio", "weight_sd": "first_layer_ratio"}
HOURS = 3.5  # core-hours of all runs with one seed
CHECK_EPOCHS = 101


def kind(run):
    return "CNN" if "CNN" in run or "Best" in run else "BatchNorm" if "Batchnorm" in run else "NN"


def pilot(folder):
    """Return {metric: {run: (mean, standard deviation of its kind)}} and {run: hours}."""
    found = results.pilot(results.read(folder))
    hours = {
        group[0]["experiment"]["name"]: statistics.median(r["cost"]["minutes"] for r in group) / 60
        for group in found.values()
    }
    table = {}
    for metric, runs in judging.figures(found).items():
        spreads = {}
        for run, values in runs.items():
            spreads.setdefault(kind(run), []).append(statistics.variance(values.values()))
        spreads = {name: statistics.fmean(variances) ** 0.5 for name, variances in spreads.items()}
        table[metric] = {run: (statistics.fmean(v.values()), spreads[kind(run)]) for run, v in runs.items()}
    for metric, other in STAND_INS.items():
        table[metric] = table[other]
    for runs in (*table.values(), hours):  # runs that the pilot did not have
        for run in (name for step in STEPS for name in step.runs if name not in hours or name not in runs):
            runs[run] = runs[run.split("-sgd")[0] + "-sgd"]
    scale = HOURS / sum(hours.values())
    return table, {run: scale * hour for run, hour in hours.items()}


def simulated(table, random, seeds, alike=False):
    """Return figures as `judging.figures` does; `alike` gives all runs one mean, so that no difference is real."""
    sample = {}
    for metric, runs in table.items():
        sample[metric] = {}
        for run, (mean, sd) in runs.items():
            center = 0.0 if alike else mean + sd * random.standard_normal() / np.sqrt(3)
            values = center + sd * random.standard_normal(seeds)
            if judging.METRICS[metric].censored and not alike:
                values = np.clip(np.round(values), 1, CHECK_EPOCHS)
            sample[metric][run] = dict(enumerate(values.tolist(), FIRST_SEED))
    return sample


def cost(verdicts, looks, hours):
    """Return the core-hours of all runs for the first look, and for later ones of those not decided before."""
    total = looks[0] * sum(hours.values())
    for before, look in zip(looks, looks[1:], strict=False):
        open_ = [finding for finding, decided in verdicts if decided is None or decided > before]
        runs = {side for finding in open_ for pair in finding.pairs for side in pair if isinstance(side, str)}
        total += (look - before) * sum(hours[run] for run in runs)
    return total


def decided_at(finding, table, looks):
    for count in range(1, len(looks) + 1):
        if judging.judge(finding, table, looks[:count])[0] != judging.INCONCLUSIVE:
            return looks[count - 1]
    return None


@click.command(help=__doc__)
@click.option("--results", "folder", default="experiments/results", show_default=True)
@click.option("--draws", default=100, show_default=True)
def main(folder, draws):
    table, hours = pilot(folder)
    for looks in CANDIDATES:
        random = np.random.default_rng(0)
        costs, decided, false = [], [], []
        for _ in range(draws):
            sample = simulated(table, random, looks[-1])
            verdicts = [(finding, decided_at(finding, sample, looks)) for finding in FINDINGS]
            costs.append(cost(verdicts, looks, hours))
            decided.append([sum(at is not None and at <= look for _, at in verdicts) for look in looks])
            sample = simulated(table, random, looks[-1], alike=True)
            plain = [
                finding
                for finding in CLAIMS
                if len(finding.pairs) == 1 and finding.is_directional(finding.pairs[0])
            ]
            false += [
                judging.judge(finding, sample, looks)[0] in (judging.HOLDS, judging.FAILS) for finding in plain
            ]
        shares = ", ".join(f"{share:.0%}" for share in np.mean(decided, axis=0) / len(FINDINGS))
        click.echo(
            f"looks {looks}: {np.mean(costs):.1f} core-hours (5 to 95 %: {np.quantile(costs, 0.05):.1f} to "
            f"{np.quantile(costs, 0.95):.1f}), decided by each look: {shares}; false verdicts without any "
            f"difference: {np.mean(false):.1%}"
        )


if __name__ == "__main__":
    main()

"""Tables of the results."""

import collections
import statistics
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import pandas

from fer_keras import study
from fer_keras.study import judging, results
from fer_keras.study.judging import Judgement
from fer_keras.study.plan import Finding
from fer_keras.study.results import Result, Results

MOST_SEEDS = 1000  # larger estimates are shown as "more than"
HEADLINES = (  # claims of the findings shown in README
    "With three layers less of the gradient reaches the first one than with one or two.",
    "BatchNorm overfits: the gap is larger than without it.",
    "Input normalization brings about 5 points of validation accuracy (3 to 7).",
    "Mirroring cuts the gap sharply: by at least 3 points.",
    "3-2-Best reaches 0.60 test accuracy.",
)


def about(found: Results) -> str:
    """Return a paragraph on the data and machines of the results."""
    group = [result for results_ in found.values() for result in results_]
    data = group[0]["data"]
    images = ", ".join(f"{count:,} {name}" for name, count in data["images"].items())
    hours = sum(result["cost"]["minutes"] for result in group) / 60
    machines = sorted({machine(result["environment"]) for result in group})
    synthetic = "SYNTHETIC FACES, not FER-2013: " if data["synthetic"] else ""
    text = (
        f"{synthetic}{len(found)} runs, {len(group)} trainings, {hours:.1f} hours of training in all, each on "
        f"{' or '.join(machines)}. Data: {data['source']} ({images} images). Figures are means ± standard "
        "deviation over seeds; a seed also decides the split, initial weights and order. Runs are sorted by "
        "validation accuracy, by which choices are made; the generalization gap is training minus validation "
        "accuracy, in points. Minutes are of one training while several shared the machine."
    )
    return textwrap.fill(text, 110)


def machine(environment: Mapping[str, Any]) -> str:
    """Return the machine as text: processor or device, threads, backend, precision."""
    threads = f"{environment['threads']} thread{'s' if environment['threads'] != 1 else ''}"
    device = environment["processor"] if environment["device"] == "cpu" else environment["device"]
    backend = f"{environment['backend']} {environment['backend_version']}"
    return f"{device}, {threads}, {backend}, {environment['precision']}"


def frame(found: Results) -> pandas.DataFrame:
    """Return a `pandas.DataFrame`, one row for each run and seed; all shares are fractions."""
    return pandas.DataFrame(
        {"run": row["name"], "step": row["step"], "parameters": row["parameters"], "seed": seed}
        | {key: values[i] for key, values in row["figures"].items() if values}
        for row in rows(found)
        for i, seed in enumerate(row["seeds"])
    )


def leaderboard(found: Results) -> str:
    """Return a Markdown table of the study's runs, the best validation accuracy first."""
    return _runs_table([row for row in rows(found) if row["step"]])


def beyond(found: Results) -> str:
    """Return the table of `leaderboard` for the runs that are in no step of the study."""
    return _runs_table([row for row in rows(found) if not row["step"]])


def _runs_table(table: Sequence[Mapping[str, Any]]) -> str:
    if not table:
        return "No such runs."
    lines = [
        "| run | step | parameters | seeds | validation % | test % | leak-free % | macro F1 % "
        "| generalization gap | minutes |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in table:
        figures = (spread(row["figures"][key]) for key in ("val_acc", "test_acc", "leak_free", "macro_f1", "gap"))
        cells = [
            row["name"],
            row["step"] or "",
            f"{row['parameters']:,}",
            len(row["seeds"]),
            *figures,
            f"{row['minutes']:.1f}",
        ]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def pilot_leaderboard(found: Results) -> str:
    """Return the `leaderboard` of the pilot, whose seeds shaped the rule and are not used for verdicts."""
    return leaderboard(results.pilot(found))


def expectation(found: Results) -> str:
    """Return a paragraph on the number of decided findings and of expected false verdicts."""
    verdicts = collections.Counter(verdict for _, verdict, _ in judged(found))
    counts = ", ".join(f"{verdicts[name]} {name}" for name in judging.VERDICTS)
    count = verdicts.total() - verdicts[judging.PENDING]
    text = (
        f"{verdicts.total()} findings: {counts}. Each has a false verdict with a probability of at most "
        f"{judging.FALSE:.2f} over its {len(study.LOOKS)} looks, so expect at most {judging.FALSE * count:.1f} "
        f"false verdicts among the {count} that are judged. The seeds for {100 * judging.POWER:.0f} % "
        "power are an estimate from the mean and SD so far."
    )
    return textwrap.fill(text, 110)


def findings(found: Results) -> str:
    """Return `expectation` and a Markdown table of the findings: verdict, the pilot's verdict, differences."""
    lines = [
        expectation(found),
        "",
        "| step | finding | verdict | pilot's verdict | difference (97.8 % confidence interval) |",
        "|--:|---|---|---|---|",
    ]
    pilot = judging.figures(results.pilot(found), judging.LAST_EPOCH_METRICS)
    for finding, verdict, judgements in judged(found):
        metric = judging.METRICS[finding.metric]
        pairs = "<br>".join(f"{pair(j, metric.points)}: {difference(j, metric.points)}" for j in judgements)
        if not any(j.seeds for j in judgements):
            pairs = "not run yet"
        before = judging.judge_pilot(finding, pilot) or "not judged"
        lines.append(
            f"| {finding.step} | {finding.claim} | **{verdict}** | {before} | {metric.label}:<br>{pairs} |"
        )
    return "\n".join(lines)


def headlines(found: Results) -> str:
    """Return a Markdown table of `HEADLINES`: the pilot's verdict and that of the new seeds."""
    pilot = judging.figures(results.pilot(found), judging.LAST_EPOCH_METRICS)
    lines = ["| finding of the report | pilot, seeds 0 to 2 | new seeds |", "|---|---|---|"]
    for finding, verdict, _ in judged(found):
        if finding.claim in HEADLINES:
            lines.append(f"| {finding.claim} | {judging.judge_pilot(finding, pilot)} | **{verdict}** |")
    return "\n".join(lines)


def judged(found: Results) -> list[tuple[Finding, str, list[Judgement]]]:
    """Return [(`Finding`, verdict, [`Judgement`])] of all findings."""
    table = judging.figures(found)
    return [(finding, *judging.judge(finding, table)) for finding in study.FINDINGS]


def associations(found: Results) -> str:
    """Return a Markdown table of the associations of the overfit check with other figures of the study's runs."""
    lines = ["| claim | verdict | rank correlation (97.8 % bootstrap interval over runs) |", "|---|---|---|"]
    for one in judging.associations(judging.figures(found), found):
        figures = f"{one.rho:+.2f} ({one.low:+.2f} to {one.high:+.2f}), " if one.rho is not None else ""
        unfinished = f"; most checks unfinished: {', '.join(one.unfinished)}" if one.unfinished else ""
        lines.append(f"| {one.claim} | **{one.verdict}** | {figures}{one.runs} of {one.of} runs{unfinished} |")
    return "\n".join(lines)


def sentence(finding: Finding, verdict: str, judgements: Sequence[Judgement]) -> str:
    """Return one sentence on the results for a finding."""
    points = judging.METRICS[finding.metric].points
    if verdict == judging.PENDING:
        seeds = any(one.seeds for one in judgements)
        return "Too few seeds yet." if seeds else "Not run yet on the seeds that judge."
    if verdict == judging.HOLDS:
        return f"Confirmed: {_range(judgements, points)}."
    if verdict == judging.EQUAL:
        return f"No difference of a point or more: {_range(judgements, points)}."
    if verdict == judging.FAILS:
        refuting = next(one for one in judgements if one.rejected)
        return f"Refuted: {pair(refuting, points)} is {_short(refuting, points)}."
    open_ = next(one for one in judgements if one.verdict == judging.INCONCLUSIVE)
    return f"Undecided: {pair(open_, points)} is {_short(open_, points)}{_needed(open_)}."


def _range(judgements: Sequence[Judgement], points: bool) -> str:
    if len(judgements) == 1:
        return f"the difference is {_short(judgements[0], points)}"
    lowest, *_, highest = sorted(judgements, key=_mean)
    return f"the differences are {_short(lowest, points)} to {_short(highest, points)}"


def _short(judgement: Judgement, points: bool) -> str:
    mean = _mean(judgement)
    return f"{100 * mean:+.2f} points" if points else f"{mean:+.2g}"


def _mean(judgement: Judgement) -> float:
    assert judgement.mean is not None, "judgements without seeds are left out before"
    return judgement.mean


def pair(judgement: Judgement, points: bool) -> str:
    """Return the two sides of a judgement as text: "run − other run" or "run − 60 %"."""
    other = judgement.other
    if not isinstance(other, str):
        other = f"{100 * other:g} %" if points else f"{other:g}"
    return f"{judgement.run} − {other}"


def difference(judgement: Judgement, points: bool) -> str:
    """Return a judgement's figures as text, such as "+1.20 points (+0.40 to +2.00), SD 0.32, 3 seeds"."""
    count = len(judgement.seeds)
    seeds = f"{count} seed{'s' if count != 1 else ''}"
    if judgement.mean is None:
        return "not run yet"
    scale, unit = (100, " points") if points else (1, "")
    figure, plain = ("{:+.2f}", "{:.2f}") if points else ("{:+.2g}", "{:.2g}")
    mean = f"{figure.format(scale * judgement.mean)}{unit}"
    if judgement.sd is None:
        return f"{mean}, {seeds}"
    sd = plain.format(scale * judgement.sd)
    if judgement.p is not None:
        return f"{mean}, SD {sd}, p = {judgement.p:.3f} by ranks, {seeds}"
    assert judgement.low is not None and judgement.high is not None, "two seeds give an interval or a p"
    low, high = (figure.format(scale * bound) for bound in (judgement.low, judgement.high))
    return f"{mean} ({low} to {high}), SD {sd}, {seeds}{_needed(judgement)}"


def _needed(judgement: Judgement) -> str:
    if judgement.needed is None:
        return ""
    count = f"about {judgement.needed}" if judgement.needed <= MOST_SEEDS else f"more than {MOST_SEEDS:,}"
    return f"; {100 * judging.POWER:.0f} % power: {count} seeds"


def spread(values: Sequence[float]) -> str:
    """Return fractions as percent, "41.23 ± 0.45"; without the spread for one value, "" for none."""
    if not values:
        return ""
    mean = f"{100 * statistics.fmean(values):.2f}"
    return f"{mean} ± {100 * statistics.stdev(values):.2f}" if len(values) > 1 else mean


def rows(found: Results) -> list[dict[str, Any]]:
    """Return a `dict` for each run, the best mean validation accuracy first.

    Keys: `name`, `stem`, `step` (`None` if it is in none), `parameters`, `seeds`, `minutes` (mean), `verdicts` (of
    the overfit checks) and `figures` ({name: values by seed}: the keys of `judging.METRICS`, and `leak_free`).
    """
    steps = {name: step.number for step in study.STEPS for name in step.runs}
    table = [_row(stem, group, steps) for stem, group in results.latest(found).items()]
    return sorted(table, key=lambda row: -statistics.fmean(row["figures"]["val_acc"]))


def _row(stem: str, group: list[Result], steps: Mapping[str, int]) -> dict[str, Any]:
    name = group[0]["experiment"]["name"]
    figures = {key: [metric.of(result) for result in group] for key, metric in judging.LAST_EPOCH_METRICS.items()}
    figures = {key: [value for value in values if value is not None] for key, values in figures.items()}
    leak_free = [result["scores"].get("leak_free_accuracy") for result in group]
    return {
        "name": name,
        "stem": stem,
        "step": steps.get(name),
        "parameters": group[0]["cost"]["parameters"],
        "seeds": [result["experiment"]["seed"] for result in group],
        "minutes": statistics.fmean(result["cost"]["minutes"] for result in group),
        "verdicts": [result["overfit"]["verdict"] for result in group],
        "figures": figures | {"leak_free": [value for value in leak_free if value is not None]},
    }


def shown(step: study.Step) -> list[str]:
    """Return the names of the runs to show for a `study.Step`: its own and those compared in its findings."""
    names = [side for f in study.FINDINGS if f.step == step.number for sides in f.pairs for side in sides]
    return list(dict.fromkeys([*step.runs, *(name for name in names if isinstance(name, str))]))

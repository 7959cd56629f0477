"""Results in, tables and one page out."""

import ast
import json
import math
import pathlib
import re
import statistics
import textwrap

import pandas

from fer_keras import judging, results, study
from fer_keras.data import EMOTIONS
from fer_keras.errors import InputError
from fer_keras.files import write_text

TEMPLATE = pathlib.Path(__file__).with_name("report.html")
CURVES = ("val_acc", "train_acc", "val_loss", "train_loss", "grad_ratio", "weight_norm", "learning_rate")


def write(folder, output):
    """Write report.html, report.md and report.csv of the results in `folder` into `output`; return their paths.

    Raises:
        InputError: if there are no results.
    """
    found = read(folder)
    contents = {
        "report.html": html(found),
        "report.md": markdown(found),
        "report.csv": frame(found).to_csv(index=False),
    }
    for name, content in contents.items():
        write_text(pathlib.Path(output, name), content)
    return [pathlib.Path(output, name) for name in contents]


def read(folder):
    """Return `results.read(folder)`.

    Raises:
        InputError: also if there are none.
    """
    found = results.read(folder)
    if not found:
        raise InputError(f"No results in {str(folder)!r}. Run `fer-keras study` first, or name their folder.")
    return found


def markdown(found):
    """Return the whole report as Markdown: data and machine, leaderboard, findings."""
    return f"# The study, re-run and judged\n\n{about(found)}\n\n{leaderboard(found)}\n\n{findings(found)}\n"


def about(found):
    """Return what the results were measured on, as a paragraph."""
    group = [result for results_ in found.values() for result in results_]
    data = group[0]["data"]
    images = ", ".join(f"{count:,} {name}" for name, count in data["images"].items())
    hours = sum(result["cost"]["minutes"] for result in group) / 60
    machines = sorted({_machine(result["environment"]) for result in group})
    demo = "DRAWN DEMO FACES, not FER-2013: " if data["demo"] else ""
    text = (
        f"{demo}{len(found)} runs, {len(group)} trainings, {hours:.1f} hours of training in all, each on "
        f"{' or '.join(machines)}. Data: {data['source']} ({images} images). Figures are means ± standard "
        "deviation over seeds; a seed also decides the split, initial weights and order. Runs are sorted by "
        "validation accuracy, which chooses; the gap is training minus validation accuracy, in points. Minutes "
        "are of one training, several sharing the machine."
    )
    return textwrap.fill(text, 110)


def _machine(environment):
    threads = f"{environment['threads']} thread{'s' if environment['threads'] != 1 else ''}"
    device = environment["processor"] if environment["device"] == "cpu" else environment["device"]
    backend = f"{environment['backend']} {environment['backend_version']}"
    return f"{device}, {threads}, {backend}, {environment['precision']}"


def frame(found):
    """Return a `pandas.DataFrame`, one row for each run and seed; accuracies, gap and F1 as fractions."""
    return pandas.DataFrame(
        {"run": row["name"], "step": row["step"], "parameters": row["parameters"], "seed": seed}
        | {key: values[i] for key, values in row["figures"].items() if values}
        for row in rows(found)
        for i, seed in enumerate(row["seeds"])
    )


def leaderboard(found):
    """Return a Markdown table, one row for each run, the best validation accuracy first."""
    header = (
        "| run | step | parameters | seeds | validation % | test % | leak-free % | macro F1 % | gap | minutes |"
    )
    lines = [header, "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"]
    for row in rows(found):
        figures = (spread(row["figures"][key]) for key in ("val_acc", "test_acc", "leak_free", "macro_f1", "gap"))
        cells = [
            f"[{row['name']}](experiments/{row['stem']}.py)",
            row["step"] or "",
            f"{row['parameters']:,}",
            len(row["seeds"]),
            *figures,
            f"{row['minutes']:.1f}",
        ]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def findings(found):
    """Return a Markdown table of the findings, each with its verdict and its differences."""
    lines = ["| step | finding | verdict | difference (95 % confidence interval) |", "|--:|---|---|---|"]
    for finding, verdict, judgements in judged(found):
        metric = judging.METRICS[finding.metric]
        pairs = "<br>".join(f"{_pair(j, metric.points)}: {difference(j, metric.points)}" for j in judgements)
        lines.append(f"| {finding.step} | {finding.claim} | **{verdict}** | {metric.label}:<br>{pairs} |")
    return "\n".join(lines)


def judged(found):
    """Return [(`Finding`, verdict, [`Judgement`])] of all findings."""
    runs = judging.by_run(result for group in found.values() for result in group)
    return [(finding, *judging.judge(finding, runs)) for finding in study.FINDINGS]


def _pair(judgement, points):
    other = judgement.other
    if not isinstance(other, str):
        other = f"{100 * other:g} %" if points else f"{other:g}"
    return f"{judgement.run} − {other}"


def difference(judgement, points):
    """Return a judgement's figures as text, such as "+1.20 points (+0.40 to +2.00), SD 0.32, 3 seeds"."""
    count = len(judgement.seeds)
    seeds = f"{count} seed{'s' if count != 1 else ''}"
    if judgement.mean is None:
        return "not run with the same seeds"
    scale, unit = (100, " points") if points else (1, "")
    mean = f"{scale * judgement.mean:+.2f}{unit}"
    if judgement.low is None:
        return f"{mean}, {seeds}"
    low, high = scale * judgement.low, scale * judgement.high
    return f"{mean} ({low:+.2f} to {high:+.2f}), SD {scale * judgement.sd:.2f}, {seeds}"


def spread(values):
    """Return fractions as percent, "41.23 ± 0.45"; without the spread for one value, "" for none."""
    if not values:
        return ""
    mean = f"{100 * statistics.fmean(values):.2f}"
    return f"{mean} ± {100 * statistics.stdev(values):.2f}" if len(values) > 1 else mean


def rows(found):
    """Return a `dict` for each run, the best mean validation accuracy first.

    Keys: `name`, `stem`, `step` (`None` if it is in none), `parameters`, `seeds`, `minutes` (mean), `verdicts` (of
    the overfit checks) and `figures` ({name: values by seed}: the keys of `judging.METRICS`, and `leak_free`).
    """
    steps = {name: step.number for step in study.STEPS for name in step.runs}
    table = [_row(stem, group, steps) for stem, group in found.items()]
    return sorted(table, key=lambda row: -statistics.fmean(row["figures"]["val_acc"]))


def _row(stem, group, steps):
    name = group[0]["experiment"]["name"]
    figures = {key: [metric.of(result) for result in group] for key, metric in judging.METRICS.items()}
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


def html(found):
    """Return the report as one page that needs nothing but itself."""
    data = json.dumps(page_data(found), allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    return TEMPLATE.read_text(encoding="utf-8").replace("{{data}}", data)


def page_data(found):
    """Return what the page shows, as plain values."""
    return {
        "about": about(found),
        "emotions": EMOTIONS,
        "steps": [_step(step) for step in study.STEPS],
        "runs": [row | _course(found[row["stem"]]) for row in rows(found)],
        "findings": [_finding(*item) for item in judged(found)],
    }


def _step(step):
    sides = [side for f in study.FINDINGS if f.step == step.number for pair in f.pairs for side in pair]
    compared = [side for side in sides if isinstance(side, str)]
    return {
        "number": step.number,
        "question": step.question,
        "runs": list(dict.fromkeys([*step.runs, *compared])),
    }


def _course(group):
    confusions = [result["scores"]["confusion"] for result in group]
    return {
        "curves": {
            key: [[results.rounded(row[key], 5) for row in result["history"]] for result in group]
            for key in CURVES
        }
        | {"overfit": [results.rounded(result["overfit"]["losses"], 4) for result in group]},
        "ratios": [result["gradient_ratios"] for result in group],
        "checks": [result["overfit"]["text"] for result in group],
        "confusion": [
            [sum(cells) for cells in zip(*lines, strict=True)] for lines in zip(*confusions, strict=True)
        ],
    }


def _finding(finding, verdict, judgements):
    metric = judging.METRICS[finding.metric]
    return {
        "step": finding.step,
        "claim": finding.claim,
        "verdict": verdict,
        "metric": metric.label,
        "scale": 100 if metric.points else 1,
        "unit": "points" if metric.points else "",
        "claimed": [side if math.isfinite(side) else None for side in finding.claimed],
        "pairs": [
            {
                "title": _pair(j, metric.points),
                "mean": j.mean,
                "low": j.low,
                "high": j.high,
                "verdict": j.verdict,
                "text": difference(j, metric.points),
            }
            for j in judgements
        ],
    }


def result_line(group):
    """Return the `Result` paragraph of an experiment file's docstring, from its results."""
    row = _row("", group, {})
    figures = {key: spread(row["figures"][key]) for key in ("test_acc", "val_acc", "gap")}
    count = len(group)
    text = (
        f"test accuracy {figures['test_acc']} %, validation {figures['val_acc']} %, gap {figures['gap']} points "
        f"({count} seed{'s' if count != 1 else ''}); {row['minutes']:.1f} minutes on "
        f"{_machine(group[0]['environment'])}."
    )
    return textwrap.fill(f"Result    {text}", 110, subsequent_indent=" " * 10, break_on_hyphens=False)


def write_result_lines(folder, found):
    """Put the `Result` of each run into its experiment file in `folder`, in place of an older one."""
    for stem, group in found.items():
        file = pathlib.Path(folder, f"{stem}.py")
        text = file.read_text(encoding="utf-8")
        docstring = ast.get_docstring(ast.parse(text), clean=False)
        kept = re.split(r"^Result ", docstring, maxsplit=1, flags=re.MULTILINE)[0].rstrip()
        write_text(file, text.replace(docstring, f"{kept}\n{result_line(group)}\n", 1))


def write_section(file, name, text):
    """Put `text` between the lines `<!-- name -->` and `<!-- end of name -->` of a Markdown file.

    Raises:
        InputError: if the file has no such lines.
    """
    start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    before, found_start, rest = pathlib.Path(file).read_text(encoding="utf-8").partition(start)
    _, found_end, after = rest.partition(end)
    if not (found_start and found_end):
        raise InputError(
            f"{file} has no lines {start.strip()!r} and {end.strip()!r}. Add them where the text belongs."
        )
    write_text(file, f"{before}{start}\n{text}\n\n{end}{after}")


def update(folder, experiments="experiments", readme="README.md"):
    """Renew what is generated from the results in `folder`: `Result` lines of experiments, README's sections.

    Raises:
        InputError: if there are no results, or README lacks the lines that mark its sections.
    """
    found = read(folder)
    write_result_lines(experiments, found)
    write_section(readme, "leaderboard", leaderboard(found))
    write_section(readme, "findings", findings(found))

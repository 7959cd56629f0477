"""What each option of training brings: a small residual network with one setting changed at a time.

    python benchmarks/ablation.py [--seeds 3] [--workers 2]

Differences are paired by seed, which is that of the split too, with their 95 % interval; validation is the part of
Training that nothing is trained on. Runs that are recorded are not run again, what was interrupted continues, and
`--workers 0` prints the table of what is there.
"""

# ruff: noqa: I001
import concurrent.futures
import dataclasses
import multiprocessing
import os
import pathlib
import shutil
import statistics

import fer_keras  # noqa: F401  chooses the backend, before Keras is imported
import click

from fer_keras import data as faces_data
from fer_keras.runs import pipeline
from fer_keras.experiment import load
from fer_keras.study import judging, results, running

REFERENCE = {
    "model_options": {"stem_filters": (16,), "filters": (32, 64, 128)},
    "augmentation": ("flip", "affine"),
    "learning_rate": 2e-2,
    "batch_size": 128,
    "epochs": 8,
}
FOLDER = pathlib.Path(__file__).resolve().parent.parent / "experiments"
BASE = "as it is"
VARIANTS = {
    BASE: {},
    "no affine moves": {"augmentation": ("flip",)},
    "erasing too": {"augmentation": ("flip", "affine", "erasing")},
    "mixup 0.2": {"mixup": 0.2},
    "cutmix 1": {"cutmix": 1.0},
    "no label smoothing": {"label_smoothing": 0.0},
    "generalized cross-entropy": {"label_smoothing": 0.0, "loss": "generalized_cross_entropy"},
    "balanced classes": {"class_weight": "balanced"},
    "averaged weights": {"optimizer_options": {"use_ema": True, "ema_momentum": 0.995}},
    "sharpness-aware 0.05": {"sam": 0.05},
    "AdamW up to 0.003": {"optimizer": "adamw", "learning_rate": 3e-3},
    "cleaned": {"deduplicate": True},
    "half from its own kind": {"distillation": 0.5},
}
ADAMW = {"weight_decay": 0.05}


def experiment_of(label, seed, output):
    """Return the `Experiment` of a variant; one with a teacher has the unchanged network of the same seed."""
    base = dataclasses.replace(load(FOLDER / "speedrun_60.py"), **REFERENCE)
    changes = dict(VARIANTS[label])
    if "distillation" in changes:
        changes["teachers"] = (str(output / f"{seed}.keras"),)
    options = ADAMW if changes.get("optimizer") == "adamw" else dict(base.optimizer_options)
    changes["optimizer_options"] = options | changes.get("optimizer_options", {})
    return dataclasses.replace(base, name=f"Ablation-{stem_of(label)}", seed=seed, **changes)


def stem_of(label):
    return label.replace(" ", "_").replace(".", "_").replace("-", "_").lower()


def plan(label, seeds, output):
    """Return the jobs of a variant, one for each seed."""
    return [
        running.Job(
            FOLDER / "speedrun_60.py",
            experiment_of(label, seed, output),
            results.path(FOLDER / "results_ablation", stem_of(label), seed),
        )
        for seed in range(seeds)
    ]


def train(job, data, output):
    """Train, evaluate and record one variant in its own process; return a row of the table."""
    folder, record = pipeline.run(job.experiment, data=data, output=output, tracking="disabled")
    if job.result.parent.name == stem_of(BASE):
        shutil.copy(folder / "model.keras", output / f"{job.experiment.seed}.keras")
    result = results.compact(record, running.parameters(job.experiment))
    results.write(job.result, result)
    return f"{job.title}: validation {result['history'][-1]['val_acc']:.4f}"


def train_all(jobs, workers, data, output):
    spawning = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, spawning, max_tasks_per_child=1) as pool:
        for done in concurrent.futures.as_completed([pool.submit(train, job, data, output) for job in jobs]):
            click.echo(done.result())


def table(runs):
    """Return the Markdown table of {label: {seed: result}}."""
    names = ("val_acc", "test_acc", "macro_f1", "gap")
    metrics = {name: judging.LAST_EPOCH_METRICS[name].of for name in names}
    lines = [
        "| changed | validation | difference | test | macro F1 | generalization gap |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for label, found in runs.items():
        means = {name: 100 * statistics.fmean(map(metric, found.values())) for name, metric in metrics.items()}
        difference = ""
        if label != BASE:
            base = runs[BASE]
            common = [
                metrics["val_acc"](found[s]) - metrics["val_acc"](base[s]) for s in found.keys() & base.keys()
            ]
            mean = statistics.fmean(common)
            difference = f"{100 * mean:+.1f}"
            if len(common) > 2:
                low, high = judging.interval(mean, statistics.stdev(common), len(common), 0.05)
                difference += f", {100 * low:+.1f} to {100 * high:+.1f}"
        lines.append(
            f"| {label} | {means['val_acc']:.1f} | {difference} | {means['test_acc']:.1f} | "
            f"{means['macro_f1']:.1f} | {means['gap']:.1f} |"
        )
    return "\n".join(lines)


@click.command(help=__doc__)
@click.option("--seeds", default=3, show_default=True)
@click.option("--workers", default=2, show_default=True, help="Processes at a time, one thread each.")
@click.option("--data", help="As for `fer-keras run`.")
@click.option("--output", type=click.Path(path_type=pathlib.Path), default="runs/ablation", show_default=True)
def main(seeds, workers, data, output):
    jobs = {label: plan(label, seeds, output) for label in VARIANTS}
    if workers:
        faces = faces_data.load(data)
        if faces.synthetic:
            raise click.UsageError("Synthetic faces show nothing about these settings. Give FER-2013 with --data.")
        os.environ["OMP_NUM_THREADS"] = "1"
        # Teachers come before their pupils, and in each part every variant's first seed, then every one's second.
        for part in ([jobs[BASE]], [group for label, group in jobs.items() if label != BASE]):
            missing = running.missing(
                [job for of_seed in zip(*part, strict=True) for job in of_seed], faces.digest
            )
            train_all(missing, workers, data, output)
    found = {
        label: {job.experiment.seed: results.read_one(job.result) for job in group if job.result.exists()}
        for label, group in jobs.items()
    }
    click.echo(table({label: of_seed for label, of_seed in found.items() if of_seed}))


if __name__ == "__main__":
    main()

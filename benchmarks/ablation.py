"""What each option of training brings: the network of Speedrun-60 with one setting changed at a time.

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

import click

EPOCHS = 8
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
    "cleaned": {"clean": True},
    "half from its own kind": {"distillation": 0.5},
}
ADAMW = {"weight_decay": 0.05}


def experiment_of(label, seed, output):
    """Return the `Experiment` of a variant; one with a teacher has the unchanged network of the same seed."""
    from fer_keras.experiment import load

    base, changes = load(FOLDER / "speedrun_60.py"), dict(VARIANTS[label])
    if "distillation" in changes:
        changes["teachers"] = (str(output / f"{seed}.keras"),)
    options = ADAMW if changes.get("optimizer") == "adamw" else dict(base.optimizer_options)
    changes["optimizer_options"] = options | changes.get("optimizer_options", {})
    return dataclasses.replace(base, name=f"Ablation-{stem_of(label)}", epochs=EPOCHS, seed=seed, **changes)


def stem_of(label):
    return label.replace(" ", "_").replace(".", "_").replace("-", "_").lower()


def train(label, seed, data, output):
    """Train, judge and keep one variant, in a process of its own; return what to tell of it."""
    import fer_keras  # noqa: F401  chooses the backend, before Keras is imported
    from fer_keras import pipeline
    from fer_keras.study import results, running

    experiment = experiment_of(label, seed, output)
    folder, record = pipeline.run(experiment, data=data, output=output, tracking="disabled")
    if label == BASE:
        shutil.copy(folder / "model.keras", output / f"{seed}.keras")
    result = results.compact(record, running.parameters(experiment))
    results.write(results.path(FOLDER / "results_ablation", stem_of(label), seed), result)
    return f"{label}, seed {seed}: validation {result['history'][-1]['val_acc']:.4f}"


def table(runs):
    """Return the Markdown table of {label: {seed: result}}."""
    from fer_keras.study import judging

    metrics = {name: judging.METRICS[name].of for name in ("val_acc", "test_acc", "macro_f1", "gap")}
    lines = [
        "| changed | validation | against as it is | test | macro F1 | gap |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for label, found in runs.items():
        means = {name: 100 * sum(map(metric, found.values())) / len(found) for name, metric in metrics.items()}
        against = judging.compare(label, BASE, metrics["val_acc"], (0, 1), runs)
        interval = "" if against.low is None else f", {100 * against.low:+.1f} to {100 * against.high:+.1f}"
        difference = "" if label == BASE else f"{100 * against.mean:+.1f}{interval}"
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
    from fer_keras.study import results

    places = {
        (label, seed): results.path(FOLDER / "results_ablation", stem_of(label), seed)
        for seed in range(seeds)
        for label in VARIANTS
    }
    if workers:
        os.environ["OMP_NUM_THREADS"] = "1"
        spawning = multiprocessing.get_context("spawn")
        missing = [job for job, path in places.items() if not path.exists()]
        # Teachers come before their pupils.
        for part in ([j for j in missing if j[0] == BASE], [j for j in missing if j[0] != BASE]):
            with concurrent.futures.ProcessPoolExecutor(workers, spawning, max_tasks_per_child=1) as pool:
                for done in concurrent.futures.as_completed(pool.submit(train, *j, data, output) for j in part):
                    click.echo(done.result())
    runs = {}
    for (label, seed), path in places.items():
        if path.exists():
            runs.setdefault(label, {})[seed] = results.read_one(path)
    click.echo(table(runs))


if __name__ == "__main__":
    main()

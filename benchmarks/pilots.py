"""Pilot runs of the study: what the initialization changes, and each optimizer's best learning rate.

    python benchmarks/pilots.py --data fer2013.csv
    python benchmarks/pilots.py --table

Their seeds, 1000 and above, judge no finding. Results go to experiments/pilots.jsonl, a line for each run; what
stands there is not run again. docs/study.md says what was chosen by them.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import statistics
import subprocess
import sys

from fer_keras.runs import records

RESULTS = pathlib.Path("experiments/pilots.jsonl")
SEEDS = (1000, 1001)
INPUTS = {"nn_3_1024_layer_down": "plain inputs", "nn_3_layer_down_adam": "normalized inputs"}
# As PyTorch's: Keras adds RMSprop's epsilon under the root, so 1e-8 after the root is 1e-16.
RMSPROP = ["optimizer=rmsprop", "optimizer_options.rho=0.99", "optimizer_options.epsilon=1e-16"]
OPTIMIZERS = {
    "sgd": (["optimizer=sgd"], (1e-3, 1e-2, 3e-2, 1e-1)),
    "adam": ([], (1e-4, 3e-4, 1e-3, 3e-3)),
    "rmsprop": (RMSPROP, (1e-4, 3e-4, 1e-3, 3e-3)),
    "sgd, momentum 0.9": (["optimizer=sgd", "optimizer_options.momentum=0.9"], (1e-3, 3e-3, 1e-2, 3e-2)),
}
PAIRS = {  # step: one of its pairs of runs
    1: ("nn_3_1024_layer", "nn_1_layer"),
    5: ("nn_6_layer_down", "nn_3_1024_layer_down"),
    8: ("cnn_3_1", "cnn_1_1"),
    11: ("cnn_4_2_up_maxpool_dropout_layernorm_cbatchnorm", "cnn_4_2_up_maxpool_dropout_layernorm"),
}
INITIALIZATIONS = ("pytorch", "keras")


def jobs():
    """Return [(stem, settings, seed)]: rates on one seed and both kinds of inputs, the rest on each seed."""
    rates = [
        (stem, [*settings, f"learning_rate={rate}"], SEEDS[0])
        for settings, grid in OPTIMIZERS.values()
        for rate in grid
        for stem in INPUTS
    ]
    starts = [
        (stem, [f"model_options.initialization={name}"], seed)
        for seed in SEEDS
        for pair in PAIRS.values()
        for stem in pair
        for name in INITIALIZATIONS
    ]
    epsilon = [("nn_3_layer_down_adam", ["optimizer_options.epsilon=1e-8"], seed) for seed in SEEDS]
    return [*rates, *epsilon, *starts]


def run(job, data, output):
    """Train one job and return its line."""
    stem, settings, seed = job
    command = [sys.executable, "-m", "fer_keras", "run", f"experiments/{stem}.py", "--seed", str(seed)]
    command += ["--data", data, "--output", output, "--wandb", "disabled", *settings]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    record = records.read(done.stdout.splitlines()[-1].removeprefix("record: "))
    last = record["history"][-3:]
    return {
        "run": stem,
        "settings": settings,
        "seed": seed,
        "val_acc": [row["val_acc"] for row in record["history"]],
        "train_acc_inference": [row["train_acc_inference"] for row in last],
        "val_acc_recalibrated": last[-1].get("val_acc_recalibrated"),
        "overfit_epochs": record["overfit"]["epochs_to_zero"],
        "minutes": round(sum(row["epoch_time"] for row in record["history"]) / 60, 2),
        "environment": {
            key: record["environment"][key]
            for key in ("keras", "backend_version", "processor", "threads", "precision")
        },
    }


def lines():
    """Return what was run so far."""
    return [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.exists() else []


def table():
    """Return the figures by run and settings as Markdown: means over the seeds of the last three epochs."""
    groups = {}
    for line in lines():
        groups.setdefault((line["run"], " ".join(line["settings"])), []).append(line)
    text = ["| run | settings | validation %, by seed | mean | training, inference mode % | epochs to zero |"]
    text.append("|---|---|---|--:|--:|---|")
    for (run_, settings), group in sorted(groups.items()):
        accuracies = [100 * statistics.fmean(line["val_acc"][-3:]) for line in group]
        known = [100 * statistics.fmean(line["train_acc_inference"]) for line in group]
        by_seed = ", ".join(f"{value:.2f}" for value in accuracies)
        epochs = ", ".join(str(line["overfit_epochs"] or "> 100") for line in group)
        text.append(
            f"| {run_} | {settings} | {by_seed} | {statistics.fmean(accuracies):.2f} "
            f"| {statistics.fmean(known):.2f} | {epochs} |"
        )
    return "\n".join(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("FER_DATA"))
    parser.add_argument("--output", default="runs/pilots")
    parser.add_argument("--workers", type=int, default=2, help="processes at a time, one thread each")
    parser.add_argument("--table", action="store_true", help="print the figures and run nothing")
    options = parser.parse_args()
    if options.table:
        print(table())
        return
    os.environ["OMP_NUM_THREADS"] = "1"
    done = [(line["run"], line["settings"], line["seed"]) for line in lines()]
    todo = [job for job in jobs() if job not in done]
    with concurrent.futures.ThreadPoolExecutor(options.workers) as pool:
        started = [pool.submit(run, job, options.data, options.output) for job in todo]
        for finished in concurrent.futures.as_completed(started):
            with RESULTS.open("a") as file:
                file.write(json.dumps(finished.result()) + "\n")


if __name__ == "__main__":
    main()

"""How training speed and memory grow with the size of the data and of the network. Linux, torch, one thread.

    python benchmarks/scaling.py [--precision float32]

The networks are those of `train_speed.py`. The data are random images, as many times FER-2013 and its splits, in
one file that is mapped into memory. `load` is mapping it, the check of its digest, the split and the search for
doubts; `build` is the network and the statistics of the normalization. Then `Model.fit` trains rounds of a few
steps, which take their images from all over the file.

Each row is a process of its own. Seconds are those that the processor spent on it, since another program's share
would hide the growth: a disk that is waited for is not in them. `own` is the largest memory of the process without
the pages of files, looked at every 20 ms; `peak`, its `ru_maxrss`, counts the pages of the file too, of which the
system keeps as many as it has room for.
"""

import argparse
import concurrent.futures
import importlib.metadata
import math
import multiprocessing
import pathlib
import re
import resource
import statistics
import tempfile
import threading
import time

import numpy as np

# Nothing here may take much memory: a new process starts with the `ru_maxrss` of the one that started it.

COUNTS = np.array([28_709, 3_589, 3_589])  # FER-2013's Training, PublicTest and PrivateTest
TIMES = (1, 3, 10, 30)
WIDTHS = {"cnn": (0.5, 1, 2), "resnet": (0.25, 0.5, 1)}  # times the filters in train_speed.py
BATCH, STEPS, ROUNDS = 128, 4, 5


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--precision", choices=["float32", "mixed_bfloat16"], default="mixed_bfloat16")
    precision = parser.parse_args().precision
    print(f"1 thread, torch {importlib.metadata.version('torch')}, {precision}, batch {BATCH}; ", end="")
    print(f"medians of {ROUNDS} rounds of {STEPS} steps\n")
    with tempfile.TemporaryDirectory() as folder:
        grow_data(draw(pathlib.Path(folder, "images.npy"), int(COUNTS.sum()) * max(TIMES)), precision)
    print()
    grow_networks(precision)


def draw(path, count):
    """Write `count` random images to `path`, some at a time; return it."""
    random = np.random.default_rng(0)
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, 48, 48, 1)}
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, count, 10_000):
            file.write(random.integers(0, 256, (min(10_000, count - start), 2304), np.uint8))
    return path


def grow_data(path, precision):
    header("data", "images", "MiB", "load s", "build s", "images/s", "ratio", "own MiB", "ratio", "peak MiB")
    first = None
    for times, by_seed in [*((times, False) for times in TIMES), (max(TIMES), True)]:
        row = in_new_process(with_data, path, times, by_seed, precision)
        first = first or row
        count = times * COUNTS.sum()
        line(
            f"{times}x" + ", split by seed" * by_seed,
            *(f"{count:,}", f"{count * 2304 / 2**20:,.0f}", f"{row['load']:.1f}", f"{row['build']:.1f}"),
            *(f"{row['rate']:,.0f}", f"{row['rate'] / first['rate']:.2f}"),
            *(f"{row['own']:,.0f}", f"{row['own'] / first['own']:.2f}", f"{row['peak']:,.0f}"),
        )


def grow_networks(precision):
    header("network", "parameters", "MMAC", "images/s", "ratio", "GMAC/s", "own MiB", "ratio")
    for name, widths in WIDTHS.items():
        rows = {width: in_new_process(with_network, name, width, precision) for width in widths}
        for width, row in rows.items():
            line(
                f"{name}, filters x {width:g}",
                *(f"{row['parameters']:,}", f"{row['macs'] / 1e6:,.1f}"),
                *(f"{row['rate']:,.0f}", f"{row['rate'] / rows[1]['rate']:.2f}"),
                *(f"{row['macs'] * row['rate'] / 1e9:.1f}",),
                *(f"{row['own']:,.0f}", f"{row['own'] / rows[1]['own']:.2f}"),
            )


def header(*names):
    line(*names)
    print("|---|" + "--:|" * (len(names) - 1))


def line(*cells):
    print("| " + " | ".join(cells) + " |", flush=True)


def in_new_process(function, *arguments):
    """Return the `dict` that `function` returns in a process of its own, with `own` and `peak` memory in MiB."""
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, context) as pool:
        return pool.submit(watched, function, *arguments).result()


def watched(function, *arguments):
    amounts = []
    threading.Thread(target=watch, args=(amounts,), daemon=True).start()
    result = function(*arguments)
    return result | {"own": max(amounts), "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def watch(amounts):
    status = pathlib.Path("/proc/self/status")
    while True:
        amounts.append(int(re.search(r"RssAnon:\s+(\d+)", status.read_text())[1]) / 1024)
        time.sleep(0.02)


def with_data(path, times, by_seed, precision):
    from fer_keras import data

    counts = times * COUNTS
    usages = np.full(counts.sum(), -1) if by_seed else np.repeat([0, 1, 2], counts)
    start = time.process_time()
    images = np.load(path, mmap_mode="r")[: counts.sum()]
    parts = data.split(data.faces.make_faces(images, np.arange(len(images)) % 7, usages, path))
    data.doubts(parts)
    load = time.process_time() - start
    return {"load": load} | trained("cnn", 1, parts["train"], precision)[1]


def with_network(name, width, precision):
    from torch.utils.flop_counter import FlopCounterMode

    from fer_keras.data import synthetic

    faces = synthetic.faces().take(slice(BATCH * STEPS))
    model, result = trained(name, width, faces, precision)
    with FlopCounterMode(display=False) as counter:
        model(faces.images[:1])
    parameters = sum(math.prod(variable.shape) for variable in model.trainable_variables)
    return result | {"parameters": parameters, "macs": counter.get_total_flops() / 2}


def trained(name, width, faces, precision):
    """Return the model after its training, and `build` in seconds and `rate` in images a second."""
    import torch
    from train_speed import FIXED_BY_HAND, OPTIONS

    from fer_keras import Experiment
    from fer_keras.backend import device
    from fer_keras.training import fitting
    from fer_keras.training.callbacks import GradientRatio
    from fer_keras.training.dataset import Batches

    torch.set_num_threads(1)
    options = OPTIONS[name] | FIXED_BY_HAND[name]
    options["filters"] = tuple(round(width * filters) for filters in options["filters"])
    settings = {"normalization": True, "augmentation": ("flip",), "batch_size": BATCH}
    experiment = Experiment(name="scaling", model=name, model_options=options, **settings)
    start = time.process_time()
    with device.training_in(precision):
        model = fitting.build(experiment, faces)
    build = time.process_time() - start
    batches = Batches(faces, experiment)

    def seconds(epoch):
        batches.start(epoch)
        start = time.process_time()
        model.fit(batches, steps_per_epoch=STEPS, verbose=0, shuffle=False, callbacks=[GradientRatio()])
        return time.process_time() - start

    seconds(0)  # warms up
    return model, {"build": build, "rate": STEPS * BATCH / statistics.median(map(seconds, range(1, ROUNDS + 1)))}


if __name__ == "__main__":
    main()

"""Processor milliseconds that each shipped network takes for a face: 48x48 grey pixels in, probabilities out.

    OMP_NUM_THREADS=1 python benchmarks/networks.py        (needs the extra onnx)

Finding the face is not included. Times are of the processor (user and system), in which waiting for other programs
does not count, of one thread; medians of nine rounds of eight calls.
"""

import statistics
import tempfile
import time

import numpy as np

from fer_keras import pretrained
from fer_keras.inference import export
from fer_keras.inference.engines import KerasEngine, OnnxEngine

BATCHES, ROUNDS, CALLS = (1, 32), 9, 8


def milliseconds(classify, images):
    """Return the median milliseconds of the processor for one of `images`."""
    classify(images)
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(CALLS):
            classify(images)
        rounds.append(1000 * (time.process_time() - start) / CALLS / len(images))
    return statistics.median(rounds)


def main():
    faces = np.random.default_rng(0).integers(0, 256, (max(BATCHES), 48, 48, 1), np.uint8)
    print("| network | engine | " + " | ".join(f"batch of {n}" for n in BATCHES) + " |\n|---|---|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("best", "tiny", "ferplus"):
            model = pretrained(name)
            path = f"{folder}/{name}.onnx"
            export.export(model, path, "onnx")
            for engine in (KerasEngine(model), OnnxEngine(path)):
                cells = [f"{milliseconds(engine, faces[:n]):.1f}" for n in BATCHES]
                print(f"| {name} | {type(engine).__name__} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()

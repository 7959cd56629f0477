"""Throughput and latency of `fer-keras serve` for a photograph of 640 x 480 pixels.

    python benchmarks/serving.py
    python benchmarks/serving.py --engines onnx --detectors haar --concurrency 1 --seconds 5

Prints for each engine, detector and number of clients: photographs a second, and the median and the 99th
percentile of the seconds from request to answer. Each client sends its next request when it has its answer. The
clients run on the same machine and take a part of its processors.
"""

import argparse
import concurrent.futures
import contextlib
import http.client
import io
import pathlib
import re
import subprocess
import sys
import time

import numpy as np
from PIL import Image


def photograph():
    """Return the bytes of a JPEG of 640 x 480 pixels with one face: scikit-image's portrait on grey."""
    import skimage

    portrait = Image.open(pathlib.Path(skimage.__file__).parent / "data" / "astronaut.png").convert("RGB")
    canvas = Image.new("RGB", (640, 480), (90, 90, 90))
    canvas.paste(portrait.resize((480, 480)), (80, 0))
    file = io.BytesIO()
    canvas.save(file, "JPEG", quality=90)
    return file.getvalue()


@contextlib.contextmanager
def serving(engine, detector):
    """Yield the port of a server process."""
    words = ["serve", "--port", "0", "--engine", engine, "--detector", detector]
    with subprocess.Popen(
        [sys.executable, "-m", "fer_keras", *words], stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            for line in process.stderr:
                if found := re.search(r"Serving on http://127\.0\.0\.1:(\d+)", line):
                    break
            else:
                raise SystemExit(f"The server with {engine} and {detector} did not start.")
            yield int(found[1])
        finally:
            process.terminate()


def client(port, body, end):
    """Ask until the time `end`; return the seconds of each answer."""
    seconds = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    with contextlib.closing(connection):
        while time.perf_counter() < end:
            begin = time.perf_counter()
            connection.request("POST", "/api/predict", body)
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                raise SystemExit(f"The server answered with {response.status}.")
            seconds.append(time.perf_counter() - begin)
    return seconds


def measure(port, body, clients, seconds):
    """Return (photographs a second, median, 99th percentile) of so many clients at once."""
    begin = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        futures = [pool.submit(client, port, body, begin + seconds) for _ in range(clients)]
        found = np.concatenate([future.result() for future in futures])
    return len(found) / (time.perf_counter() - begin), *np.percentile(found, [50, 99])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", nargs="+", default=["keras", "onnx"])
    parser.add_argument("--detectors", nargs="+", default=["haar", "mtcnn"])
    parser.add_argument("--concurrency", nargs="+", type=int, default=[1, 8, 64])
    parser.add_argument("--seconds", type=float, default=20, help="of each measurement")
    options = parser.parse_args()
    body = photograph()
    print("| engine | detector | clients | photographs a second | p50 in s | p99 in s |")
    print("|---|---|--:|--:|--:|--:|")
    for engine in options.engines:
        for detector in options.detectors:
            with serving(engine, detector) as port:
                measure(port, body, 2, 2)  # the first answers load code
                for clients in options.concurrency:
                    rate, median, late = measure(port, body, clients, options.seconds)
                    print(
                        f"| {engine} | {detector} | {clients} | {rate:.1f} | {median:.3f} | {late:.3f} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main()

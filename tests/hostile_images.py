"""Measure how long a photograph waits for `fer-keras serve` beside two of each hostile image, and the memory.

On Linux, whose /proc gives the memory of the server and of its decoding subprocess.

    python tests/hostile_images.py
    python tests/hostile_images.py --model tiny --detector haar

Prints a table: seconds of the photograph alone just before and beside them, status and seconds of the hostile
images, and the highest memory above that of the idle server.
"""

import argparse
import io
import os
import pathlib
import re
import threading
import time

import numpy as np
from helpers import hostile_images
from helpers.portraits import portrait
from helpers.serving import ask
from PIL import Image
from stress_server import Server


def photograph():
    """Return a JPEG of 640 x 480 pixels with one face."""
    canvas = np.full((480, 640, 3), 90, np.uint8)
    canvas[:, 80:560] = portrait()[16:496, 16:496]
    file = io.BytesIO()
    Image.fromarray(canvas).save(file, "JPEG", quality=90)
    return file.getvalue()


def resident(pid):
    """Return the MiB in memory of a process and of its children."""
    total = 0
    for status in pathlib.Path("/proc").glob("[0-9]*/status"):
        try:
            text = status.read_text()
        except OSError:  # it has ended
            continue
        if status.parent.name == str(pid) or re.search(rf"^PPid:\s+{pid}$", text, re.M):
            found = re.search(r"^VmRSS:\s+(\d+) kB", text, re.M)
            total += int(found[1]) / 1024 if found else 0
    return total


class Peak:
    """Within the block, watches the memory of the server; `value` is the highest."""

    def __init__(self, pid):
        self.pid, self.value, self.done = pid, 0, threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def watch(self):
        while not self.done.is_set():
            self.value = max(self.value, resident(self.pid))
            time.sleep(0.02)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.done.set()
        self.thread.join()


def timed(port, body):
    begin = time.monotonic()
    status = ask(port, "/api/predict", body)[0]
    return status, time.monotonic() - begin


def measure(server, photo, hostile):
    """Return (status, seconds) of the photograph, of both hostile images, and MiB above the idle server."""
    idle, answers = resident(server.process.pid), []
    with Peak(server.process.pid) as peak:
        threads = [threading.Thread(target=lambda: answers.append(timed(server.port, hostile))) for _ in range(2)]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        honest = timed(server.port, photo)
        for thread in threads:
            thread.join()
    return honest, answers, peak.value - idle


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="as for fer-keras serve")
    parser.add_argument("--detector", help="as for fer-keras serve")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    photo, server = photograph(), Server(options.model, options.detector)
    try:
        timed(server.port, photo)
        print("| hostile image, two at once | bytes | alone, s | beside, s | hostile, s | MiB above idle |")
        print("|---|--:|--:|--:|---|--:|")
        for name, make in hostile_images.IMAGES.items():
            hostile = make()
            alone = np.median([timed(server.port, photo)[1] for _ in range(5)])
            (status, seconds), answers, above = measure(server, photo, hostile)
            outcomes = ", ".join(f"{code}: {taken:.1f}" for code, taken in sorted(answers))
            fault = "" if status == 200 else f" (status {status})"
            times = f"{alone:.2f} | {seconds:.2f}{fault} | {outcomes}"
            print(f"| {name} | {len(hostile):,} | {times} | {above:.0f} |", flush=True)
    finally:
        server.stop()


if __name__ == "__main__":
    main()

"""`fer-keras serve` gives memory back after real answers."""

import concurrent.futures
import ctypes
import pathlib
import re
import subprocess
import sys
import time

import numpy as np
import pytest
from helpers import networks
from helpers.hostile_images import encoded
from helpers.serving import PORTRAIT_BYTES, ask

GROWTH = 64  # MiB; 244 where the cascade kept the buffers of the largest image

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallopt"), reason="needs glibc and Linux' /proc"
    ),
]


@pytest.fixture
def server(tmp_path):
    """A server with Haar's detector, as (process, port)."""
    networks.drawn(tmp_path / "model.keras")
    words = ["serve", "--port", "0", "--model", tmp_path / "model.keras", "--detector", "haar"]
    command = [sys.executable, "-m", "fer_keras", *map(str, words)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process, int(re.search(r"Serving on http://127\.0\.0\.1:(\d+)", process.stderr.readline())[1])
        finally:
            process.kill()


def own_memory(process):
    """Return the process's own memory in MiB, the least of a second."""
    found = []
    for _ in range(10):
        time.sleep(0.1)
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        found.append(int(re.search(r"^RssAnon:\s+(\d+) kB", status, re.M)[1]) / 1024)
    return min(found)


def test_memory_goes_back_after_large_pictures(server):
    process, port = server
    pixels = np.zeros((2000, 2000, 3), np.uint8)
    light = [encoded(pixels, "PNG"), encoded(pixels, "JPEG"), encoded(pixels, "TIFF")]
    large = [encoded(np.zeros((4000, 4000), np.uint8), "PNG")]
    for image in (PORTRAIT_BYTES, *light):  # the first of each kind loads code
        ask(port, "/api/predict", image)
    before = own_memory(process)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda image: ask(port, "/api/predict", image)[0], 4 * light + 2 * large))
    assert set(answers) == {200, 413}  # TIFF of 12 MB
    assert own_memory(process) - before < GROWTH

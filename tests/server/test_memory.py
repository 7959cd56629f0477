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
from helpers.portraits import portrait
from helpers.serving import PORTRAIT_BYTES, ask
from PIL import Image

GROWTH = 64  # MiB; 15 to 47 in ten runs, 244 where the cascade kept the buffers of the largest image

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallopt"), reason="needs glibc and Linux' /proc"
    ),
]


@pytest.fixture(params=["haar", "mtcnn"])
def server(request, tmp_path):
    """A server, as (process, port)."""
    networks.drawn(tmp_path / "model.keras")
    words = ["serve", "--port", "0", "--model", tmp_path / "model.keras", "--detector", request.param]
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


def crowd(side):
    """Return a PNG of the portrait's face, 64 x 64 pixels, in so many rows and columns."""
    face = Image.fromarray(portrait()[64:173, 170:279]).resize((64, 64))
    return encoded(np.tile(np.asarray(face), (side, side, 1)), "PNG")


def test_memory_goes_back_after_large_pictures(server):
    process, port = server
    pixels = np.zeros((2000, 2000, 3), np.uint8)
    light = [encoded(pixels, "PNG"), encoded(pixels, "JPEG"), encoded(pixels, "TIFF")]
    large = [encoded(np.zeros((4000, 4000), np.uint8), "PNG"), crowd(12)]
    for image in (PORTRAIT_BYTES, crowd(6), *light):  # the first of each kind loads code
        ask(port, "/api/predict", image)
    before = own_memory(process)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda image: ask(port, "/api/predict", image)[0], 4 * light + 2 * large))
    assert {200, 413} <= set(answers) <= {200, 413, 422}  # TIFF of 12 MB; a busy machine decodes slowly
    assert own_memory(process) - before < GROWTH

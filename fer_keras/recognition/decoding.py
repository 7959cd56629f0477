"""Encoded images to pixels: here if the header shows that it costs little, else in a process that can be killed.

A file of 200 bytes can make a decoder fill gigabytes, and one of a megabyte can keep it busy for a minute. So the
header is read first, without Pillow. Light images are decoded in this process. All others go to a subprocess with
limits of wall-clock time and memory. It is started as a program, so scripts need no `__main__` guard.
"""

import contextlib
import dataclasses
import io
import os
import pathlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import UnidentifiedImageError

from fer_keras.recognition import decode_worker, headers
from fer_keras.recognition.decode_worker import Depth

Process = subprocess.Popen[bytes]
START_SECONDS = 30  # for the subprocess to start, on a busy machine
ROOT = pathlib.Path(__file__).parents[2]  # where `import fer_keras` finds the package
SETTINGS = {"MALLOC_ARENA_MAX": "1"}  # glibc reserves 64 MiB of addresses for each further thread
NO_START = "cannot be decoded, because the decoding subprocess did not start."
ADVICE = "Save it as a baseline JPEG or a PNG, or make it smaller."


@dataclasses.dataclass(frozen=True)
class Limits:
    """What an encoded image may cost.

    Args:
        light_pixels: images of more pixels go to a subprocess, even if their header is harmless.
        seconds: wall-clock time of the subprocess, after its start.
        memory_bytes: memory of the subprocess. Not every system enforces it, see `enforced`.
    """

    light_pixels: int
    seconds: int
    memory_bytes: int


class CostError(Exception):
    """Decoding the image costs more than allowed; the message continues after the image's name."""


FILES = Limits(light_pixels=1 << 26, seconds=20, memory_bytes=2 << 30)
UPLOADS = Limits(light_pixels=1 << 22, seconds=2, memory_bytes=320 << 20)
UPLOAD_PIXELS = 20_000_000  # that fit the memory of `UPLOADS` in every format; WebP needs the most


def uploads(max_pixels: int) -> Limits:
    """Return `UPLOADS`, with more memory if images of more than `UPLOAD_PIXELS` are allowed."""
    memory = UPLOADS.memory_bytes * max(max_pixels, UPLOAD_PIXELS) // UPLOAD_PIXELS
    return dataclasses.replace(UPLOADS, memory_bytes=memory)


def enforced() -> bool:
    """Return whether this system limits the memory of a process."""
    return sys.platform == "linux"


def needs_subprocess(data: bytes | bytearray, limits: Limits) -> bool:
    """Return whether `rgb` decodes `data` in a subprocess."""
    try:
        kind = headers.kind_of(data)
    except UnidentifiedImageError:
        return False
    return not headers.is_light(data, kind, limits.light_pixels)


def rgb(
    data: bytes | bytearray, max_pixels: int, limits: Limits, bit_depth: int | None = None
) -> tuple[np.ndarray, Depth | None]:
    """Return the pixels of an encoded image, uint8 (height, width, 3), upright; and its `Depth`.

    Args:
        data: `bytes` or `bytearray`.
        max_pixels: larger images are refused before they are decoded.
        limits: `Limits`.
        bit_depth: see `decode_worker.upright`.

    Raises:
        UnidentifiedImageError: if it is none of `headers.FORMATS`.
        decode_worker.TooLargeError: if it has more pixels.
        CostError: if it costs more than `limits` allow.
        decode_worker.UnfitError: if its kind is not read, see `decode_worker.upright`.
        Exception: whatever Pillow raises for a damaged file.
    """
    kind = headers.kind_of(data)
    if needs_subprocess(data, limits):
        return in_subprocess(data, kind, max_pixels, limits, bit_depth)
    image, depth = decode_worker.decode(io.BytesIO(data), kind, max_pixels, bit_depth)
    return np.asarray(image), depth


def in_subprocess(
    data: bytes | bytearray, kind: str, max_pixels: int, limits: Limits, bit_depth: int | None = None
) -> tuple[np.ndarray, Depth | None]:
    """Return what `rgb` returns, decoded in a process of its own."""
    words = (kind, max_pixels, limits.seconds, limits.memory_bytes, bit_depth or 0)
    # -S: PYTHONPATH has the folders that `site` would search for. -P: modules beside the program are not found.
    command = [sys.executable, "-S", "-P", decode_worker.__file__, *map(str, words)]
    environment = os.environ | SETTINGS | {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}
    with subprocess.Popen(
        command,
        env=environment,
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        with _deadline(process, START_SECONDS, NO_START):
            _answer(process, NO_START)
        with _deadline(process, limits.seconds, f"takes more than {limits.seconds} s to decode. {ADVICE}"):
            return _result(
                process, data, max_pixels, f"needs more than {limits.memory_bytes >> 20} MiB to decode. {ADVICE}"
            )


@contextlib.contextmanager
def _deadline(process: Process, seconds: float, message: str) -> Iterator[None]:
    """Kill `process` after so many seconds, or when the block ends in an error."""
    late = threading.Event()

    def kill() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(seconds, kill)
    timer.start()
    try:
        yield
    except BaseException as error:
        process.kill()
        if late.is_set():
            raise CostError(message) from error
        raise
    finally:
        timer.cancel()


def _result(
    process: Process, data: bytes | bytearray, max_pixels: int, died: str
) -> tuple[np.ndarray, Depth | None]:
    with contextlib.suppress(BrokenPipeError):  # then there is no answer either
        rest = memoryview(data)
        while rest:
            rest = rest[process.stdin.write(rest) :]  # type: ignore[union-attr]  # a pipe
        process.stdin.close()  # type: ignore[union-attr]
    outcome, width, height, bits, by_header = _answer(process, died)
    if outcome == decode_worker.PIXELS and width * height <= max_pixels:
        return _received(process, (height, width, 3), died), Depth(bits, by_header) if bits else None
    if outcome == decode_worker.TOO_LARGE:
        raise decode_worker.TooLargeError(width, height)
    if outcome == decode_worker.UNKNOWN:
        raise UnidentifiedImageError
    if outcome == decode_worker.NO_MEMORY:
        raise CostError(died)
    text = _received(process, (min(height, 500),), died).tobytes().decode(errors="replace")
    raise decode_worker.UnfitError(text) if outcome == decode_worker.UNFIT else ValueError(text)


def _answer(process: Process, died: str) -> tuple[Any, ...]:
    return decode_worker.ANSWER.unpack(_received(process, (decode_worker.ANSWER.size,), died).data)


def _received(process: Process, shape: tuple[int, ...], died: str) -> np.ndarray:
    """Return so many bytes as a uint8 array; `died` is the message if the process ends before it has sent them."""
    array = np.empty(shape, np.uint8)
    rest = memoryview(array.reshape(-1).data)
    while rest:
        count = process.stdout.readinto(rest)  # type: ignore[union-attr]  # a pipe that does not buffer
        if not count:
            raise CostError(died)
        rest = rest[count:]
    return array

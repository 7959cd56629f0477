"""Costly pictures are decoded by a process that ends in time; what it gives is what this one would give."""

import os
import pathlib
import re
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from helpers import hostile_images
from helpers.hostile_images import encoded, jpeg, png, tiff_tile
from helpers.portraits import PORTRAIT, portrait
from PIL import Image, UnidentifiedImageError

from fer_keras.core.errors import InputError
from fer_keras.recognition import decode_worker, decoding, photos
from fer_keras.recognition.decoding import Limits

MEMORY = 320 << 20
QUICK = Limits(light_pixels=0, seconds=1, memory_bytes=MEMORY)  # nothing is light


@pytest.mark.parametrize("kind", ["AVIF", "BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP"])
def test_the_subprocess_gives_the_same_pixels(kind):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(portrait(), kind, **({"exif": exif} if kind in ("JPEG", "PNG", "TIFF", "WEBP") else {}))
    found = photos.read(data, limits=QUICK)
    assert found.dtype == np.uint8 and found.flags.writeable
    large = Limits(light_pixels=1 << 26, seconds=1, memory_bytes=MEMORY)
    np.testing.assert_array_equal(found, photos.read(data, limits=large))


def test_files_and_formats_of_pillow_go_through_it_too(tmp_path):
    np.testing.assert_array_equal(photos.read(PORTRAIT, limits=QUICK), portrait())
    sixteen = Image.fromarray(np.array([[0, 65535, 256 * 77 + 3]], np.uint16))
    sixteen.save(tmp_path / "sixteen.png")
    assert photos.read(tmp_path / "sixteen.png", limits=QUICK)[0, :, 0].tolist() == [0, 255, 77]


@pytest.mark.parametrize(
    "data, message",
    [
        (png(2000, 1001), "The image has 2000 x 1001 pixels, more than 2,000,000"),
        (png(100, 100)[:60], r"The image cannot be decoded \(.*\): it is damaged or cut short"),
        (
            b"P5\n" + b"#\n" * 5_000_000,
            "The image takes more than 1 s to decode. Save it as a baseline JPEG or a PNG",
        ),
        (jpeg(1000, 1000, 100_000), "The image takes more than 1 s to decode"),
        (b"II*\0\x08\0\0\0\0\0\0\0\0\0", "The image is not a readable image. Expected AVIF, BMP"),
    ],
    ids=["pixels", "cut", "slow-ppm", "slow-jpeg", "no-image"],  # pytest puts a name into the environment
)
def test_faults_of_the_subprocess_are_explained(data, message):
    with pytest.raises(InputError, match=message):
        photos.read(data, max_pixels=2_000_000, limits=QUICK)


@pytest.mark.skipif(not decoding.enforced(), reason="this system does not limit the memory of a process")
def test_memory_of_the_subprocess_is_limited():
    small = Limits(light_pixels=0, seconds=10, memory_bytes=32 << 20)
    with pytest.raises(InputError, match="The image needs more than 32 MiB to decode"):
        photos.read(png(4000, 4000), limits=small)
    with pytest.raises(InputError, match="The image (needs more than 320 MiB to decode|cannot be decoded)"):
        photos.read(tiff_tile(23168), limits=decoding.UPLOADS)


@pytest.mark.parametrize(
    "answers, message",
    [
        ((), "The image cannot be decoded, because the decoding subprocess did not start"),
        ([(b"r", 0, 0, 0, False)], "The image needs more than 320 MiB to decode"),
        (
            [(b"r", 0, 0, 0, False), (b"p", 1 << 31, 1 << 31, 0, False)],
            "The image needs more than 320 MiB to decode",
        ),
    ],
)
def test_a_process_that_dies_or_lies(monkeypatch, tmp_path, answers, message):
    program = tmp_path / "program.py"
    said = b"".join(decode_worker.ANSWER.pack(*answer) for answer in answers)
    program.write_text(f"import os; os.write(1, {said!r})")
    monkeypatch.setattr(decode_worker, "__file__", str(program))
    with pytest.raises(InputError, match=message):
        photos.read(PORTRAIT.read_bytes(), limits=QUICK)


def test_unknown_formats_start_no_process(monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", None)
    with pytest.raises(UnidentifiedImageError):
        decoding.rgb(b"%!PS-Adobe-3.0 EPSF-3.0\n", 100, QUICK)


def test_no_process_is_left():
    threads = [threading.Thread(target=_read_quietly, args=(jpeg(1000, 1000, 100_000),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
    assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]


def _read_quietly(data):
    with pytest.raises(InputError):
        photos.read(data, limits=QUICK)


SCRIPT = """
import sys
from fer_keras.recognition import decoding, photos
limits = decoding.Limits(light_pixels=0, seconds=5, memory_bytes=1 << 28)
print(photos.read(sys.argv[1], limits=limits).shape)
"""


def test_scripts_need_no_main_guard(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    (tmp_path / "io.py").write_text("raise SystemExit('a module beside the script')")
    command = [sys.executable, "-P", script, PORTRAIT]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=os.environ | {"PYTHONPATH": ROOT}
    )
    assert (done.stdout, done.stderr, done.returncode) == ("(512, 512, 3)\n", "", 0)


ROOT = str(pathlib.Path(decoding.__file__).parents[2])


def test_the_program_loads_little_but_pillow():
    large = {"numpy", "cv2", "keras", "fer_keras.data", "fer_keras.recognition"}
    program = f"import sys, runpy; runpy.run_path(sys.argv[1]); print({large} & set(sys.modules))"
    words = [sys.executable, "-c", program, decode_worker.__file__]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "set()\n"


@pytest.mark.parametrize("data", [tiff_tile(23168), encoded(portrait(), "TIFF", compression="tiff_lzw")[:9000]])
def test_nothing_of_the_libraries_is_printed(capfd, data):
    with pytest.raises(InputError):
        photos.read(data)
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", hostile_images.IMAGES)
def test_hostile_pictures_end_in_time(name):
    """In a subprocess, read by a fast machine or refused."""
    data = hostile_images.IMAGES[name]()
    assert decoding.needs_subprocess(data, decoding.UPLOADS)
    begin = time.monotonic()
    try:
        photos.read(data, max_pixels=20_000_000, limits=decoding.UPLOADS)
    except InputError as error:
        assert re.match("The image (takes more than 2 s|needs more than|cannot be decoded)", str(error))
    assert time.monotonic() - begin < 10

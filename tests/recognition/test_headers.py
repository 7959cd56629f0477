"""Usual pictures are light, unusual ones are not, and nothing in a header takes long to read."""

import io
import struct
import zlib

import numpy as np
import pytest
from helpers import hostile_images
from helpers.hostile_images import (
    chunk,
    encoded,
    jpeg,
    overlapping,
    png,
    segment,
    tiff,
    tiff_halves,
    tiff_strips,
    tiff_tile,
)
from helpers.portraits import portrait
from PIL import Image, UnidentifiedImageError

from fer_keras.recognition import headers

MOST = 1 << 22  # 4 megapixels
GREY = np.zeros((4, 6), np.uint8)
GREY_TIFF = [(256, 4, [8]), (257, 4, [8]), (258, 3, [8]), (259, 3, [1]), (262, 3, [1])]  # 8 x 8, uncompressed
FRAMES = {"save_all": True, "append_images": [Image.new("RGB", (512, 512), "red")] * 3}


def light(data, most=MOST):
    return headers.is_light(data, headers.kind_of(data), most)


def with_exif(kind):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "A camera"
    exif.get_ifd(0x8769).update({0x9003: "2020:01:02 03:04:05", 0x829A: (1, 100)})
    exif.get_ifd(0x8825).update({1: "N", 2: (1.0, 2.0, 3.0)})
    return encoded(portrait(), kind, exif=exif)


@pytest.mark.parametrize(
    "kind, options",
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("JPEG", {"restart_marker_rows": 1}),
        ("MPO", FRAMES),
        ("PNG", {}),
        ("PNG", FRAMES),
        ("GIF", {"comment": b"a comment" * 50}),
        ("GIF", FRAMES),
        ("BMP", {}),
        ("PPM", {}),
        ("TIFF", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True, "icc_profile": b"a profile"}),
    ],
)
def test_usual_pictures_are_light(kind, options):
    data = encoded(portrait(), kind, **options)
    assert light(data) and light(bytearray(data))
    assert light(data, 512 * 512) and not light(data, 512 * 512 - 1)  # the size is read right


def test_strips_count_as_often_as_they_are_decoded():
    assert light(tiff_halves(10))  # ten times 4 megapixels


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_usual_exif_is_light(kind):
    assert light(with_exif(kind))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "LA", "I;16"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_usual_modes_are_light(mode, kind):
    file = io.BytesIO()
    Image.new(mode, (6, 4)).save(file, kind)
    assert light(file.getvalue(), 24)


@pytest.mark.parametrize(
    "data",
    [
        jpeg(2000, 1000, 101),
        jpeg(2000, 2000, 11),
        jpeg(8, 8, 2, segments=b"\xff"),
        jpeg(8, 8, 2, segments=segment(0xFE, b"") * 5000),
        jpeg(8, 8, 2, segments=segment(0xE2, bytes(60_000)) * 18),
        jpeg(8, 8, 2, segments=segment(0xE1, b"Exif\0\0" + overlapping(500, 30_000))),
        jpeg(8, 8, 2, segments=segment(0xE2, b"MPF\0" + overlapping(500, 30_000))),
        jpeg(8, 8, 2, segments=segment(0xE1, b"Exif\0\0" + overlapping(2000, 0))),
        jpeg(8, 8, 2).replace(b"\xff\xc2", b"\xff\xc9"),  # arithmetic coding
        jpeg(8, 0, 2),  # the height comes later
        png(1, 16385),
        png(8, 8, chunk(b"abCd", b"") * 5000),
        png(8, 8, chunk(b"abCd", bytes(1 << 20))),
        png(8, 8, chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(900_000))) * 9),
        png(8, 8, chunk(b"eXIf", overlapping(500, 100_000))),
        png(8, 8, chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(bytes(900_000)))),
        hostile_images.gif_comments(5000),
        encoded(GREY, "GIF")[:-1][: encoded(GREY, "GIF").index(b",", 13)]
        + b","
        + struct.pack("<4H", 0, 0, 9000, 9000),
        encoded(
            np.zeros((8, 8, 3), np.uint8), "WEBP", save_all=True, append_images=[Image.new("RGB", (8, 8), "red")]
        ),
        b"P5 8 8 254\n" + bytes(64),
        b"P2 8 8 255\n" + b"0 " * 64,
        b"P5\n" + b"#\n" * 17 + b"8 8 255\n" + bytes(64),
        b"P5 #\r9000 9000 254 \n8 8 255\n" + bytes(64),  # Pillow ends the comment at \r
        b"P5 9#\n0001 255 254\n" + bytes(64),  # Pillow reads 90001 x 255
        png(8, 8, chunk(b"IHDR", struct.pack(">IIBBBBB", 9000, 9000, 8, 0, 0, 0, 0))),
        png(8, 8, chunk(b"eXIf", hostile_images.nested(0x8769, 2000, 9000))),
        png(8, 8, chunk(b"eXIf", hostile_images.nested(0x8825, 100, 9000))),
        png(8, 8, chunk(b"eXIf", hostile_images.nested(0x8769, 1, 2, at=8))),  # a directory that holds itself
        tiff([*GREY_TIFF[1:], (256, 9, [8]), (278, 4, [8]), (273, 4, [8]), (279, 4, [64])], bytes(64)),
        tiff_strips(5000),
        tiff_halves(11),
        tiff_tile(16),
        encoded(GREY, "TIFF", compression="tiff_lzw"),  # unpacked by libtiff, which prints
        encoded(GREY, "TIFF", big_tiff=True),
        encoded(GREY, "AVIF"),
    ],
)
def test_unusual_pictures_are_not_light(data):
    assert not light(data)


def test_run_lengths_of_a_bitmap_are_not_light():
    data = bytearray(encoded(GREY, "BMP"))
    assert light(data)
    data[30] = 1
    assert not light(data)


@pytest.mark.parametrize("name", hostile_images.IMAGES)
def test_hostile_pictures_are_not_light(name):
    assert not light(hostile_images.IMAGES[name]())


@pytest.mark.parametrize("kind", ["BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP"])
def test_damaged_headers_are_light_or_not(kind):
    data = np.frombuffer(encoded(portrait()[:32, :32], kind), np.uint8)
    rng = np.random.default_rng(0)
    for _ in range(300):
        broken = data[: rng.integers(16, len(data))].copy()
        broken[rng.integers(8, min(len(broken), 200), 3)] = rng.integers(0, 256, 3)
        assert headers.is_light(broken.tobytes(), kind, MOST) in (True, False)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        b"8BPS\0\1",
        b"icns",
        b"\0\0\1\0\1\0",
        b"P7 332\n",
        b"<svg/>",
        b"%PDF-1.7",
    ],
)
def test_formats_that_nobody_uploads_are_refused(data):
    with pytest.raises(UnidentifiedImageError):
        headers.kind_of(data)

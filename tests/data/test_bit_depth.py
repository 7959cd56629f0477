"""Images of more than 8 bits: the depth comes from the header, else from the largest value of all."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from fer_keras.core import image_bits
from fer_keras.core.errors import InputError
from fer_keras.data import bit_depth, load

VALUES = np.tile(np.arange(48, dtype=np.uint16) * 4, (48, 1))  # 8 bits, up to 188


def encoded(values, format, **options):
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, format, **options)
    return buffer.getvalue()


def with_sbit(png, *bits):
    """Return a PNG with the chunk that says how many bits of each sample are significant."""
    body = b"sBIT" + bytes(bits)
    chunk = struct.pack(">I", len(bits)) + body + struct.pack(">I", zlib.crc32(body))
    return png[:33] + chunk + png[33:]


def pgm(values, largest):
    return b"P5 # by hand\n48 48\n%d\n" % largest + values.astype(">u2").tobytes()


def with_largest(values, largest):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[image_bits.MAX_SAMPLE_VALUE] = largest
    return encoded(values, "TIFF", tiffinfo=tags)


def written(folder, *files, suffix=".png"):
    """Write the contents of image files to two classes in turn, and return the folder."""
    for i, data in enumerate(files):
        place = folder / ("happy", "sad")[i % 2]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{i}{suffix}").write_bytes(data)
    return folder


def note(count, depth, how):
    read = f"{count} integer images of up to 16 bits were read as {depth}-bit {how}"
    return (f"{read}; --bit-depth chooses another depth.",)


@pytest.mark.parametrize("depth", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_depth_of_the_largest_value_of_all(tmp_path, format, depth):
    """A dark image beside a bright one is read at the same depth."""
    shift = depth - 8
    bright, dark = encoded(VALUES << shift, format), encoded((VALUES << shift) // 16, format)
    faces = load(written(tmp_path, bright, dark, suffix=f".{format.lower()}"))
    assert np.array_equal(faces.images[0, ..., 0], VALUES) and np.array_equal(
        faces.images[1, ..., 0], VALUES // 16
    )
    assert faces.notes == note(2, depth, "by the largest value of all")


@pytest.mark.parametrize(
    ("data", "suffix"),
    [
        (with_sbit(encoded(VALUES << 4, "PNG"), 12), ".png"),
        (with_largest(VALUES << 4, 4095), ".tif"),
    ],
)
def test_depth_of_the_header(tmp_path, data, suffix):
    dark = encoded(VALUES, "PNG")  # 8 bits by its largest value: it has no header of its own
    written(tmp_path, data, suffix=suffix)
    faces = load(written(tmp_path, data, dark, suffix=suffix))
    assert np.array_equal(faces.images[0, ..., 0], VALUES) and np.array_equal(faces.images[1, ..., 0], VALUES)
    assert faces.notes == note(1, 12, "by their headers") + note(1, 8, "by the largest value of all")


def test_pgm_by_its_largest_value(tmp_path):
    faces = load(written(tmp_path, pgm(VALUES << 4, 4095), pgm(VALUES, 255 + 1), suffix=".pgm"))
    assert np.abs(faces.images[0, ..., 0].astype(int) - VALUES).max() <= 1  # Pillow scales 4095 to 65535
    assert np.abs(faces.images[1, ..., 0].astype(int) - VALUES).max() <= 1
    faces = load(written(tmp_path / "full", pgm(VALUES << 4, 65535), suffix=".pgm"))
    assert np.array_equal(faces.images[0, ..., 0], VALUES)


def test_depth_as_given(tmp_path):
    written(tmp_path, encoded(VALUES << 8, "PNG"), encoded(VALUES << 4, "PNG"))
    faces = load(tmp_path, bit_depth=12)
    assert faces.images[0].max() == 255 and np.array_equal(faces.images[1, ..., 0], VALUES)
    assert faces.notes == note(2, 12, "as given")
    assert np.array_equal(load(tmp_path).images[0, ..., 0], VALUES)  # not the cached entry of another depth
    with pytest.raises(InputError, match="bit_depth must be from 8 to 16. Received 7"):
        load(tmp_path, bit_depth=7)


def test_deep_images_of_another_size_are_reduced_before_their_bits_are_cut(tmp_path):
    faces = load(written(tmp_path, encoded(np.kron(VALUES << 8, np.ones((2, 2), np.uint16)), "PNG")))
    assert np.array_equal(faces.images[0, ..., 0], VALUES)


def sixteen_bit_colour(values, *sbit):
    """Return an RGB PNG with 16 bits a channel; Pillow writes none."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b"".join(b"\0" + np.repeat(row, 3).astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", 48, 48, 16, 2, 0, 0, 0)
    extra = chunk(b"sBIT", bytes(sbit)) if sbit else b""
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra
    return start + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_sixteen_bit_colour_is_read_only_where_it_is_filled(tmp_path):
    faces = load(written(tmp_path / "full", sixteen_bit_colour(VALUES << 8)))
    assert np.array_equal(faces.images[0, ..., 0], VALUES)
    scaled = load(written(tmp_path / "scaled", sixteen_bit_colour(VALUES << 8, 12, 12, 12)))  # as PNG asks for
    assert np.array_equal(scaled.images[0, ..., 0], VALUES)
    for i, data in enumerate([sixteen_bit_colour(VALUES << 4), sixteen_bit_colour(VALUES << 6, 14, 14, 14)]):
        with pytest.raises(InputError, match="16-bit colour image whose values fill fewer bits. Convert it"):
            load(written(tmp_path / str(i), data))


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        (np.full((48, 48), 0.5, np.float32), "floating-point values, whose range is unknown"),
        (np.full((48, 48), -1, np.int32), "has values -1 to -1. Expected 8 to 16 bits"),
        (np.full((48, 48), 70_000, np.int32), "has values 70000 to 70000. Expected 8 to 16 bits"),
    ],
)
def test_values_of_unknown_range_are_refused(tmp_path, values, complaint):
    with pytest.raises(InputError, match=complaint):
        load(written(tmp_path, encoded(values, "TIFF"), suffix=".tif"))


def test_smallest_depth_and_eight_bits():
    assert [bit_depth.smallest_depth(value) for value in (0, 255, 256, 1023, 4095, 4096, 16383, 65535)] == [
        8, 8, 10, 10, 12, 14, 14, 16,
    ]  # fmt: skip
    assert bit_depth.to_eight_bits(np.array([0, 16, 4095, 5000]), 12).tolist() == [0, 1, 255, 255]
    assert bit_depth.to_eight_bits(np.array([0, 200, 300]), 8).tolist() == [0, 200, 255]


def test_a_header_that_the_values_contradict_is_not_believed(tmp_path):
    """PNG scales 12 bits to fill 16 and keeps the 12 in sBIT."""
    faces = load(written(tmp_path, with_sbit(encoded(VALUES << 8, "PNG"), 12)))
    assert np.array_equal(faces.images[0, ..., 0], VALUES)
    assert faces.notes == note(1, 16, "by the largest value of all")

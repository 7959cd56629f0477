"""Small files that cost a decoder much time or memory, and the pieces to make others."""

import io
import struct
import zlib

import numpy as np
from PIL import Image


def encoded(pixels, kind, **options):
    """Return the bytes of uint8 pixels in one of Pillow's formats."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def chunk(kind, data):
    """Return a chunk of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, between=b"", rows=None):
    """Return a black PNG with the chunks `between` its header and its pixels."""
    packed = zlib.compress(bytes((width + 1) * height) if rows is None else rows, 9)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + between + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def jpeg(width, height, scans, segments=b""):
    """Return a progressive grey JPEG that passes over all of its blocks once for each of `scans`."""
    blocks = -(-width // 8) * -(-height // 8)
    head = b"\xff\xd8" + segments + b"\xff\xdb\x00\x43\x00" + b"\x01" * 64
    head += b"\xff\xc2" + struct.pack(">HBHHB", 11, 8, height, width, 1) + b"\x01\x11\x00"
    head += b"\xff\xc4" + struct.pack(">HB", 20, 0x00) + bytes([1] + [0] * 15) + b"\x00"  # a bit for each DC value
    head += (
        b"\xff\xc4" + struct.pack(">HB", 20, 0x10) + bytes([1] + [0] * 15) + b"\xe0"
    )  # 15 bits: a run of 16,384
    dc = b"\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00" + bytes(-(-blocks // 8))
    ac = b"\xff\xda\x00\x08\x01\x01\x00\x01\x3f\x00" + bytes(-(-(-(-blocks // 16384) * 15) // 8))
    return head + dc + ac * (scans - 1) + b"\xff\xd9"


def segment(number, content):
    """Return a segment of a JPEG: 0xE1 holds EXIF."""
    return b"\xff" + bytes([number]) + struct.pack(">H", len(content) + 2) + content


def tiff(entries, data=b""):
    """Return a little-endian TIFF of (tag, type, values) with `data` at offset 8."""
    data += bytes(len(data) % 2)
    extra_at = 8 + len(data) + 2 + 12 * len(entries) + 4
    directory, extra = struct.pack("<H", len(entries)), b""
    for tag, kind, values in sorted(entries):
        packed = np.array(values, {1: "u1", 3: "<u2", 4: "<u4", 9: "<i4"}[kind]).tobytes()
        if len(packed) > 4:
            packed, extra = struct.pack("<I", extra_at + len(extra)), extra + packed + bytes(len(packed) % 2)
        directory += struct.pack("<HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory + bytes(4) + extra


def tiff_halves(count):
    """Return the header of a TIFF of 4 megapixels whose strips name each half of the image `count` times."""
    size = [(256, 4, [2000]), (257, 4, [2000]), (258, 3, [8]), (259, 3, [1]), (262, 3, [1]), (278, 4, [1000])]
    return tiff([*size, (273, 4, [8] * 2 * count), (279, 4, [2_000_000] * 2 * count)])


def tiff_tile(side):
    """Return a TIFF of 8 x 8 pixels that lie in one tile of `side` x `side`."""
    size = [(256, 4, [8]), (257, 4, [8]), (322, 4, [side]), (323, 4, [side])]
    kinds = [(258, 3, [8] * 4), (259, 3, [8]), (262, 3, [2]), (277, 3, [4]), (284, 3, [1]), (338, 3, [2])]
    data = zlib.compress(bytes(100))
    return tiff([*size, *kinds, (324, 4, [8]), (325, 4, [len(data)])], data)


def tiff_strips(count):
    """Return a TIFF of 8 x 8 pixels that names `count` strips."""
    size = [(256, 4, [8]), (257, 4, [8]), (258, 3, [8]), (259, 3, [1]), (262, 3, [1]), (278, 4, [1])]
    return tiff([*size, (273, 4, [8] * count), (279, 4, [64] * count)], bytes(64))


def overlapping(count, size):
    """Return EXIF data of `count` entries that all name the same `size` bytes."""
    directory = struct.pack("<H", count) + struct.pack("<HHII", 0x9000, 1, size, 8) * count
    return b"II*\0" + struct.pack("<I", 8) + directory + bytes(max(4, size))


def nested(tag, count, size, at=38):
    """Return EXIF data that turns the image, with a directory of `count` entries that all name the same bytes."""
    first = struct.pack("<HHHIIHHII", 2, 0x0112, 3, 1, 6, tag, 4, 1, at) + bytes(4)
    entries = b"".join(struct.pack("<HHII", 0x9000 + i, 7, size, 8) for i in range(count))
    return b"II*\0" + struct.pack("<I", 8) + first + struct.pack("<H", count) + entries + bytes(max(4, size))


def gif_comments(count):
    """Return a GIF with so many comments of one letter before its image."""
    image = encoded(np.zeros((8, 8), np.uint8), "GIF")
    at = image.index(b",", 13)
    return image[:at] + b"\x21\xfe\x01a\0" * count + image[at:]


# Each takes seconds or hundreds of megabytes if it is decoded without limits.
IMAGES = {
    "JPEG of 30,000 scans": lambda: jpeg(4000, 5000, 30_000),
    "JPEG of 2 MP and 30,000 scans": lambda: jpeg(2000, 1000, 30_000),
    "JPEG of empty segments": lambda: jpeg(8, 8, 2, segments=segment(0xFE, b"") * 2_000_000),
    "JPEG of fill bytes": lambda: jpeg(8, 8, 2, segments=b"\xff" * 9_000_000),
    "PNG of 1 x 20,000,000": lambda: png(1, 20_000_000),
    "PNG of empty chunks": lambda: png(8, 8, chunk(b"abCd", b"") * 800_000),
    "GIF of comments": lambda: gif_comments(1_900_000),
    "PPM of comments": lambda: b"P5\n4000 5000\n255\n" + b"#\n" * 5_000_000,
    "PPM of comments before its size": lambda: b"P5\n" + b"#\n" * 5_000_000,
    "PPM with greatest value 254": lambda: b"P5\n3000 3400\n254\n" + bytes(3000 * 3400),
    "PPM with greatest value 65534": lambda: b"P6\n1300 1300\n65534\n" + bytes(1300 * 1300 * 6),
    "PPM with greatest value 254 behind a comment": lambda: b"P5 #\r3000 3400 254 \n8 8 255 " + bytes(3000 * 3400),
    "PPM as text": lambda: b"P2\n2500 2000\n255\n" + b"0 " * 5_000_000,
    "TIFF of 1.2 million strips": lambda: tiff_strips(1_200_000),
    "TIFF of 8 x 8 in a tile of 23168 x 23168": lambda: tiff_tile(23168),
}

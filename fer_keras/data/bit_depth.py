"""How many bits of an integer image hold its values, and the way from there to 8 bits."""

import re
import struct
from typing import IO

import numpy as np
from PIL import Image, ImageFile, TiffImagePlugin

from fer_keras.core.errors import InputError

DEPTHS = (8, 10, 12, 14, 16)
BITS_PER_SAMPLE, MAX_SAMPLE_VALUE = 258, 281  # TIFF 6.0, section 8
CHUNKS_BEFORE_PIXELS = 100


def header_bits(image: Image.Image) -> int | None:
    """Return the significant bits of each value as an image's header gives them, or None.

    These are PNG's sBIT chunk, TIFF's MaxSampleValue, or TIFF's BitsPerSample below 16; a BitsPerSample of 16
    gives the container, not its content. PGM gives its largest value; Pillow scales by it to fill 16 bits.

    Args:
        image: opened by Pillow and not yet loaded; of another, None is returned.
    """
    if not isinstance(image, ImageFile.ImageFile) or image.fp is None:
        return None
    if image.format == "PNG":
        return _png_bits(image.fp)
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        most, bits = image.tag_v2.get(MAX_SAMPLE_VALUE), image.tag_v2.get(BITS_PER_SAMPLE, (16,))
        if most:
            return int(np.max(most)).bit_length()
        return max(bits) if max(bits) < 16 else None
    if image.format == "PPM":
        return _pgm_bits(image.fp)
    return None


def _png_bits(file: IO[bytes]) -> int | None:
    """Return the largest number in a PNG's sBIT chunk, which stands before the pixels, or None."""
    start = file.tell()
    try:
        file.seek(8)
        for _ in range(CHUNKS_BEFORE_PIXELS):
            head = file.read(8)
            if len(head) < 8 or head[4:] == b"IDAT":
                return None
            size, kind = struct.unpack(">I4s", head)
            if kind == b"sBIT":
                return max(file.read(min(size, 4)), default=None)
            file.seek(size + 4, 1)
        return None
    finally:
        file.seek(start)


def _pgm_bits(file: IO[bytes]) -> int | None:
    """Return 16 for a PGM whose largest value is given, None where that is the container's 65535."""
    start = file.tell()
    try:
        file.seek(0)
        header = re.sub(rb"#[^\n]*", b"", file.read(1000)).split(maxsplit=4)
        return 16 if len(header) > 3 and header[3] != b"65535" else None
    finally:
        file.seek(start)


def integers(image: Image.Image) -> np.ndarray:
    """Return uint16 values of a grey image in one of Pillow's modes I; values beyond 16 bits are refused."""
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 65535:
        raise InputError(f"The image has values {values.min()} to {values.max()}. Expected 8 to 16 bits.")
    return values.astype(np.uint16)


def smallest_depth(maximum: int) -> int:
    """Return the smallest of 8, 10, 12, 14 and 16 bits that hold `maximum`."""
    return next(bits for bits in DEPTHS if maximum < 1 << bits)


def to_eight_bits(values: np.ndarray, bits: int) -> np.ndarray:
    """Return uint8 values [0, 255] of integers of `bits` bits; what is above these is white."""
    shift = max(bits - 8, 0)
    return np.minimum(values >> shift, 255).astype(np.uint8)

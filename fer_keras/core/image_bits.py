"""How many bits of an image's values are significant, by its header. Needs only the standard library."""

import re
import struct
from collections.abc import Mapping
from typing import IO, Any

BITS_PER_SAMPLE, MAX_SAMPLE_VALUE = 258, 281  # TIFF 6.0, section 8
CHUNKS_BEFORE_PIXELS = 100


def header_bits(image: Any) -> int | None:
    """Return the significant bits of each value as an image's header gives them, or None.

    These are PNG's sBIT chunk, TIFF's MaxSampleValue, or TIFF's BitsPerSample below 16; a BitsPerSample of 16
    gives the container, not its content. PGM gives its largest value; Pillow scales by it to fill 16 bits.

    Args:
        image: PIL image, opened and not yet loaded; of another, None is returned.
    """
    file = getattr(image, "fp", None)
    if file is None:
        return None
    if image.format == "TIFF":
        bits = _tiff_bits(image.tag_v2)
    else:
        readers = {"PNG": _png_bits, "PPM": _pgm_bits}
        bits = readers[image.format](file) if image.format in readers else None
    return bits if bits and bits <= 16 else None


def believable(bits: int | None, largest: int) -> int | None:
    """Return the bits that a header gives if they hold the largest value, else None.

    PNG scales values to fill its 16 bits and keeps their former bits as sBIT; some cameras do not scale them.
    """
    return bits if bits is not None and largest < 1 << bits else None


def fills_sixteen(bits: int | None, largest: int) -> bool:
    """Return whether colors of which Pillow kept the upper 8 of 16 bits fill them.

    Args:
        bits: that the header gives, or None.
        largest: of the upper 8 bits of all values.
    """
    return largest >= 16 and (believable(bits, largest << 8) or 16) == 16


def has_deep_colors(image: Any) -> bool:
    """Return whether an image stores colors in 16 bits, of which Pillow keeps the upper 8; before it is loaded."""
    layouts = (tile[3] for tile in getattr(image, "tile", ()))
    names = [layout if isinstance(layout, str) else layout[0] for layout in layouts if layout]
    return not image.mode.startswith("I") and any(";16" in str(name) for name in names)


def _tiff_bits(tags: Mapping[int, Any]) -> int | None:
    most, bits = tags.get(MAX_SAMPLE_VALUE), tags.get(BITS_PER_SAMPLE, (16,))
    if most:
        return int(max(most) if isinstance(most, tuple) else most).bit_length()
    return max(bits) if max(bits) < 16 else None


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

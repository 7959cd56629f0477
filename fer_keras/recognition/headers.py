"""The format of an encoded image, and whether its header shows that it is cheap to decode. Decodes nothing.

An image is light if every part of its header has a usual kind and size. Unusual images are not refused, but they
are not light. The readers follow the specifications of the formats and trust no length that a file declares.
"""

import re
import struct
from collections.abc import Callable

from PIL import UnidentifiedImageError

FORMATS = ("AVIF", "BMP", "GIF", "HEIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
MAGIC = {
    "JPEG": re.compile(rb"\xff\xd8\xff"),
    "PNG": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "GIF": re.compile(rb"GIF8[79]a"),
    "BMP": re.compile(rb"BM"),
    "WEBP": re.compile(rb"RIFF....WEBP", re.S),
    "TIFF": re.compile(rb"II[*+]\0|MM\0[*+]"),
    "PPM": re.compile(rb"P[1-6][\s#]"),
    "AVIF": re.compile(rb"....ftypavi[fs]", re.S),
    "HEIF": re.compile(rb"....ftyp(?:hei[cmsx]|hev[cmsx]|mif1|msf1)", re.S),
}
MAX_SIDE = 16384  # pixels; decoders have costs for each row
JPEG_SCANS = 100  # the usual progressive JPEG has 10
SCAN_FACTOR = 10  # pixels of all scans may be so many times those of a light image
METADATA_BYTES = 1 << 20  # all that is not pixels: EXIF, color profile, texts
BLOCKS = 4096  # segments, chunks, strips
TEXTS = 8  # compressed ones; Pillow unpacks each to 1 MiB at most
IFD_ENTRIES = 512
TYPE_BYTES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4)  # of TIFF's types of values, by number
GIF_FRAME = re.compile(rb"\x21\xf9\x04.{4}\0[\x21\x2c]", re.S)  # the control block before each frame
BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}  # of TIFF, by its first bytes
INTEGERS = {3: "H", 4: "I", 13: "I"}  # TIFF's types of sizes and offsets
WIDTH, HEIGHT, COMPRESSION, STRIPS, SAMPLES, ROWS = 0x100, 0x101, 0x103, 0x111, 0x115, 0x116
TILES = {0x142, 0x144}
DIRECTORIES = (0x8769, 0x8825, 0xA005)  # EXIF, GPS, interoperability: offsets of further directories
SINGLE = {WIDTH, HEIGHT, COMPRESSION, SAMPLES, ROWS, *DIRECTORIES}  # tags with one integer
# Blanks and comments. Pillow ends a comment at either end of line, and joins the digits on both sides of one.
_GAP = rb"\s(?:\s|#[^\r\n]{0,200}[\r\n]){0,15}"
PPM_HEADER = re.compile(rb"P(?:4%b(\d{1,9})%b(\d{1,9})|[56]%b(\d{1,9})%b(\d{1,9})%b255)\s" % ((_GAP,) * 5))


Cost = tuple[int, int, int]  # width, height, and how often their pixels are decoded


class _NotLight(Exception):
    """The header is unusual, damaged or large."""


def kind_of(data: bytes | bytearray) -> str:
    """Return the name of the image format in the bytes `data`, one of `FORMATS`.

    Raises:
        UnidentifiedImageError: if it is none of them.
    """
    start = bytes(data[:16])
    for kind, pattern in MAGIC.items():
        if pattern.match(start):
            return kind
    raise UnidentifiedImageError


def is_light(data: bytes | bytearray, kind: str, most_pixels: int) -> bool:
    """Return whether decoding needs time and memory for about `most_pixels` at most, as the header shows.

    Args:
        data: `bytes` or `bytearray`.
        kind: its format.
        most_pixels: number of pixels of the largest light image.
    """
    if kind not in READERS:
        return False
    try:
        width, height, passes = READERS[kind](data)
    except (_NotLight, IndexError, struct.error):
        return False
    pixels = width * height
    return (
        0 < pixels <= most_pixels
        and max(width, height) <= MAX_SIDE
        and passes * pixels <= SCAN_FACTOR * most_pixels
    )


def is_first_of_several(data: bytes | bytearray, kind: str) -> bool:
    """Return whether the image is the first frame of an animation or page of a file, as its header shows."""
    if kind == "GIF":
        return len(GIF_FRAME.findall(data)) > 1
    if kind == "PNG":
        return b"acTL" in data[: data.find(b"IDAT")]
    if kind == "WEBP":
        return data[12:16] == b"VP8X" and len(data) > 20 and bool(data[20] & 0x02)
    if kind == "TIFF":
        order = BYTE_ORDERS.get(bytes(data[:4]))
        if order is None:
            return False
        try:
            (at,) = struct.unpack_from(f"{order}I", data, 4)
            (count,) = struct.unpack_from(f"{order}H", data, at)
            return any(data[at + 2 + 12 * count : at + 6 + 12 * count])
        except struct.error:
            return False
    return kind == "AVIF" and data[8:12] == b"avis"


def _expect(fine: object) -> None:
    if not fine:
        raise _NotLight


def _jpeg(data: bytes | bytearray) -> Cost:
    sizes, at, metadata = [], 2, 0
    for _ in range(BLOCKS):
        mark, kind, length = struct.unpack_from(">BBH", data, at)
        _expect(mark == 0xFF and length >= 2)
        if kind == 0xDA:  # start of the first scan
            break
        _expect(kind not in (0x00, 0xFF) and not 0xD0 <= kind <= 0xD9)
        content = bytes(data[at + 4 : at + 2 + length])
        if kind in (0xC0, 0xC1, 0xC2):
            depth, height, width, channels = struct.unpack_from(">BHHB", content)
            _expect(depth == 8 and channels in (1, 3, 4))
            sizes.append((width, height))
        elif kind not in (0xC4, 0xDB, 0xDD):
            _expect(kind == 0xFE or 0xE0 <= kind <= 0xEF)  # a comment or data of an application
            metadata += length
            if content.startswith((b"Exif\0\0", b"MPF\0")):
                _check_tiff(content[content.index(b"\0") :].lstrip(b"\0"))
        at += 2 + length
    else:
        raise _NotLight
    scans = data.count(b"\xff\xda", at)
    _expect(len(sizes) == 1 and metadata <= METADATA_BYTES and scans <= JPEG_SCANS)
    return *sizes[0], scans


def _png(data: bytes | bytearray) -> Cost:
    at, metadata, texts = 8, 0, 0
    for _ in range(BLOCKS):
        if at >= len(data):
            break
        length, kind = struct.unpack_from(">I4s", data, at)
        content = bytes(data[at + 8 : at + 8 + min(length, METADATA_BYTES)])
        _expect((kind == b"IHDR") == (at == 8))
        if at == 8:
            width, height = struct.unpack_from(">II", content)
        if kind not in (b"IDAT", b"fdAT"):
            metadata += length
        if kind in (b"zTXt", b"iTXt", b"iCCP"):
            texts += 1
        if kind in (b"zTXt", b"iTXt", b"tEXt"):
            _expect(not content[:16].lower().startswith(b"raw profile"))  # EXIF in hexadecimal digits
        if kind == b"eXIf":
            _check_tiff(content)
        at += 12 + length
        if kind == b"IEND":
            break
    else:
        raise _NotLight
    _expect(metadata <= METADATA_BYTES and texts <= TEXTS)
    return width, height, 1


def _gif(data: bytes | bytearray) -> Cost:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = 13 + _color_table(flags)
    for _ in range(BLOCKS):
        if data[at] == 0x2C:  # the first image
            left, top, frame_width, frame_height = struct.unpack_from("<HHHH", data, at + 1)
            return max(width, left + frame_width), max(height, top + frame_height), 1
        _expect(data[at] == 0x21)
        at += 2
        for _ in range(BLOCKS):
            size = data[at]
            at += 1 + size
            if not size:
                break
        else:
            raise _NotLight
        _expect(at <= METADATA_BYTES)
    raise _NotLight


def _color_table(flags: int) -> int:
    return 3 << (flags % 8 + 1) if flags & 0x80 else 0


def _bmp(data: bytes | bytearray) -> Cost:
    (size,) = struct.unpack_from("<I", data, 14)
    if size == 12:
        return *struct.unpack_from("<HH", data, 18), 1
    width, height, _, _, compression = struct.unpack_from("<iiHHI", data, 18)
    _expect(size in (40, 52, 56, 64, 108, 124) and compression in (0, 3))  # Pillow unpacks run lengths in Python
    return width, abs(height), 1


def _webp(data: bytes | bytearray) -> Cost:
    sizes, at, metadata = [], 12, 0
    for _ in range(BLOCKS):
        if at >= len(data):
            break
        kind, length = struct.unpack_from("<4sI", data, at)
        content = bytes(data[at + 8 : at + 8 + min(length, METADATA_BYTES)])
        if kind == b"VP8X":
            sizes.append([1 + int.from_bytes(content[i : i + 3], "little") for i in (4, 7)])
        elif kind == b"VP8 ":
            _expect(content[3:6] == b"\x9d\x01\x2a")
            sizes.append([side % (1 << 14) for side in struct.unpack_from("<HH", content, 6)])
        elif kind == b"VP8L":
            _expect(content[0] == 0x2F)
            (bits,) = struct.unpack_from("<I", content, 1)
            sizes.append([1 + bits % (1 << 14), 1 + (bits >> 14) % (1 << 14)])
        else:
            _expect(kind in (b"ALPH", b"EXIF", b"XMP ", b"ICCP"))  # an animation is not light
            metadata += length if kind != b"ALPH" else 0
        if kind == b"EXIF":
            _check_tiff(content.removeprefix(b"Exif\0\0"))
        at += 8 + length + length % 2
    _expect(sizes and metadata <= METADATA_BYTES)
    width, height = map(max, zip(*sizes, strict=True))
    return width, height, 1


def _tiff(data: bytes | bytearray) -> Cost:
    """Only uncompressed strips are light. libtiff, which unpacks the others, also prints to standard error."""
    tags = _check_tiff(data)
    _expect({WIDTH, HEIGHT, STRIPS} <= set(tags) and tags.get(COMPRESSION) == (1, 1) and not TILES & set(tags))
    strips, width, height = tags[STRIPS][0], tags[WIDTH][1], tags[HEIGHT][1]
    rows = min(height, tags.get(ROWS, (1, height))[1])  # of a strip
    _expect(strips <= BLOCKS and tags.get(SAMPLES, (1, 1))[1] <= 4 and height)
    return width, height, -(-strips * rows // height)


def _check_tiff(data: bytes | bytearray) -> dict[int, tuple[int, int]]:
    """Return {tag: (count, its one value)} of the first directory of a TIFF file or of EXIF.

    Values may overlap, so a small directory can declare gigabytes. The first directory and those that it names
    must not declare more than the file has.
    """
    order = BYTE_ORDERS.get(bytes(data[:4]), "")
    _expect(order)
    places, found, total = list(struct.unpack_from(f"{order}I", data, 4)), [], 0
    for place in places:
        tags, size = _directory(data, order, place)
        found.append(tags)
        places += [tags[tag][1] for tag in DIRECTORIES if tag in tags]
        total += size
        _expect(len(places) <= 1 + len(DIRECTORIES) and total <= min(len(data), METADATA_BYTES))
    return found[0]


def _directory(data: bytes | bytearray, order: str, at: int) -> tuple[dict[int, tuple[int, int]], int]:
    """Return {tag: (count, its one value)} of the directory at this offset, and the bytes of all values."""
    (count,) = struct.unpack_from(f"{order}H", data, at)
    _expect(count <= IFD_ENTRIES)
    tags: dict[int, tuple[int, int]] = {}
    total = 0
    for i in range(count):
        tag, kind, values = struct.unpack_from(f"{order}HHI", data, at + 2 + 12 * i)
        _expect(0 < kind < len(TYPE_BYTES) and tag not in tags)
        _expect(tag not in SINGLE or kind in INTEGERS and values == 1)
        total += TYPE_BYTES[kind] * values
        tags[tag] = values, struct.unpack_from(order + INTEGERS.get(kind, "B"), data, at + 10 + 12 * i)[0]
    return tags, total


def _ppm(data: bytes | bytearray) -> Cost:
    """Only bits and bytes are light: Pillow reads plain text and other greatest values in Python."""
    match = PPM_HEADER.match(bytes(data[:4096]))
    if not match:
        raise _NotLight
    width, height = filter(None, match.groups())
    return int(width), int(height), 1


READERS: dict[str, Callable[[bytes | bytearray], Cost]] = {
    "BMP": _bmp,
    "GIF": _gif,
    "JPEG": _jpeg,
    "PNG": _png,
    "PPM": _ppm,
    "TIFF": _tiff,
    "WEBP": _webp,
}

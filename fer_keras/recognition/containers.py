"""Whether a video file is whole, by the sizes that its container declares. Decoders pass over what is missing."""

import functools
import os
from collections.abc import Callable, Iterator
from typing import BinaryIO, Literal, TypeAlias

import numpy as np

ISO_STARTS = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide")
ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
EBML = bytes.fromhex("1a45dfa3")
EBML_FOLDERS = bytes.fromhex("18538067"), bytes.fromhex("1f43b675")  # Segment and Cluster, whose elements follow
MXF_KEY = bytes.fromhex("060e2b34")
MPEG_SEQUENCE = b"\x00\x00\x01\xb3"
Check: TypeAlias = Callable[[BinaryIO, int], str | None]
# From the first 32 bytes of a chunk: its name, its size and the number of bytes to the next one. "unknown" if the
# chunk does not state its size, None if no chunk begins there.
Header: TypeAlias = Callable[[bytes], tuple[bytes, int, int] | Literal["unknown"] | None]
TAIL = 1 << 17  # bytes; the longest packet or page of the formats that are checked from their end is half of it
SECTOR = 2048  # bytes of padding that a program stream may end in
TS_PACKETS = (188, 192)  # bytes; the longer ones begin with a time
TS_TAIL = 1 << 21  # bytes, more than a picture has
TS_PADDING = 0x1FFF  # number of the stream of packets without content
TS_CHUNK = 1 << 16  # packets that are read at once


def fault(path: str | os.PathLike) -> str | None:
    """Return what is wrong with the container of a video file; None if it is whole or of an unknown format.

    Checked are AVI, Matroska and WebM, MP4 and QuickTime, ASF (WMV), FLV, Ogg, MXF, MPEG-1 and MPEG-2 video, and
    MPEG program and transport streams. A stream that was cut exactly between two pictures counts as whole.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(200)
        if check := check_for(head):
            return check(file, size)
    return None


def seconds(path: str | os.PathLike) -> float | None:
    """Return the length that the header of an MP4 or QuickTime file declares; None if it has none."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if file.read(8)[4:] not in ISO_STARTS:
            return None
        for name, start, end in chunks(file, 0, size, iso_box):
            if name == b"moov":
                for inner, at, _ in chunks(file, start + 8, min(end, size), iso_box):
                    if inner == b"mvhd":
                        return movie_header(file, at)
    return None


def declares_pictures(path: str | os.PathLike) -> bool:
    """Return whether the container states how long its pictures last, not its longest stream."""
    with open(path, "rb") as file:
        head = file.read(16)
    return head[:4] == b"RIFF" or head[4:8] in ISO_STARTS or head == ASF_HEADER


def check_for(head: bytes) -> Check | None:
    """Return the check of the container that begins with `head`; None for an unknown one."""
    if head[:4] == b"RIFF":
        return lambda file, size: walked(file, size, riff_chunk)
    if head[:4] == EBML:
        return lambda file, size: walked(file, size, ebml_element)
    if head[4:8] in ISO_STARTS:
        return lambda file, size: walked(file, size, iso_box, first=b"moov", strict=False)
    if head[:16] == ASF_HEADER:
        return lambda file, size: walked(file, size, asf_object, first=ASF_HEADER)
    if head[:3] == b"FLV":
        return lambda file, size: walked(file, size, flv_tag, first=b"FLV")
    if head[:4] == MXF_KEY:
        return lambda file, size: walked(file, size, mxf_value)
    if head[:4] == b"OggS":
        return ogg
    if head[:4] == MPEG_SEQUENCE:
        return lambda file, size: incomplete("picture") if last_picture_is_incomplete(tail(file, size)) else None
    if head[:4] == b"\x00\x00\x01\xba":
        return program_stream
    for length, sync in zip(TS_PACKETS, (0, 4), strict=True):
        if len(head) > sync + length and head[sync] == head[sync + length] == 0x47:
            return functools.partial(transport_stream, length=length, sync=sync)
    return None


def walked(
    file: BinaryIO, size: int, header: Header, first: bytes | None = None, strict: bool = True
) -> str | None:
    """Walk over the chunks of a file; `first` is the chunk that each of several joined videos has once."""
    videos = 0
    for name, start, end in chunks(file, 0, size, header):
        if name is None:
            return f"it is damaged from byte {start:,} on" if strict else None
        if end > size:
            return f"it is cut short: {size:,} bytes of at least {end:,}"
        videos += name == first
    return f"it holds {videos} videos, one after another, and only the first is read" if videos > 1 else None


def chunks(file: BinaryIO, position: int, size: int, header: Header) -> Iterator[tuple[bytes | None, int, int]]:
    """Yield (name, start, end) of one chunk after another; name None where no chunk begins, then stop."""
    while position < size:
        file.seek(position)
        found = header(file.read(32))
        if found == "unknown":
            return
        if found is None:
            yield None, position, position
            return
        name, length, step = found
        yield name, position, position + length
        position += step


def riff_chunk(data: bytes) -> tuple[bytes, int, int] | Literal["unknown"]:
    length = int.from_bytes(data[4:8], "little")
    if length in (0, 0xFFFFFFFF):  # a recording that was not closed, or written to a pipe
        return "unknown"
    return data[:4], 8 + length, 8 + length + length % 2


def iso_box(data: bytes) -> tuple[bytes, int, int] | Literal["unknown"] | None:
    length, name = int.from_bytes(data[:4], "big"), data[4:8]
    if length == 0 and name.isalnum():
        return "unknown"  # it extends to the end of the file
    if length == 1:
        length = int.from_bytes(data[8:16], "big")
    return (name, length, length) if length >= 8 else None


def movie_header(file: BinaryIO, start: int) -> float | None:
    """Return the length in seconds by the `mvhd` box at `start`; None if it gives none."""
    file.seek(start + 8)
    data = file.read(32)
    width = 8 if data[0] == 1 else 4  # bytes of a time, by the version of the box
    scale = int.from_bytes(data[4 + 2 * width : 8 + 2 * width], "big")
    length = int.from_bytes(data[8 + 2 * width : 8 + 3 * width], "big")
    return length / scale if scale and length and length != 256**width - 1 else None


def asf_object(data: bytes) -> tuple[bytes, int, int] | None:
    length = int.from_bytes(data[16:24], "little")
    return (data[:16], length, length) if length >= 24 else None


def flv_tag(data: bytes) -> tuple[bytes, int, int] | None:
    if data[:3] == b"FLV":
        return b"FLV", 13, 13
    length = 15 + int.from_bytes(data[1:4], "big")
    return (data[:1], length, length) if data[0] in (8, 9, 18) else None


def ebml_element(data: bytes) -> tuple[bytes, int, int] | Literal["unknown"] | None:
    id_length = 9 - data[0].bit_length()
    if id_length > 4:
        return None
    rest = data[id_length:]
    size_length = 9 - rest[0].bit_length() if rest else 9
    if size_length > 8:
        return None
    value = int.from_bytes(rest[:size_length], "big") & ((1 << 7 * size_length) - 1)
    header = id_length + size_length
    is_folder = data[:4] in EBML_FOLDERS
    if value == (1 << 7 * size_length) - 1:
        return (data[:id_length], header, header) if is_folder else "unknown"
    return data[:id_length], header + value, header if is_folder else header + value


def mxf_value(data: bytes) -> tuple[bytes, int, int] | None:
    count = data[16] - 0x80 if len(data) > 16 else 9  # bytes of a long length
    length = data[16] if count < 0 else int.from_bytes(data[17 : 17 + count], "big")
    size = 17 + max(count, 0) + length
    return (data[:16], size, size) if data[:4] == MXF_KEY and count <= 8 else None


def ogg(file: BinaryIO, size: int) -> str | None:
    """Check that the last page has the bytes that its table of segments states."""
    data = tail(file, size)
    start = data.rfind(b"OggS")
    segments = data[start + 27 : start + 27 + data[start + 26]] if 0 <= start < len(data) - 26 else b""
    missing = start + 27 + len(segments) + sum(segments) - len(data)
    return incomplete("page") if not segments or missing != 0 else None


def program_stream(file: BinaryIO, size: int) -> str | None:
    """Check the last packet: a start code, the number of its stream from 0xBD on, and 16 bits of length."""
    data = tail(file, size)
    if last_picture_is_incomplete(data):
        return incomplete("picture")
    for start in range(len(data) - 4, -1, -1):
        if data[start : start + 3] == b"\x00\x00\x01" and data[start + 3] >= 0xB9:
            if data[start + 3] in (0xB9, 0xBA):  # the end of the stream; a pack header, which has no length
                return None if data[start + 3] == 0xB9 else incomplete("packet")
            missing = start + 6 + int.from_bytes(data[start + 4 : start + 6], "big") - len(data)
            return None if -SECTOR < missing <= 0 else incomplete("packet")
    return incomplete("packet")


def last_picture_is_incomplete(data: bytes) -> bool:
    """Return whether the last picture of an MPEG-1 or MPEG-2 video lacks rows that the pictures before it have.

    A picture starts with code 0, its rows of blocks with codes 1 to 0xAF.
    """
    pictures = data.split(b"\x00\x00\x01\x00")[1:]
    rows = [
        max((part[0] for part in picture.split(b"\x00\x00\x01")[1:] if b"\0" < part[:1] <= b"\xaf"), default=0)
        for picture in pictures
    ]
    return bool(rows) and rows[-1] < max(rows)


def transport_stream(file: BinaryIO, size: int, length: int, sync: int) -> str | None:
    """Check the last packet, that the last picture and sound of each stream have their ends, and for gaps."""
    if size % length:
        return incomplete("packet")
    file.seek(max(size - TS_TAIL // length * length, 0))
    data = file.read()
    packets = [data[start + sync : start + sync + 188] for start in range(0, len(data), length)]
    if packets[-1][0] != 0x47:
        return incomplete("packet")
    # Of each stream its last unit: declared and found bytes, and whether its last packet is full.
    streams: dict[int, tuple[int | None, int, bool]] = {}
    for packet in packets:
        number, starts = int.from_bytes(packet[1:3], "big") & 0x1FFF, packet[1] & 0x40
        payload, is_full = ts_payload(packet)
        if starts:
            streams.pop(number, None)
        if starts and payload[:3] == b"\x00\x00\x01":
            stated = int.from_bytes(payload[4:6], "big")
            streams[number] = 6 + stated if stated else None, len(payload), is_full
        elif number in streams and payload:
            declared, found, _ = streams[number]
            streams[number] = declared, found + len(payload), is_full
    if any(is_full if declared is None else found < declared for declared, found, is_full in streams.values()):
        return incomplete("picture or sound")
    gaps = ts_gaps(file, length, sync)
    return f"it is damaged: packets are missing in {gaps} place{'' if gaps == 1 else 's'}" if gaps else None


def ts_gaps(file: BinaryIO, length: int, sync: int) -> int:
    """Return in how many places of a transport stream packets are missing, by their counters.

    The packets of each stream that have a payload count from 0 to 15, again and again. A packet may come twice or
    say that its counter starts anew.
    """
    file.seek(0)
    last: dict[int, int] = {}
    gaps = 0
    while data := file.read(length * TS_CHUNK):
        packets = np.frombuffer(data, np.uint8).reshape(-1, length)[:, sync:]
        numbers = (packets[:, 1].astype(int) & 0x1F) << 8 | packets[:, 2]
        counted = packets[:, 3] & 0x10 != 0
        anew = (packets[:, 3] & 0x20 != 0) & (packets[:, 4] > 0) & (packets[:, 5] & 0x80 != 0)
        for number in np.unique(numbers[counted & (numbers != TS_PADDING)]):
            chosen = packets[counted & (numbers == number), 3] & 0x0F
            steps = np.diff(chosen.astype(int), prepend=last.get(number, int(chosen[0]))) % 16
            gaps += int(((steps > 1) & ~anew[counted & (numbers == number)]).sum())
            last[number] = int(chosen[-1])
    return gaps


def ts_payload(packet: bytes) -> tuple[bytes, bool]:
    """Return the payload of a packet of a transport stream, and whether it has no bytes of padding.

    Before the payload stands an adaptation field: its length, flags, the values that the flags announce, padding.
    A picture that does not state its length ends with a padded packet, but for one in 184 that just fits.
    """
    if not packet[3] & 0x20:
        return packet[4:] if packet[3] & 0x10 else b"", True
    field = packet[5 : 5 + packet[4]]
    payload = packet[5 + packet[4] :] if packet[3] & 0x10 else b""
    used = 1 + sum(size for bit, size in ((0x10, 6), (0x08, 6), (0x04, 1)) if field[:1] and field[0] & bit)
    for bit in (0x02, 0x01):  # private data and an extension, which state their lengths
        if field[:1] and field[0] & bit:
            used += 1 + (field[used] if used < len(field) else 0)
    return payload, len(field) == used


def tail(file: BinaryIO, size: int) -> bytes:
    file.seek(max(size - TAIL, 0))
    return file.read()


def incomplete(part: str) -> str:
    return f"it is cut short or damaged: its last {part} is incomplete"

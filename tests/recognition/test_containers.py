"""Containers written by hand: whole, cut short, damaged, joined."""

import struct

import pytest

from fer_keras.recognition import containers


@pytest.fixture
def fault(tmp_path):
    def fault(content):
        path = tmp_path / "video"
        path.write_bytes(content)
        return containers.fault(path)

    return fault


def box(name, content, long=False):
    if long:
        return struct.pack(">I4sQ", 1, name, 16 + len(content)) + content
    return struct.pack(">I4s", 8 + len(content), name) + content


def mvhd(version, scale, length):
    times = struct.pack(">QQIQ" if version else ">IIII", 1, 2, scale, length)
    return box(b"mvhd", bytes([version, 0, 0, 0]) + times + bytes(80))


FTYP = box(b"ftyp", b"isom")
SEGMENT = bytes.fromhex("18538067")
BLOCK = b"\xa3\xe2" + bytes(98)
CLUSTER = bytes.fromhex("1f43b675") + b"\x40\x64" + BLOCK  # 0x4064: two bytes that say 100
EBML = bytes.fromhex("1a45dfa3") + b"\x84" + b"webm"
FLV = b"FLV\x01\x05" + struct.pack(">II", 9, 0)
TAG = b"\x09" + (20).to_bytes(3, "big") + bytes(7 + 20) + struct.pack(">I", 31)
OGG = b"OggS" + bytes(22) + b"\x02" + b"\xff\x0a" + bytes(265)
PACK = b"\x00\x00\x01\xba" + b"\x21" + bytes(7)
PES = b"\x00\x00\x01\xe0" + struct.pack(">H", 40) + bytes(range(1, 41))
TS = b"\x47" + bytes(187)
ASF = containers.ASF_HEADER + struct.pack("<Q", 30) + bytes(6)
MXF = bytes.fromhex("060e2b34") + bytes(12)
DATA = bytes(range(16)) + struct.pack("<Q", 100) + bytes(76)

WHOLE = {
    "avi": b"RIFF" + struct.pack("<I", 101) + bytes(101) + b"\0" + b"RIFF" + struct.pack("<I", 6) + b"AVIX12",
    "avi that was not closed": b"RIFF" + bytes(4) + b"AVI LIST",
    "mp4": FTYP + box(b"moov", mvhd(0, 1000, 1500)) + box(b"mdat", bytes(50), long=True),
    "mp4 whose last box goes on to the end": FTYP + box(b"moov", b"") + struct.pack(">I4s", 0, b"mdat") + bytes(9),
    "mp4 that ends in zeros": FTYP + box(b"moov", b"") + bytes(64),
    "webm of unknown size": EBML + SEGMENT + b"\x01" + b"\xff" * 7 + CLUSTER + CLUSTER,
    "wmv": ASF + DATA,
    "flv": FLV + TAG + TAG,
    "ogg": OGG + OGG,
    "mpg": PACK + PES + PACK + PES,
    "mpg with its end code": PACK + PES + b"\x00\x00\x01\xb9",
    "mpg with padding": PACK + PES + bytes(1000),
    "mxf": MXF + b"\x14" + bytes(20) + MXF + b"\x83" + (300).to_bytes(3, "big") + bytes(300),
    "m2v": b"\x00\x00\x01\xb3" + 2 * b"\x00\x00\x01\x00picture\x00\x00\x01\x01row\x00\x00\x01\x02row",
    "ts": 3 * TS,
    "m2ts": 3 * (bytes(4) + TS),
    "unknown": b"something else",
    "nothing": b"",
}
WHOLE["mkv"] = EBML + SEGMENT + struct.pack(">Q", len(2 * CLUSTER) | 1 << 56) + CLUSTER + CLUSTER


@pytest.mark.parametrize("name", WHOLE)
def test_whole_files_have_no_fault(fault, name):
    assert fault(WHOLE[name]) is None


@pytest.mark.parametrize("missing", [1, 30])
@pytest.mark.parametrize(
    "name", ["mp4", "mkv", "wmv", "flv", "ogg", "mxf", "mpg", "ts", "m2ts", "webm of unknown size"]
)
def test_files_cut_short_are_reported(fault, name, missing):
    assert "cut short" in fault(WHOLE[name][:-missing])


def test_bytes_are_counted(fault):
    assert fault(WHOLE["avi"][:100]) == "it is cut short: 100 bytes of at least 109"
    assert fault(WHOLE["avi"][:-1]) == "it is cut short: 123 bytes of at least 124"


@pytest.mark.parametrize("name", ["wmv", "flv", "ogg", "mxf", "mpg", "ts", "m2ts", "webm of unknown size"])
def test_zeros_in_place_of_the_end_are_reported(fault, name):
    zeros = bytes(188 * 192)
    assert "damaged" in fault(WHOLE[name] + zeros)


def test_blocks_of_a_cluster_are_checked(fault):
    assert fault(WHOLE["mkv"][:-10].ljust(len(WHOLE["mkv"]), b"\0")) is None  # inside a block
    damaged = EBML + SEGMENT + b"\xff" + CLUSTER[:6] + bytes(50) + CLUSTER[56:]
    assert fault(damaged) == "it is damaged from byte 20 on"


def test_an_mpeg_video_cut_inside_a_picture_is_reported(fault):
    assert fault(WHOLE["m2v"][:-7]) == "it is cut short or damaged: its last picture is incomplete"


def counted(*counters, field=0):
    """Packets of one stream with these counters, after the start of a picture."""
    return b"".join(bytes([0x47, 1, 0, 0x30 | counter, 1, field]) + bytes(182) for counter in counters)


@pytest.mark.parametrize(
    "packets, gaps",
    [
        (counted(14, 15, 0, 1, 1, 2), 0),  # one comes twice
        (counted(14, 15, 1, 2, 5), 2),
        (counted(3, 4) + counted(9, field=0x80) + counted(10), 0),  # it says that it starts anew
        (counted(3) + bytes([0x47, 0x1F, 0xFF, 0x17]) + bytes(184) + counted(4), 0),  # padding counts nothing
        (counted(3) + bytes([0x47, 1, 0, 0x29]) + b"\xb7" + bytes(183) + counted(4), 0),  # no payload
    ],
)
def test_missing_packets_of_a_transport_stream_are_reported(fault, packets, gaps, monkeypatch):
    expected = f"it is damaged: packets are missing in {gaps} place{'s' * (gaps > 1)}" if gaps else None
    assert fault(packets) == expected
    monkeypatch.setattr(containers, "TS_CHUNK", 2)
    assert fault(packets) == expected


@pytest.mark.parametrize("name", ["mp4", "wmv", "flv"])
def test_videos_after_the_first_are_reported(fault, name):
    assert fault(3 * WHOLE[name]) == "it holds 3 videos, one after another, and only the first is read"


@pytest.mark.parametrize("rows, incomplete", [((1, 2, 3), False), ((1, 2), True), ((), True)])
def test_the_last_picture_of_an_mpeg_stream_has_all_rows(fault, rows, incomplete):
    def packet(rows):
        content = b"\x00\x00\x01\x00picture" + b"".join(b"\x00\x00\x01" + bytes([row]) + b"row" for row in rows)
        return b"\x00\x00\x01\xe0" + struct.pack(">H", len(content)) + content

    found = fault(PACK + packet((1, 2, 3)) + packet(rows))
    assert found == ("it is cut short or damaged: its last picture is incomplete" if incomplete else None)


def ts_packet(payload, *, number=256, starts=False, field=b""):
    """A packet of 188 bytes; `field` is an adaptation field without padding, which fills what `payload` leaves."""
    head = bytes([0x47, starts << 6 | number >> 8, number & 0xFF])
    room = 184 - len(payload)
    if not room:
        return head + b"\x10" + payload
    field = (field or b"\x00")[: room - 1].ljust(room - 1, b"\xff")
    return head + b"\x30" + bytes([len(field)]) + field + payload


PICTURE = b"\x00\x00\x01\xe0\x00\x00"  # of a length that is not stated
SOUND = b"\x00\x00\x01\xc0" + struct.pack(">H", 300)
PCR = b"\x10" + bytes(6)
PICTURES = [
    ts_packet(PICTURE + bytes(170), starts=True, field=PCR),
    ts_packet(bytes(184)),
    ts_packet(bytes(100)),
]
SOUNDS = [ts_packet(SOUND + bytes(178), starts=True, number=257), ts_packet(bytes(122), number=257)]


@pytest.mark.parametrize(
    "packets, whole",
    [
        (PICTURES + SOUNDS, True),
        (PICTURES + [ts_packet(PICTURE + bytes(100), starts=True)], True),
        (PICTURES + [ts_packet(PICTURE + bytes(177), starts=True)], True),  # padded by an empty field
        (PICTURES[:2] + SOUNDS, False),
        (PICTURES[:1], False),  # full, its field holds a clock
        (PICTURES + PICTURES[:2], False),
        (PICTURES + SOUNDS[:1], False),
        (PICTURES + [SOUNDS[0], PICTURES[0]], False),
        ([ts_packet(bytes(184), number=0, starts=True)], True),  # a table, neither picture nor sound
    ],
)
def test_a_transport_stream_cut_between_packets_lacks_the_end_of_a_picture(fault, packets, whole):
    assert {len(packet) for packet in packets} == {188}
    expected = None if whole else "it is cut short or damaged: its last picture or sound is incomplete"
    packets = [*PICTURES, *packets]
    assert fault(b"".join(packets)) == expected
    assert fault(b"".join(bytes(4) + packet for packet in packets)) == expected


@pytest.mark.parametrize(
    "content, seconds",
    [
        (FTYP + box(b"mdat", bytes(9)) + box(b"moov", box(b"free", b"") + mvhd(0, 1000, 1500)), 1.5),
        (FTYP + box(b"moov", mvhd(1, 600, 1 << 33)), (1 << 33) / 600),
        (FTYP + box(b"moov", mvhd(0, 1000, 0)), None),  # a fragmented file
        (FTYP + box(b"moov", mvhd(0, 0, 5)), None),
        (FTYP + box(b"moov", mvhd(0, 1000, 0xFFFFFFFF)), None),  # unknown
        (FTYP, None),
        (WHOLE["avi"], None),
    ],
)
def test_seconds_of_an_mp4(tmp_path, content, seconds):
    (tmp_path / "video").write_bytes(content)
    assert containers.seconds(tmp_path / "video") == seconds

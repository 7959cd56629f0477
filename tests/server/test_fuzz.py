"""Damaged requests and pictures: each is answered with an expected status, never with the server's own failure.

`FUZZ_EXAMPLES=5000 pytest -sm slow tests/server/test_fuzz.py` tries so many new ones and prints the statuses.
"""

import collections
import contextlib
import io
import socket

import h11
import pytest
from helpers.fuzzing import EDITS, damaged, fuzz
from helpers.hostile_images import chunk, encoded, jpeg, overlapping, png, segment, tiff
from helpers.portraits import PORTRAIT, brightness, portrait
from helpers.serving import ask, form, serving
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fer_keras import FER
from fer_keras.recognition import decoding, headers
from fer_keras.server import Limits, peers, protocol

pytestmark = pytest.mark.slow
BODY, KIND = form(("a.png", PORTRAIT.read_bytes()[:400]), ("b.png", b"P5 2 2 255 abcd"))
HEAD = f"POST /api/batch HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: {KIND}\r\n"
REQUEST = f"{HEAD}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY
TEXT = st.sampled_from(["", "; "]) | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


@pytest.fixture(scope="module")
def port():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(protocol.BoundedProtocol, "TIMEOUTS", {h11.IDLE: 0.2, h11.SEND_BODY: 0.4})
        fer = FER(brightness, detector="none", max_pixels=1_000_000)
        costs = decoding.Limits(light_pixels=10_000, seconds=1, memory_bytes=128 << 20)
        limits = Limits(body_seconds=0.2, decode=costs)
        with serving(fer, limits, host="127.0.0.1", proxies=peers.networks(["127.0.0.0/8"])) as port:
            yield port


@pytest.fixture
def outcomes(request):
    counts = collections.Counter()
    yield counts
    assert 500 not in counts
    print(f"\n{request.node.name}: {sum(counts.values())} requests, {dict(sorted(counts.items()))}", end="")


def test_bodies_of_a_batch(port, outcomes):
    @fuzz(100)
    @given(edits=EDITS)
    def each(edits):
        status = ask(port, "/api/batch", damaged(BODY, edits), Content_Type=KIND)[0]
        outcomes[status] += 1
        assert status in (200, 400, 413, 422)

    each()
    assert outcomes[200] and outcomes[400]


def test_headers_of_a_batch(port, outcomes):
    @fuzz(100)
    @given(first=TEXT, second=TEXT)
    def each(first, second):
        kind = f"{first}boundary=xyz{second}"
        status = ask(port, "/api/batch", BODY, Content_Type=f"multipart/form-data; {kind}")[0]
        outcomes[status] += 1
        assert status in (200, 400, 413, 422)

    each()


def test_whole_requests(port, outcomes):
    @fuzz(100)
    @given(edits=EDITS)
    def each(edits):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            try:
                connection.sendall(damaged(REQUEST, edits))
                answer = connection.recv(1 << 16)
            except ConnectionError:
                answer = b""
        status = int(answer[9:12]) if answer else 0  # 0: cut, as who does not finish a header is
        outcomes[status] += 1
        assert status in (0, 200, 400, 404, 405, 408, 411, 413, 415, 422)

    each()
    assert ask(port, "/healthz")[0] == 200


SMALL = portrait()[:64, :64]
PICTURES = {kind: encoded(SMALL, kind) for kind in ("AVIF", "BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")}


@pytest.mark.parametrize("kind", PICTURES)
def test_pictures(port, outcomes, kind):
    @fuzz(25)
    @given(edits=EDITS)
    def each(edits):
        status = ask(port, "/api/predict", damaged(PICTURES[kind], edits))[0]
        outcomes[status] += 1
        assert status in (200, 422)

    each()


SIDES = st.sampled_from([0, 1, 8, 9, 100, 1000, 16384, 16385, 65535])
FEW = st.sampled_from([0, 1, 2, 3, 4, 8, 16, 255, 65535])
TAGS = st.sampled_from([*range(254, 285), 296, 305, *range(317, 343), 529, 530, 700, 34665, 34675])
ENTRIES = st.lists(st.tuples(TAGS, st.sampled_from([1, 3, 4]), st.lists(FEW, min_size=1, max_size=4)), max_size=4)
CHUNKS = st.tuples(
    st.sampled_from([b"tEXt", b"zTXt", b"iCCP", b"eXIf", b"acTL", b"PLTE", b"tRNS"]), st.binary(max_size=40)
)


@st.composite
def invented(draw):
    """A picture of a small file whose header names any sizes and has any further parts."""
    width, height = draw(SIDES), draw(SIDES)
    kind = draw(st.sampled_from(["JPEG", "PNG", "PPM", "TIFF"]))
    if kind == "JPEG":
        parts = draw(st.lists(st.tuples(st.integers(0xE0, 0xFE), st.binary(max_size=40)), max_size=5))
        exif = segment(0xE1, b"Exif\0\0" + overlapping(draw(st.integers(0, 600)), draw(SIDES) % 30_000))
        return jpeg(width, height, draw(st.integers(1, 300)), exif + b"".join(segment(*part) for part in parts))
    if kind == "PNG":
        chunks = b"".join(chunk(*part) for part in draw(st.lists(CHUNKS, max_size=5)))
        return png(width, height, chunks, rows=draw(st.binary(max_size=99)))
    if kind == "PPM":
        return b"P%d\n%d %d\n%d\n" % (draw(st.integers(1, 6)), width, height, draw(FEW)) + draw(
            st.binary(max_size=99)
        )
    fixed = [(256, 4, [width]), (257, 4, [height]), (258, 3, [8]), (262, 3, [1]), (273, 4, [8]), (279, 4, [64])]
    values = {entry[0]: entry for entry in [*fixed, (259, 3, [draw(FEW)]), *draw(ENTRIES)]}
    return tiff(
        [(tag, kind, [v % 256 if kind == 1 else v for v in vs]) for tag, kind, vs in values.values()], bytes(64)
    )


def test_invented_pictures(port, outcomes):
    @fuzz(60)
    @given(picture=invented())
    def each(picture):
        status = ask(port, "/api/predict", picture)[0]
        outcomes[status] += 1
        assert status in (200, 422)

    each()


def test_light_pictures_are_as_large_as_their_header_says():
    @fuzz(300)
    @given(picture=invented(), edits=EDITS)
    def each(picture, edits):
        for data in (picture, damaged(picture, edits)):
            kind = next((kind for kind, magic in headers.MAGIC.items() if magic.match(data)), None)
            if kind and headers.is_light(data, kind, 10_000):
                with contextlib.suppress(Exception), Image.open(io.BytesIO(data), formats=[kind]) as image:
                    assert image.width * image.height <= 10_000 or pytest.fail(repr(data))

    each()


def test_headers_about_peers(port, outcomes):
    word = st.sampled_from(
        ["http://", "127.0.0.1", "localhost", "[::1]", ":", "@", ",", "null", "1.2.3.4", "%", "/"]
    )
    text = st.lists(word | TEXT, max_size=4).map("".join).filter(lambda text: text == text.strip())

    @fuzz(100)
    @given(
        names=st.lists(
            st.sampled_from(["Host", "Origin", "X-Forwarded-For", "X-Forwarded-Host", "Sec-Fetch-Site"]),
            max_size=4,
            unique=True,
        ),
        data=st.data(),
    )
    def each(names, data):
        values = {name: data.draw(text) for name in names}
        status = ask(port, "/api/predict", b"rubbish", **values)[0]
        outcomes[status] += 1
        assert status in (400, 403, 422)

    each()

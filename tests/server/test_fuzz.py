"""Damaged requests: each is answered with a status that is meant, never with the server's own failure.

`FUZZ_EXAMPLES=5000 pytest -sm slow tests/server/test_fuzz.py` tries so many new ones and prints what came of them.
"""

import collections
import socket

import h11
import pytest
from helpers.fuzzing import EDITS, damaged, fuzz
from helpers.portraits import PORTRAIT, brightness
from helpers.serving import ask, form, serving
from hypothesis import given
from hypothesis import strategies as st

from fer_keras import FER
from fer_keras.server import Limits, protocol

pytestmark = pytest.mark.slow
BODY, KIND = form(("a.png", PORTRAIT.read_bytes()[:400]), ("b.png", b"P5 2 2 255 abcd"))
HEAD = f"POST /api/batch HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: {KIND}\r\n"
REQUEST = f"{HEAD}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY
TEXT = st.sampled_from(["", "; "]) | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


@pytest.fixture(scope="module")
def port():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(protocol.BoundedProtocol, "TIMEOUTS", {h11.IDLE: 0.2, h11.SEND_BODY: 0.4})
        with serving(FER(brightness, detector="none"), Limits(body_seconds=0.2)) as port:
            yield port


@pytest.fixture
def outcomes(request):
    counts = collections.Counter()
    yield counts
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

"""What comes over the wire and is no decent HTTP: cut off, and the server goes on."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import h11
import pytest
from helpers.serving import PORTRAIT_BYTES, ask, raw, serving

from fer_keras.core.errors import InputError
from fer_keras.server import protocol, running

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"nonsense\r\n\r\n",
        GET + b"X: " + b"a" * 300_000 + b"\r\n\r\n",
        GET + b"X: a\r\n" * 60_000 + b"\r\n",
        GET + b"No colon\r\n\r\n",
        GET + b"X: a\x00b\r\n\r\n",
        GET + b"Host: other\r\n\r\n",
        GET + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        GET + b"Content-Length: -5\r\n\r\n",
        GET + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
        GET + b"Transfer-Encoding: gzip\r\n\r\n",
        b"GET /" + b"a" * 300_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n\r\n",  # no Host
    ],
)
def test_malformed_requests(port, data):
    answer = raw(port, data)
    assert answer.split(b" ")[:2] in ([b"HTTP/1.1", b"400"], [b"HTTP/1.1", b"501"])
    assert b"Traceback" not in answer
    assert ask(port, "/healthz")[0] == 200


@pytest.fixture(scope="module")
def port():
    with serving() as port:
        yield port


@pytest.mark.parametrize(
    "data, answer",
    [
        (b"", b""),
        (GET, b""),
        (b"POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\na", b"HTTP/1.1 405 "),
        (GET + b"\r\n" + GET, b"HTTP/1.1 200 "),
    ],
)
def test_who_does_not_finish_is_cut(port, monkeypatch, data, answer):
    monkeypatch.setattr(protocol.BoundedProtocol, "PATIENCE", {h11.IDLE: 0.3, h11.SEND_BODY: 0.3})
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        for i in range(len(data) // 20 + 1):  # in pieces: each is a sign of life, and none prolongs the time
            connection.sendall(data[20 * i : 20 * i + 20])
            time.sleep(0.01)
        begin, received = time.monotonic(), b""
        with contextlib.suppress(ConnectionError):
            while chunk := connection.recv(1000):
                received += chunk
    assert received.startswith(answer) and bool(received) == bool(answer)
    assert time.monotonic() - begin < 4


def test_who_does_not_read_is_cut(port, monkeypatch):
    monkeypatch.setattr(protocol, "READER_SECONDS", 0.3)
    page, count = len(ask(port, "/page.js")[2]), 600
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(5)
        connection.connect(("127.0.0.1", port))
        with contextlib.suppress(ConnectionError, TimeoutError):
            connection.sendall(b"GET /page.js HTTP/1.1\r\nHost: localhost\r\n\r\n" * count)
        time.sleep(1)
        received = 0
        with contextlib.suppress(ConnectionError):
            while chunk := connection.recv(1 << 16):
                received += len(chunk)
    assert received < page * count
    assert ask(port, "/healthz")[0] == 200


def test_connections_are_limited(port, monkeypatch):
    monkeypatch.setattr(protocol, "CONNECTIONS", 2)
    address = ("127.0.0.1", port)
    with socket.create_connection(address) as first, socket.create_connection(address):
        time.sleep(0.1)
        assert raw(port, GET + b"\r\n") == b""
        first.close()
        time.sleep(0.1)
        assert raw(port, GET + b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 200 ")


def test_address_in_use(port):
    with pytest.raises(InputError, match=f"127.0.0.1, port {port} cannot be had: .* Try another --port."):
        running.serve(None, port=port)


SERVE = """
import time
from helpers.portraits import brightness
from fer_keras import FER, logs, server

def slow(crops):
    time.sleep(0.5)
    return brightness(crops)

logs.start()
server.serve(FER(slow), port=0)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_after_its_answers(number):
    environment = os.environ | {"PYTHONPATH": str(pathlib.Path(__file__).parents[1])}
    command = [sys.executable, "-c", SERVE]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        port = int(process.stderr.readline().split(",")[0].rpartition(":")[2])
        idle = socket.create_connection(("127.0.0.1", port))
        with idle, socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            head = (
                f"POST /api/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(PORTRAIT_BYTES)}\r\n\r\n"
            )
            connection.sendall(head.encode() + PORTRAIT_BYTES)
            time.sleep(0.3)
            process.send_signal(number)
            answer = b""
            while chunk := connection.recv(1 << 16):
                answer += chunk
        assert answer.startswith(b"HTTP/1.1 200 ") and b'"faces"' in answer
        assert process.wait(20) == 0
        assert process.stderr.read() == "Stopped.\n"

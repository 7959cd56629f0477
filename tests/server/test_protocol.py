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
from helpers.serving import PORTRAIT_BYTES, Slow, ask, figures, in_threads, raw, serving, until

from fer_keras import FER
from fer_keras.core.errors import InputError
from fer_keras.server import Limits, peers, protocol, running

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
        GET + b"Transfer-Encoding: identity\r\n\r\n",
        GET + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        GET + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        GET + b"Transfer-Encoding: \x0bchunked\r\n\r\n",
        GET + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
        GET + b"Transfer-Encoding: chunked\r\ncontent-length: 0\r\n\r\n0\r\n\r\n",
        GET.replace(b"GET", b"HEAD") + b"Transfer-Encoding: chunked\r\ncontent-length: 0\r\n\r\n0\r\n\r\n",
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
    monkeypatch.setattr(protocol.BoundedProtocol, "TIMEOUTS", {h11.IDLE: 0.3, h11.SEND_BODY: 0.3})
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


def test_both_lengths_are_refused_before_the_body(port):
    head = (
        b"POST /api/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    answer = raw(port, head + b"100000\r\n" + bytes(1 << 20))
    assert answer.startswith(b"HTTP/1.1 400 ") and b"Received both" in answer or answer == b""
    assert raw(port, head).startswith(b"HTTP/1.1 400 ")  # and the connection is closed


def test_a_malformed_body_after_an_answer_is_no_failure(port, caplog):
    head = (
        b"POST /api/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    for _ in range(5):
        assert raw(port, head + b"f" * 30 + b"\r\nabcde")[:13] in (b"HTTP/1.1 400 ", b"")
    assert ask(port, "/healthz")[0] == 200 and caplog.records == []


@pytest.mark.parametrize("path", ["/", "/page.js", "/docs", "/healthz", "/metrics", "/openapi.json"])
def test_head_is_get_without_the_body(port, path):
    status, headers, content = ask(port, path, method="HEAD")
    assert (status, content) == (200, b"")
    if path != "/metrics":
        assert int(headers["Content-Length"]) > 0
    assert ask(port, "/api/predict", method="HEAD")[0] == 405


SLOW_BODY = b"POST /api/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\na"


@contextlib.contextmanager
def connected(port, count, data=b""):
    """Yield so many connections that have sent `data`, one after another."""
    with contextlib.ExitStack() as stack:
        connections = []
        for _ in range(count):
            connections.append(stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5)))
            connections[-1].sendall(data)
            time.sleep(0.05)
        yield connections


def is_open(connection):
    connection.settimeout(0.1)
    try:
        return connection.recv(1) != b""
    except TimeoutError:
        return True
    except ConnectionError:
        return False


@pytest.mark.parametrize("data", [b"", GET, SLOW_BODY])
def test_a_new_connection_takes_the_place_of_the_longest_idle(data):
    with serving(limits=Limits(connections=6)) as port, connected(port, 3, data) as idle:  # half of all
        assert raw(port, GET + b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 200 ")
        assert [is_open(connection) for connection in idle] == [False, True, True]


def test_idle_connections_give_way_before_slow_bodies():
    with (
        serving(limits=Limits(connections=4)) as port,
        connected(port, 1, SLOW_BODY) as (slow,),
        connected(port, 1) as (idle,),
    ):
        assert raw(port, GET + b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 200 ")
        assert (is_open(slow), is_open(idle)) == (True, False)


def test_busy_connections_stay():
    slow = Slow()
    with serving(FER(slow), Limits(connections=2)) as port:  # one for each peer
        threads, answers = in_threads(1, port, "/api/predict", PORTRAIT_BYTES)
        until(lambda: slow.calls == 1)
        assert raw(port, GET + b"Connection: close\r\n\r\n") == b""
        slow.go.set()
        threads[0].join()
        assert answers[0][0] == 200


def test_a_proxy_is_not_limited_but_its_clients_are():
    slow = Slow()
    limits, proxies = Limits(connections=4), peers.networks(["127.0.0.1"])
    with serving(FER(slow), limits, proxies=proxies) as port:

        def asked_for(address):
            return ask(port, "/healthz", X_Forwarded_For=address)[0]

        threads, answers = in_threads(2, port, "/api/predict", PORTRAIT_BYTES, X_Forwarded_For="1.2.3.4, 10.0.0.9")
        until(lambda: float(figures(port)["fer_keras_requests_at_once"]) == 2)
        with connected(port, 8) as idle:
            assert asked_for("10.0.0.9") == asked_for("10.0.0.9:5000, 127.0.0.1") == 429
            assert asked_for("10.0.0.9, 10.0.0.8") == asked_for("2001:db8::1") == asked_for("") == 200
            assert all(is_open(connection) for connection in idle)
        slow.go.set()
        for thread in threads:
            thread.join()
        assert [answer[0] for answer in answers] == [200, 200]


def test_pages_behind_a_proxy():
    with serving(proxies=peers.networks(["127.0.0.0/8"])) as port:
        page = {"Origin": "https://faces.example", "Host": "127.0.0.1:8000"}
        assert ask(port, "/api/predict", b"image", X_Forwarded_Host="faces.example", **page)[0] == 422
        assert ask(port, "/api/predict", b"image", X_Forwarded_Host="evil.example", **page)[0] == 403
    with serving() as port:  # whoever is not trusted does not choose the name
        assert ask(port, "/api/predict", b"image", X_Forwarded_Host="faces.example", **page)[0] == 403


def test_address_in_use(port):
    with pytest.raises(
        InputError, match=f"Cannot listen on 127.0.0.1, port {port}: Address already in use. Try another"
    ):
        running.serve(None, port=port)


SERVE = """
import sys, time
from helpers.portraits import brightness
from fer_keras import FER, server
from fer_keras.core import logs

def slow(crops):
    time.sleep(float(sys.argv[1]) if crops.any() else 0)
    return brightness(crops)

logs.start()
server.serve(FER(slow, detector="haar"), port=0)
"""


@contextlib.contextmanager
def started(seconds):
    """Yield a server process whose answers take so many seconds, and its port."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)])}
    command = [sys.executable, "-c", SERVE, str(seconds)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield process, int(process.stderr.readline().split(",")[0].rpartition(":")[2])
        finally:
            process.kill()


def sent(port):
    """Return a connection on which an image was sent that a server has begun to answer."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    head = f"POST /api/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(PORTRAIT_BYTES)}\r\n\r\n"
    connection.sendall(head.encode() + PORTRAIT_BYTES)
    until(lambda: figures(port)["fer_keras_requests_at_once"] == "1.0")
    return connection


def received(connection):
    answer = b""
    with contextlib.suppress(ConnectionError):
        while chunk := connection.recv(1 << 16):
            answer += chunk
    return answer


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_after_its_answers(number):
    with started(1) as (process, port):
        idle = socket.create_connection(("127.0.0.1", port))
        with idle, sent(port) as connection:
            process.send_signal(number)
            answer = received(connection)
        assert answer.startswith(b"HTTP/1.1 200 ") and b'"faces"' in answer
        assert process.wait(20) == 0
        assert process.stderr.read() == "Stopped.\n"


@pytest.mark.slow
def test_a_signal_ends_it_whatever_is_running():
    with started(1000) as (process, port), sent(port) as connection:
        process.send_signal(signal.SIGTERM)
        answer = received(connection)
        assert answer.startswith(b"HTTP/1.1 503 ") and b"The server is stopping." in answer
        assert process.wait(20) == 0
        assert process.stderr.read() == "Stopped.\n"


@pytest.mark.slow
@pytest.mark.parametrize("first, second", [(signal.SIGTERM, signal.SIGTERM), (signal.SIGTERM, signal.SIGINT)])
def test_a_second_signal_ends_it_at_once(first, second):
    with started(1000) as (process, port), sent(port):
        process.send_signal(first)
        until(lambda: refused(port))
        assert process.poll() is None
        process.send_signal(second)
        assert process.wait(5) == 128 + second
        assert process.stderr.read() == ""


def refused(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except ConnectionError:
        return True
    return False


TESTS = pathlib.Path(__file__).parents[1]

"""A running server in this process, and requests to it, well-formed and not."""

import contextlib
import http.client
import json
import socket
import threading
import time

import pytest
from helpers.portraits import PORTRAIT, brightness

from fer_keras import FER

pytest.importorskip("fastapi", reason="needs fer-keras[serve]")

from fer_keras.server import create_app, running

PORTRAIT_BYTES = PORTRAIT.read_bytes()


@contextlib.contextmanager
def serving(fer=None, limits=None, **options):
    """Yield the port of a server on this computer, with a real socket and uvicorn."""
    app = create_app(fer or FER(brightness), limits, **options)
    server = running.new_server(app, limits, options.get("proxies", ()))
    listener = running.listen("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


def ask(port, path, body=None, method=None, **headers):
    """Return (status, headers, content) of one request; JSON is parsed."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method or ("GET" if body is None else "POST"), path, body, names)
        response = connection.getresponse()
        content = response.read()
        if content and response.headers.get_content_type() == "application/json":
            content = json.loads(content)
        return response.status, response.headers, content


def raw(port, data, wait=30):
    """Send `data` as it is; return all that comes back until the server closes, b"" if it cuts the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=wait) as connection:
        received = b""
        with contextlib.suppress(ConnectionError):
            connection.sendall(data)
            while chunk := connection.recv(1 << 16):
                received += chunk
        return received


def form(*files, boundary="xyz"):
    """Return body and content type of multipart/form-data with (name, bytes) as files."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="images"; filename="{name}"\r\n\r\n'.encode()
        + content
        + b"\r\n"
        for name, content in files
    ]
    return b"".join(parts) + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def until(condition, seconds=10):
    """Wait for `condition()`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def figures(port):
    """Return the metrics as {name with labels: text of the value}."""
    lines = ask(port, "/metrics")[2].decode().splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))


class Slow:
    """A classifier that waits until it is let go."""

    def __init__(self):
        self.calls, self.go = 0, threading.Event()

    def __call__(self, crops):
        self.calls += 1
        assert self.go.wait(20)
        return brightness(crops)


def in_threads(count, *arguments, **headers):
    """Start so many threads that `ask`; return them and the list of their answers, which fills."""
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(ask(*arguments, **headers))) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads, answers

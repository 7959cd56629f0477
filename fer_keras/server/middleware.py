"""What surrounds every answer: which requests are let in, security headers, figures, one line in the log."""

import logging
import time
import traceback
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

LOG = logging.getLogger("fer_keras")
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
RAW_HEADERS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]


class Metrics:
    """What Prometheus reads of one server."""

    def __init__(self, admission):
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        names = {"namespace": "fer_keras", "registry": self.registry}
        self.requests = Counter("requests", "Answered requests.", ["endpoint", "status"], **names)
        self.seconds = Histogram("request_seconds", "From request to answer.", ["endpoint"], **names)
        self.faces = Counter("faces", "Faces found.", **names)
        Gauge("requests_at_once", "Requests in work or waiting.", **names).set_function(lambda: admission.requests)
        Gauge("buffered_bytes", "Bodies in memory.", **names).set_function(lambda: admission.buffered)


class Guard:
    """ASGI middleware. Nothing that a client sent goes into the log, and no error's text into an answer.

    Args:
        app: the ASGI application.
        metrics: `Metrics`.
        hosts: names in `Host` that are answered, None for all. A server for this computer alone must look at them:
            else a page elsewhere could let its own name point here and read what comes back (DNS rebinding).
    """

    def __init__(self, app, metrics, hosts=None):
        self.app = app
        self.metrics = metrics
        self.hosts = hosts

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        begin, status = time.perf_counter(), None

        async def answer(message):
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = message | {"headers": [*message.get("headers", []), *RAW_HEADERS]}
            await send(message)

        try:
            await (self.refusal(scope) or self.app)(scope, receive, answer)
        except ClientDisconnect:
            status = status or 499  # as nginx counts those who left
        except Exception as error:
            LOG.error("A request failed: %s", place(error))
            if status is None:
                await problem(500, "The server failed. Its log tells where.")(scope, receive, answer)
        finally:
            self.tell(scope, status, time.perf_counter() - begin)

    def refusal(self, scope):
        headers = dict(scope["headers"])
        if self.hosts is not None and hostname(headers.get(b"host", b"")) not in self.hosts:
            return problem(400, "This name is not the server's. Expected http://127.0.0.1 or http://localhost.")
        if scope["method"] == "POST" and headers.get(b"sec-fetch-site") in (b"cross-site", b"same-site"):
            return problem(403, "Pages of other sites may not use this server.")

    def tell(self, scope, status, seconds):
        route = scope.get("route")
        endpoint = route.path if route else "other"  # what was asked for may hold secrets, and is without end
        self.metrics.requests.labels(endpoint, status).inc()
        self.metrics.seconds.labels(endpoint).observe(seconds)
        values = {"endpoint": endpoint, "status": status, "seconds": round(seconds, 4)}
        LOG.debug("%s answered with %s in %.0f ms", endpoint, status, 1000 * seconds, extra={"values": values})


def problem(status, message, headers=None):
    headers = dict(headers or {})
    if status == 429:
        headers["retry-after"] = "1"
    if status in (
        408,
        411,
    ):  # the rest of 413 is read and dropped: cut off while sending, few clients see the answer
        headers["connection"] = "close"
    return JSONResponse({"error": message}, status, headers)


def hostname(header):
    try:
        return urlsplit(f"//{header.decode('latin-1')}").hostname
    except ValueError:
        return None


def place(error):
    """Return the error's class and where it arose, without its text and without folders: both may tell secrets."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    file = last.filename.replace("\\", "/").rpartition("/")[2]
    return f"{type(error).__name__} in {last.name}, {file} line {last.lineno}"

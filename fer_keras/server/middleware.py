"""What surrounds every answer: which requests are refused, security headers, metrics, one line in the log."""

import asyncio
import collections
import logging
import time
import traceback

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from fer_keras.server import peers

LOG = logging.getLogger("fer_keras")
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
CLOSE = {"connection": "close"}
FOREIGN = (
    "Pages of other sites may not use this server. Behind a proxy, pass on the Host header, or X-Forwarded-Host "
    "with --trusted-proxy."
)
RAW_HEADERS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]


class Metrics:
    """The metrics of one server, for Prometheus."""

    def __init__(self, admission):
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        names = {"namespace": "fer_keras", "registry": self.registry}
        self.requests = Counter("requests", "Answered requests.", ["endpoint", "status"], **names)
        self.seconds = Histogram("request_seconds", "From request to answer.", ["endpoint"], **names)
        self.faces = Counter("faces", "Faces found.", **names)
        Gauge("requests_at_once", "Requests in work or waiting.", **names).set_function(admission.requests.total)
        Gauge("buffered_bytes", "Bodies in memory.", **names).set_function(admission.buffered.total)


class RequestMiddleware:
    """ASGI middleware. Nothing that a client sent goes into the log, and no error's text into an answer.

    Args:
        app: the ASGI application.
        metrics: `Metrics`.
        connections: requests of one peer at once, see `Limits`.
        host: name or address that a server for this computer alone listens on, None for any other server. Only
            loopback names are then answered: else a page elsewhere could let its own name point here and read the
            answers (DNS rebinding).
        proxies: networks of the trusted proxies.
    """

    def __init__(self, app, metrics, connections, host=None, proxies=()):
        self.app = app
        self.metrics = metrics
        self.connections = connections
        self.host = host
        self.proxies = proxies
        self.active = collections.Counter()  # requests by peer

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        begin, status = time.perf_counter(), None
        address = scope["client"][0] if scope["client"] else ""
        peer = peers.peer(address, ",".join(_all(scope, b"x-forwarded-for")), self.proxies)
        # The server drops the body of an answer to HEAD.
        scope = scope | {"peer": peer} | ({"method": "GET"} if scope["method"] == "HEAD" else {})

        async def answer(message):
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = message | {"headers": [*message.get("headers", []), *RAW_HEADERS]}
            await send(message)

        self.active[peer] += 1
        try:
            await (self._refusal(scope) or self.app)(scope, receive, answer)
        except ClientDisconnect:
            status = status or 499  # as nginx counts clients that left
        except asyncio.CancelledError:
            if status is None:
                await problem(503, "The server is stopping.")(scope, receive, answer)
        except Exception as error:
            LOG.error("A request failed: %s", location(error))
            if status is None:
                await problem(500, "The server failed. Its log says where.")(scope, receive, answer)
        finally:
            self.active[peer] -= 1
            if not self.active[peer]:
                del self.active[peer]
            self._record(scope, status, time.perf_counter() - begin)

    def _refusal(self, scope):
        if _all(scope, b"content-length") and _all(scope, b"transfer-encoding"):
            return problem(400, "Expected Content-Length or Transfer-Encoding, received both.", CLOSE)
        hosts = _all(scope, b"host")
        if self.host is not None and not all(self._is_own(host) for host in hosts or [""]):
            return problem(400, "This name is not the server's. Expected http://127.0.0.1 or http://localhost.")
        if scope["method"] != "GET" and not self._is_own_page(scope, hosts):
            return problem(403, FOREIGN)
        if self.active[scope["peer"]] > max(1, self.connections // 2):
            return problem(429, "Too many requests of one address at once. Try again in a second.")

    def _is_own(self, host):
        name = (peers.place(host) or ("",))[0]
        return name == self.host or peers.is_loopback_name(name)

    def _is_own_page(self, scope, hosts):
        """Return whether no page sent the request, or one of this server."""
        sites = _all(scope, b"sec-fetch-site")
        if any(site.strip().lower() not in ("same-origin", "none") for site in sites):
            return False
        address = scope["client"][0] if scope["client"] else ""
        if peers.is_trusted(address, self.proxies):
            hosts = _all(scope, b"x-forwarded-host") or hosts
        return all(peers.same_site(origin, host) for origin in _all(scope, b"origin") for host in hosts or [""])

    def _record(self, scope, status, seconds):
        route = scope.get("route")
        endpoint = (
            route.path if route else "other"
        )  # what was asked for may hold secrets, and has endless variants
        self.metrics.requests.labels(endpoint, status).inc()
        self.metrics.seconds.labels(endpoint).observe(seconds)
        values = {"endpoint": endpoint, "status": status, "seconds": round(seconds, 4)}
        LOG.debug("%s answered with %s in %.0f ms", endpoint, status, 1000 * seconds, extra={"values": values})


def _all(scope, name):
    """Return the texts of all headers of that name."""
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def problem(status, message, headers=None):
    """Return the response that holds `schema.Problem`."""
    headers = dict(headers or {})
    if status == 429:
        headers["retry-after"] = "1"
    if status in (
        408,
        411,
        503,
    ):  # after 413 the rest is read and dropped: clients that still send miss the answer
        headers |= CLOSE
    return JSONResponse({"error": message}, status, headers)


def location(error):
    """Return the error's class and where it arose, without its text and without folders: both may hold secrets."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    file = last.filename.replace("\\", "/").rpartition("/")[2]
    return f"{type(error).__name__} in {last.name}, {file} line {last.lineno}"

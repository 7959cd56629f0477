"""ASGI middleware: refused requests, security headers, metrics, and one log line for each answer."""

import asyncio
import collections
import logging
import time
import traceback
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fer_keras.server import peers
from fer_keras.server.limits import Admission

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
    "Pages of other sites may not use this server. Behind a proxy, pass on the Host header, or set "
    "X-Forwarded-Host and name the proxy with --trusted-proxy."
)
RAW_HEADERS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]


class Metrics:
    """Prometheus metrics of one server."""

    def __init__(self, admission: Admission) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.requests = Counter(
            "fer_keras_requests", "Answered requests.", ["endpoint", "status"], registry=registry
        )
        self.seconds = Histogram(
            "fer_keras_request_seconds", "Time from request to answer.", ["endpoint"], registry=registry
        )
        self.faces = Counter("fer_keras_faces", "Faces found.", registry=registry)
        concurrent = Gauge("fer_keras_requests_at_once", "Requests in progress or waiting.", registry=registry)
        concurrent.set_function(admission.requests.total)
        buffered = Gauge("fer_keras_buffered_bytes", "Size of the bodies in memory.", registry=registry)
        buffered.set_function(admission.buffered.total)


class RequestMiddleware:
    """ASGI middleware. It logs nothing that a client sent, and puts no exception text into an answer.

    Args:
        app: the ASGI application.
        metrics: see `Metrics`.
        connections: see `Limits`. One peer may send half as many requests at once.
        host: host name or address of a server that listens on loopback only, else None. With a host, the Host
            header must be it or a loopback name, so that another site cannot point its own name at this server
            and read the answers (DNS rebinding).
        proxies: networks of the trusted proxies.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        connections: int,
        host: str | None = None,
        proxies: peers.Networks = (),
    ) -> None:
        self.app = app
        self.metrics = metrics
        self.connections = connections
        self.host = host
        self.proxies = proxies
        self.active: collections.Counter[str] = collections.Counter()  # requests by peer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        begin = time.perf_counter()
        status: int | None = None
        address = scope["client"][0] if scope["client"] else ""
        peer = peers.peer(address, ",".join(_all(scope, b"x-forwarded-for")), self.proxies)
        # The HTTP protocol class drops the body of an answer to HEAD.
        scope = {**scope, "peer": peer, "method": "GET" if scope["method"] == "HEAD" else scope["method"]}

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message.get("headers", []), *RAW_HEADERS]}
            await send(message)

        self.active[peer] += 1
        try:
            await (self._refusal(scope) or self.app)(scope, receive, answer)
        except ClientDisconnect:
            status = status or 499  # nginx's status for clients that disconnected
        except asyncio.CancelledError:
            if status is None:
                await problem(503, "The server is stopping.")(scope, receive, answer)
        except Exception as error:
            LOG.error("A request failed: %s", location(error))
            if status is None:
                await problem(500, "Internal error. The server's log names the place.")(scope, receive, answer)
        finally:
            self.active[peer] -= 1
            if not self.active[peer]:
                del self.active[peer]
            self._record(scope, status, time.perf_counter() - begin)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        if _all(scope, b"content-length") and _all(scope, b"transfer-encoding"):
            return problem(400, "Expected Content-Length or Transfer-Encoding. Received both.", CLOSE)
        hosts = _all(scope, b"host")
        if self.host is not None and not all(self._is_own(host) for host in hosts or [""]):
            return problem(400, "Unknown Host. Expected 127.0.0.1 or localhost, as in http://localhost.")
        if scope["method"] != "GET" and not self._is_own_page(scope, hosts):
            return problem(403, FOREIGN)
        if self.active[scope["peer"]] > max(1, self.connections // 2):
            return problem(429, "Too many requests at once from one address. Try again in a second.")
        return None

    def _is_own(self, host: str) -> bool:
        name = (peers.place(host) or ("",))[0]
        return name == self.host or peers.is_loopback_name(name)

    def _is_own_page(self, scope: Scope, hosts: list[str]) -> bool:
        """Return whether the request is from a page of this server, or from no page at all."""
        sites = _all(scope, b"sec-fetch-site")
        if any(site.strip().lower() not in ("same-origin", "none") for site in sites):
            return False
        address = scope["client"][0] if scope["client"] else ""
        if peers.is_trusted(address, self.proxies):
            hosts = _all(scope, b"x-forwarded-host") or hosts
        return all(peers.same_site(origin, host) for origin in _all(scope, b"origin") for host in hosts or [""])

    def _record(self, scope: Scope, status: int | None, seconds: float) -> None:
        route = scope.get("route")
        endpoint = route.path if route else "other"  # the requested path may hold secrets
        self.metrics.requests.labels(endpoint, status).inc()
        self.metrics.seconds.labels(endpoint).observe(seconds)
        values = {"endpoint": endpoint, "status": status, "seconds": round(seconds, 4)}
        LOG.debug("%s answered with %s in %.0f ms", endpoint, status, 1000 * seconds, extra={"values": values})


def _all(scope: Scope, name: bytes) -> list[str]:
    """Return the values of all headers of that name."""
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def problem(status: int, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return a response with a `schema.Problem`."""
    headers = dict(headers or {})
    if status == 429:
        headers["retry-after"] = "1"
    # Not after 413: the rest of the body is read and dropped, because clients that still send miss the answer.
    if status in (408, 411, 503):
        headers |= CLOSE
    return JSONResponse({"error": message}, status, headers)


def location(error: Exception) -> str:
    """Return the class of `error`, file name and line, without its text and folders, which may hold secrets."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    file = last.filename.replace("\\", "/").rpartition("/")[2]
    return f"{type(error).__name__} in {last.name}, {file} line {last.lineno}"

"""What clients may cost the server: bytes, time, memory, requests at once."""

import asyncio
import collections
import contextlib
import dataclasses
import functools
from concurrent.futures import ThreadPoolExecutor

from starlette.requests import ClientDisconnect

from fer_keras.recognition import decoding

MAX_PIXELS = 20_000_000  # of one image, for `FER`
CHUNK = 32  # faces that are classified in one turn


@dataclasses.dataclass(frozen=True)
class Limits:
    """What is refused, and with which status.

    A single peer gets at most half of `connections`, `requests` and `buffered_bytes`.

    Args:
        body_bytes: of one request; 413.
        body_seconds: until a body has arrived; 408.
        buffered_bytes: of all bodies in memory; 429.
        requests: that are answered or wait for it at once; 429.
        connections: at once. When another one comes, one that waits for its client is closed.
        images: of one batch; 413.
        threads: that detect and classify.
        decode: what one image may cost; 422. One image at a time is decoded in a subprocess.
    """

    body_bytes: int = 10 << 20
    body_seconds: float = 20.0
    buffered_bytes: int = 192 << 20
    requests: int = 128
    connections: int = 512
    images: int = 32
    threads: int = 2
    decode: decoding.Limits = decoding.UPLOADS


class Refused(Exception):
    """The request is not answered: `status` and a message for the client."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class Admission:
    """Keeps one server within its `Limits`."""

    def __init__(self, limits):
        self.limits = limits
        self.buffered = collections.Counter()  # bytes by peer
        self.requests = collections.Counter()  # by peer
        self.turns = asyncio.Semaphore(limits.threads)  # first come, first served
        self.threads = ThreadPoolExecutor(limits.threads)
        self.large = asyncio.Semaphore(1)
        self.decoder = ThreadPoolExecutor(1)
        self.running = 0  # functions in threads

    @contextlib.asynccontextmanager
    async def body(self, request):
        """Yield the body of the request as `bytearray`; it counts until the block ends.

        Raises:
            Refused: if it exceeds a limit.
        """
        self._check_size(_declared(request.headers))
        peer, body = request.scope["peer"], bytearray()
        try:
            async with self._timeout():
                async for chunk in request.stream():
                    self._check_size(len(body) + len(chunk))
                    _take(self.buffered, peer, len(chunk), self.limits.buffered_bytes)
                    body += chunk
            _take(self.requests, peer, 1, self.limits.requests)
            try:
                yield body
            finally:
                _release(self.requests, peer, 1)
        finally:
            _release(self.buffered, peer, len(body))

    def _check_size(self, size):
        if size > (most := self.limits.body_bytes):
            raise Refused(413, f"The body has {size:,} bytes. Expected at most {most:,}: make the image smaller.")

    @contextlib.asynccontextmanager
    async def _timeout(self):
        seconds = self.limits.body_seconds
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as error:
            raise Refused(408, f"The body did not arrive within {seconds:g} seconds.") from error

    @contextlib.asynccontextmanager
    async def opened(self, request, image, fer):
        """Yield what `FER.read` takes: `image`, or its pixels if its decoding needs a subprocess."""
        limits = self.limits.decode
        if not decoding.needs_subprocess(image, limits):
            yield image
            return
        async with self.large:
            read = functools.partial(fer.read, image, limits=limits)
            yield await self._call(request, self.decoder, read)

    async def run(self, request, function, *arguments):
        """Return what `function` returns, called in one of the threads when it is this request's turn."""
        async with self.turns:
            return await self._call(request, self.threads, functools.partial(function, *arguments))

    async def _call(self, request, threads, function):
        if await request.is_disconnected():
            raise ClientDisconnect  # nobody waits for the answer
        self.running += 1
        future = threads.submit(function)
        future.add_done_callback(self._ended)
        return await asyncio.wrap_future(future)

    def _ended(self, future):
        self.running -= 1


def _declared(headers):
    """Return the length that the client declares, so that a body can be refused before it is read."""
    if "content-length" not in headers:
        raise Refused(411, "Content-Length is missing: send the length of the body, not chunks.")
    return int(headers["content-length"])


def _take(counter, peer, amount, most):
    if counter.total() + amount > most or counter[peer] + amount > max(1, most // 2):
        raise Refused(429, "Too many requests at once. Try again in a second.")
    counter[peer] += amount


def _release(counter, peer, amount):
    counter[peer] -= amount
    if not counter[peer]:
        del counter[peer]

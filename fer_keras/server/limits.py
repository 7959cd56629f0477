"""How much strangers may ask of the server: bytes, time, memory, requests at once."""

import asyncio
import contextlib
import dataclasses
import functools
from concurrent.futures import ThreadPoolExecutor

from starlette.requests import ClientDisconnect

MAX_PIXELS = 20_000_000  # of one image, for `FER`; decoding takes 210 MB


@dataclasses.dataclass(frozen=True)
class Limits:
    """What is refused, and with which status.

    Args:
        body_bytes: of one request; 413.
        body_seconds: until a body has arrived; 408.
        buffered_bytes: of all bodies that are in memory; 429.
        requests: that are answered or wait for it at once; 429.
        images: of one batch; 413.
        threads: that decode and compute. One decodes up to `FER.max_pixels` at a time.
    """

    body_bytes: int = 10 << 20
    body_seconds: float = 20.0
    buffered_bytes: int = 256 << 20
    requests: int = 64
    images: int = 32
    threads: int = 2


class Refused(Exception):
    """The request is not answered: `status` and a message for the client."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class Admission:
    """Keeps one server within its `Limits`."""

    def __init__(self, limits):
        self.limits = limits
        self.buffered = 0
        self.requests = 0
        self.turns = asyncio.Semaphore(limits.threads)  # who waits gets them in the order of coming
        self.threads = ThreadPoolExecutor(limits.threads)  # so few also keep the allocator's reserves small

    @contextlib.asynccontextmanager
    async def body(self, request):
        """Yield the body of the request as `bytearray`; it counts until the block ends.

        Raises:
            Refused: where a limit is reached.
        """
        self.check_length(request.headers)
        body = bytearray()
        try:
            async with self.patience():
                async for chunk in request.stream():
                    self.buffered += len(chunk)
                    body += chunk
                    if self.buffered > self.limits.buffered_bytes:
                        raise busy()
            if self.requests >= self.limits.requests:
                raise busy()
            self.requests += 1
            try:
                yield body
            finally:
                self.requests -= 1
        finally:
            self.buffered -= len(body)

    def check_length(self, headers):
        """Refuse by what the client declares, before a byte of the body is read; h11 holds it to that."""
        if "content-length" not in headers:
            raise Refused(411, "The length of the body must be told in Content-Length, not sent in chunks.")
        length, most = int(headers["content-length"]), self.limits.body_bytes
        if length > most:
            raise Refused(
                413, f"The body has {length:,} bytes. Expected at most {most:,}: make the image smaller."
            )

    @contextlib.asynccontextmanager
    async def patience(self):
        seconds = self.limits.body_seconds
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as error:
            raise Refused(408, f"The body did not arrive within {seconds:g} seconds.") from error

    async def run(self, request, function, *arguments):
        """Return what `function` returns, called in one of the threads when it is this request's turn."""
        async with self.turns:
            if await request.is_disconnected():
                raise ClientDisconnect  # nobody waits for the answer any more
            call = functools.partial(function, *arguments)
            return await asyncio.get_running_loop().run_in_executor(self.threads, call)


def busy():
    return Refused(429, "Too many requests at once. Try again in a second.")

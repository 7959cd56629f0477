"""Limits on what clients cost the server: bytes, time, memory, concurrent requests."""

import asyncio
import collections
import contextlib
import dataclasses
import functools
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

import numpy as np
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request

from fer_keras.recognition import decoding
from fer_keras.recognition.fer import FER
from fer_keras.recognition.steps import Steps, advance
from fer_keras.server.turns import Turns

MAX_PIXELS = decoding.UPLOAD_PIXELS  # of one image, for `FER`
CHUNK = 32  # faces that are classified in one turn
FIRST_STEPS = 100  # of the search for faces; a photograph of 4 megapixels with a few faces takes 30
TURN_STEPS = 10  # of the search in one turn, if it takes more than `FIRST_STEPS`
Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")


@dataclasses.dataclass(frozen=True)
class Limits:
    """The server's limits. A request beyond one is refused with the status given here.

    A single peer gets at most half of `connections`, `requests` and `buffered_bytes`.

    Args:
        body_bytes: size of one request's body; 413.
        body_seconds: time until a body has arrived; 408.
        buffered_bytes: size of all bodies in memory; 429.
        requests: number in progress or waiting; 429.
        connections: number of open connections. A new one beyond it closes one that waits for its client.
        images: number of images in a batch; 413.
        threads: number of threads that detect and classify.
        decode: time and memory to decode one image; 422. Costly images are decoded one at a time, in a subprocess.
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
    """The request is refused, with an HTTP `status` and a message for the client."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Admission:
    """Enforces the `Limits` of one server."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.buffered: Counter[str] = collections.Counter()  # bytes by peer
        self.requests: Counter[str] = collections.Counter()  # by peer
        self.turns = Turns(limits.threads)
        self.threads = ThreadPoolExecutor(limits.threads)
        self.large = Turns(1)
        self.crowded = Turns(1)
        self.decoder = ThreadPoolExecutor(1)
        self.running = 0  # functions in threads

    @contextlib.asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytearray]:
        """Yield the body of the request. It counts towards the limits until the block ends.

        Raises:
            Refused: if it exceeds a limit.
        """
        self._check_size(_declared(request.headers))
        peer: str = request.scope["peer"]
        body = bytearray()
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

    def _check_size(self, size: int) -> None:
        if size > (most := self.limits.body_bytes):
            raise Refused(413, f"The body has {size:,} bytes. Expected at most {most:,}: make the image smaller.")

    @contextlib.asynccontextmanager
    async def _timeout(self) -> AsyncIterator[None]:
        seconds = self.limits.body_seconds
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as error:
            raise Refused(408, f"The body did not arrive within {seconds:g} seconds.") from error

    @contextlib.asynccontextmanager
    async def opened(self, request: Request, image: bytearray, fer: FER) -> AsyncIterator[bytearray | np.ndarray]:
        """Yield `image` itself, or its pixels if it had to be decoded in a subprocess: input for `FER.read`."""
        limits = self.limits.decode
        if not decoding.needs_subprocess(image, limits):
            yield image
            return
        async with self.large.turn(request.scope["peer"]):
            read = functools.partial(fer.read, image, limits=limits)
            yield await self._call(request, self.decoder, read)

    async def run(
        self, request: Request, function: Callable[[*Arguments], Result], *arguments: *Arguments
    ) -> Result:
        """Call `function` in one of the threads, when it is the peer's turn, and return its result."""
        async with self.turns.turn(request.scope["peer"]):
            return await self._call(request, self.threads, functools.partial(function, *arguments))

    async def search(self, request: Request, begin: Callable[[], Steps[Result]]) -> Result:
        """Do the steps that `begin()` returns, and return their result.

        If there are many, they are begun again when no other search of this kind is in progress, and done in turns
        with other requests. So there is only one such search in memory.
        """
        found = await self.run(request, lambda: advance(begin(), FIRST_STEPS))
        if found is None:
            async with self.crowded.turn(request.scope["peer"]):
                steps = begin()
                while found is None:
                    found = await self.run(request, advance, steps, TURN_STEPS)
        return found[0]

    async def _call(self, request: Request, threads: ThreadPoolExecutor, function: Callable[[], Result]) -> Result:
        if await request.is_disconnected():
            raise ClientDisconnect
        self.running += 1
        future = threads.submit(function)
        future.add_done_callback(self._ended)
        return await asyncio.wrap_future(future)

    def _ended(self, future: Future) -> None:
        self.running -= 1


def _declared(headers: Headers) -> int:
    """Return the declared length of the body, by which it can be refused unread."""
    if "content-length" not in headers:
        raise Refused(411, "Content-Length is missing: send the length of the body, not chunks.")
    return int(headers["content-length"])


def _take(counter: Counter[str], peer: str, amount: int, most: int) -> None:
    if counter.total() + amount > most or counter[peer] + amount > max(1, most // 2):
        raise Refused(429, "Too many requests at once. Try again in a second.")
    counter[peer] += amount


def _release(counter: Counter[str], peer: str, amount: int) -> None:
    counter[peer] -= amount
    if not counter[peer]:
        del counter[peer]

"""Turns for requests, shared fairly by those who send them."""

import asyncio
import collections
import contextlib
from collections.abc import AsyncIterator


class Turns:
    """A semaphore that goes round the peers that wait, so that none waits for all requests of another.

    Args:
        most: turns at a time.
    """

    def __init__(self, most: int) -> None:
        self.free = most
        self.waiting: dict[str, collections.deque[asyncio.Future[None]]] = {}  # peers in the order of their turns

    @contextlib.asynccontextmanager
    async def turn(self, peer: str) -> AsyncIterator[None]:
        """Wait for a turn; it lasts until the block ends. Requests of one peer get theirs in order."""
        if self.free:
            self.free -= 1
        else:
            await self._wait(peer)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, peer: str) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.setdefault(peer, collections.deque()).append(future)
        try:
            await future
        except asyncio.CancelledError:
            if not future.cancelled():  # the turn has come already
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self.waiting:
            peer = next(iter(self.waiting))
            queue = self.waiting.pop(peer)
            future = queue.popleft()
            if queue:
                self.waiting[peer] = queue  # behind the others
            if not future.done():
                future.set_result(None)
                return
        self.free += 1

"""HTTP/1.1 with timeouts and a connection limit. Plain uvicorn waits forever for a slow sender or reader."""

import asyncio
from collections.abc import Iterable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from fer_keras.server import peers
from fer_keras.server.limits import Limits

HEADER_BYTES = 16 << 10
HEADER_SECONDS = 10
BODY_SECONDS = 30  # more than `Limits.body_seconds`, so that the client gets an answer first
READER_SECONDS = 20


class BoundedProtocol(H11Protocol):
    """Closes connections beyond the limit, and those of clients that send or read too slowly.

    A new connection beyond the limit closes the one that has been idle for longest: of the same peer, if that has
    half of all connections, else of any peer. Connections of trusted proxies are not counted.
    """

    TIMEOUTS: dict[type, float] = {h11.IDLE: HEADER_SECONDS, h11.SEND_BODY: BODY_SECONDS}
    awaited: type | None = None  # h11's state of the client, for which `timer` runs
    since = 0.0  # start of that state
    timer: asyncio.TimerHandle | None = None
    reader_timer: asyncio.TimerHandle | None = None

    def __init__(
        self, *args: Any, limits: Limits | None = None, proxies: peers.Networks = (), **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self.limits = limits or Limits()
        self.proxies = proxies

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        self.is_proxy = peers.is_trusted(address, self.proxies)
        self.peer = peers.peer(address, "", ())
        self._expect(self.conn.their_state)
        if not self.is_proxy:
            self._make_room()

    def _make_room(self) -> None:
        most = self.limits.connections
        counted = [c for c in self._all() if not c.is_proxy and not c.transport.is_closing()]
        own = [c for c in counted if c.peer == self.peer]
        if len(own) > max(1, most // 2):
            self._close_one_of(own)
        elif len(counted) > most:
            self._close_one_of(counted)

    def _all(self) -> "Iterable[BoundedProtocol]":
        return self.connections  # type: ignore[return-value]  # uvicorn's type names every protocol of its own

    def _close_one_of(self, connections: "list[BoundedProtocol]") -> None:
        waiting = [c for c in connections if c is not self and c.awaited in c.TIMEOUTS]
        oldest = min(waiting, key=lambda c: (c.awaited is h11.SEND_BODY, c.since), default=self)
        oldest.transport.abort()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._expect(self.conn.their_state)

    def _expect(self, state: type) -> None:
        if state is self.awaited:  # its timer is running
            return
        _stop(self.timer)
        self.awaited, self.since = state, self.loop.time()
        seconds = self.TIMEOUTS.get(state)
        self.timer = self.loop.call_later(seconds, self.transport.abort) if seconds else None

    def send_400_response(self, msg: str) -> None:
        """Answer a malformed request. If an answer has begun already, close the connection."""
        if self.cycle is not None:
            self.cycle.disconnected = True  # sends nothing more
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.abort()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():  # it closes when the client has read all
            self._watch_reader()
        else:
            self._expect(self.conn.their_state)

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._watch_reader()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        super().resume_writing()
        _stop(self.reader_timer)
        self.reader_timer = None

    def _watch_reader(self) -> None:
        if self.reader_timer is None:
            self.reader_timer = self.loop.call_later(READER_SECONDS, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        _stop(self.timer)
        _stop(self.reader_timer)
        super().connection_lost(exc)


def _stop(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()

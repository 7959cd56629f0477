"""HTTP/1.1 with timeouts and a limit of connections. uvicorn alone waits forever for a slow sender or reader."""

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from fer_keras.server import peers
from fer_keras.server.limits import Limits

HEADER_BYTES = 16 << 10
HEADER_SECONDS = 10
BODY_SECONDS = 30  # more than `Limits.body_seconds`, so that an answer comes before the connection is closed
READER_SECONDS = 20


class BoundedProtocol(H11Protocol):
    """Closes connections that are too many, that do not finish their request, or that do not read the answer.

    A new connection takes the place of the one that has been idle for longest: one of its own peer, if that has
    half of all connections, else one of anybody. Connections of trusted proxies are not counted.
    """

    TIMEOUTS = {h11.IDLE: HEADER_SECONDS, h11.SEND_BODY: BODY_SECONDS}
    awaited = None  # h11's state of the client that the timer runs for
    since = 0.0  # when it began
    timer = reader_timer = None

    def __init__(self, *args, limits=None, proxies=(), **options):
        super().__init__(*args, **options)
        self.limits = limits or Limits()
        self.proxies = proxies

    def connection_made(self, transport):
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        self.is_proxy = peers.is_trusted(address, self.proxies)
        self.peer = peers.peer(address, "", ())
        self._expect(self.conn.their_state)
        if not self.is_proxy:
            self._make_room()

    def _make_room(self):
        most = self.limits.connections
        counted = [c for c in self.connections if not c.is_proxy and not c.transport.is_closing()]
        own = [c for c in counted if c.peer == self.peer]
        if len(own) > max(1, most // 2):
            self._close_one_of(own)
        elif len(counted) > most:
            self._close_one_of(counted)

    def _close_one_of(self, connections):
        waiting = [c for c in connections if c is not self and c.awaited in c.TIMEOUTS]
        oldest = min(waiting, key=lambda c: (c.awaited is h11.SEND_BODY, c.since), default=self)
        oldest.transport.abort()

    def data_received(self, data):
        super().data_received(data)
        self._expect(self.conn.their_state)

    def _expect(self, state):
        if state is self.awaited:  # the timer has run since this state began
            return
        _stop(self.timer)
        self.awaited, self.since = state, self.loop.time()
        seconds = self.TIMEOUTS.get(state)
        self.timer = self.loop.call_later(seconds, self.transport.abort) if seconds else None

    def send_400_response(self, msg):
        """Answer a malformed request, unless its body is malformed and an answer to its head has begun."""
        if self.cycle is not None:
            self.cycle.disconnected = True  # nothing more is sent for it
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.abort()

    def on_response_complete(self):
        super().on_response_complete()
        if self.transport.is_closing():  # which waits until all is read
            self._watch_reader()
        else:
            self._expect(self.conn.their_state)

    def timeout_keep_alive_handler(self):
        super().timeout_keep_alive_handler()
        self._watch_reader()

    def pause_writing(self):
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self):
        super().resume_writing()
        _stop(self.reader_timer)
        self.reader_timer = None

    def _watch_reader(self):
        if self.reader_timer is None:
            self.reader_timer = self.loop.call_later(READER_SECONDS, self.transport.abort)

    def connection_lost(self, exc):
        _stop(self.timer)
        _stop(self.reader_timer)
        super().connection_lost(exc)


def _stop(timer):
    if timer is not None:
        timer.cancel()

"""HTTP/1.1 with bounded patience: uvicorn alone waits for ever for the rest of a request and for a slow reader."""

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

CONNECTIONS = 256
HEADER_BYTES = 16 << 10
HEADER_SECONDS = 10
BODY_SECONDS = 30  # more than `Limits.body_seconds`, so that an answer comes before the connection is cut
READER_SECONDS = 20


class BoundedProtocol(H11Protocol):
    """Cuts connections that are too many, that do not finish their request, or that do not read the answer."""

    PATIENCE = {h11.IDLE: HEADER_SECONDS, h11.SEND_BODY: BODY_SECONDS}
    awaited = None  # h11's state of the client that the clock runs for
    clock = reader_clock = None

    def connection_made(self, transport):
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            transport.abort()
        else:
            self.expect(self.conn.their_state)

    def data_received(self, data):
        super().data_received(data)
        self.expect(self.conn.their_state)

    def expect(self, state):
        if state is self.awaited:  # the clock has run since this state began
            return
        stop(self.clock)
        self.awaited = state
        seconds = self.PATIENCE.get(state)
        self.clock = self.loop.call_later(seconds, self.transport.abort) if seconds else None

    def on_response_complete(self):
        super().on_response_complete()
        if self.transport.is_closing():  # which waits until all is read
            self.watch_reader()

    def timeout_keep_alive_handler(self):
        super().timeout_keep_alive_handler()
        self.watch_reader()

    def pause_writing(self):
        super().pause_writing()
        self.watch_reader()

    def resume_writing(self):
        super().resume_writing()
        stop(self.reader_clock)
        self.reader_clock = None

    def watch_reader(self):
        if self.reader_clock is None:
            self.reader_clock = self.loop.call_later(READER_SECONDS, self.transport.abort)

    def connection_lost(self, exc):
        stop(self.clock)
        stop(self.reader_clock)
        super().connection_lost(exc)


def stop(clock):
    if clock is not None:
        clock.cancel()

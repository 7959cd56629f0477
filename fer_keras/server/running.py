"""The server process: listening, start and shutdown."""

import functools
import logging
import os
import signal
import socket
import warnings
from collections.abc import Iterable
from types import FrameType

import numpy as np
import uvicorn
from fastapi import FastAPI

from fer_keras.core.errors import InputError
from fer_keras.recognition.boxes import Box
from fer_keras.recognition.fer import FER, Found
from fer_keras.server import peers
from fer_keras.server.app import create_app
from fer_keras.server.limits import Limits
from fer_keras.server.protocol import HEADER_BYTES, BoundedProtocol

LOG = logging.getLogger("fer_keras")
STOP_SECONDS = 8  # from the first signal to the end of requests in progress


class Server(uvicorn.Server):
    """Stops gracefully at the first signal; a second one ends the process at once."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            os._exit(128 + sig)
        self.should_exit = True


def serve(
    fer: FER,
    host: str = "127.0.0.1",
    port: int = 8000,
    limits: Limits | None = None,
    trusted_proxies: Iterable[str] = (),
) -> None:
    """Serve until SIGINT or SIGTERM. Requests in progress are still answered, for up to `STOP_SECONDS`.

    If a computation runs longer than that, the whole process ends, with code 0.

    Args:
        fer: analyzes the images; its `max_pixels` limits their size.
        host: host name or address to listen on. Unless it is a loopback one, other computers can send requests.
        port: 0 for a free one.
        limits: default `Limits()`.
        trusted_proxies: addresses or networks of proxies, whose X-Forwarded-For and X-Forwarded-Host are used.

    Raises:
        InputError: if the server cannot listen on host and port.
    """
    proxies = peers.networks(trusted_proxies)
    alone = peers.is_loopback(host)
    listener = listen(host, port)
    app = create_app(fer, limits, host=host.strip("[]").lower() if alone else None, proxies=proxies)
    server = new_server(app, limits, proxies)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, server.handle_exit)
    fer.classify([Found(Box(0, 0, 48, 48, None), np.zeros((48, 48, 1), np.uint8))])  # the first call is slow
    name = host.strip("[]")
    name = f"[{name}]" if ":" in name else name
    url = f"http://{name}:{listener.getsockname()[1]}"
    LOG.info("Serving on %s, stop with Ctrl-C.", url, extra={"values": {"url": url}})
    if not alone:
        LOG.warning("Anyone who reaches this address can send images. Browsers allow cameras on https pages only.")
    warnings.filterwarnings("ignore", module="PIL")  # about odd images; they would log paths of this machine
    server.run(sockets=[listener])
    LOG.info("Stopped.")
    if app.state.admission.running:
        os._exit(0)  # a normal exit would wait for the threads


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on the first address of `host`, preferably IPv4.

    Raises:
        InputError: if it cannot.
    """
    address = min(peers.resolve(host), key=lambda address: ":" in address)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.create_server((address, port), family=family)
    except OSError as error:
        raise InputError(
            f"Cannot listen on {host}, port {port}: {os.strerror(error.errno or 0)}. Try another --port."
        ) from error


def new_server(app: FastAPI, limits: Limits | None = None, proxies: peers.Networks = ()) -> Server:
    """Return the `Server` of `app`, which sends no headers about itself and leaves logging to the middleware."""
    protocol = functools.partial(BoundedProtocol, limits=limits or Limits(), proxies=proxies)
    return Server(
        uvicorn.Config(
            app,
            http=protocol,  # type: ignore[arg-type]  # uvicorn calls it, so it need not be a class
            ws="none",
            h11_max_incomplete_event_size=HEADER_BYTES,
            timeout_graceful_shutdown=STOP_SECONDS,
            proxy_headers=False,
            server_header=False,
            access_log=False,
            log_config=None,
            log_level="critical",
        )
    )

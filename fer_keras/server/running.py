"""The server as a process: its socket, its start, its end."""

import functools
import logging
import os
import signal
import socket
import warnings

import numpy as np
import uvicorn

from fer_keras.core.errors import InputError
from fer_keras.recognition.detection import Box
from fer_keras.recognition.fer import Found
from fer_keras.server import peers
from fer_keras.server.app import create_app
from fer_keras.server.limits import Limits
from fer_keras.server.protocol import HEADER_BYTES, BoundedProtocol

LOG = logging.getLogger("fer_keras")
STOP_SECONDS = 8  # for the answers in work when the server is to stop


class Server(uvicorn.Server):
    """Stops at the first signal, when its answers are sent; ends the process at once at the second."""

    def handle_exit(self, sig, frame):
        if self.should_exit:
            os._exit(128 + sig)
        self.should_exit = True


def serve(fer, host="127.0.0.1", port=8000, limits=None, trusted_proxies=()):
    """Answer until SIGINT or SIGTERM. Requests in work then are still answered, for `STOP_SECONDS`.

    Ends the process, with code 0, if a computation goes on after that.

    Args:
        fer: `FER`.
        host: name or address. Unless it is this computer's own (loopback), others may send requests.
        port: 0 for a free one.
        limits: `Limits`.
        trusted_proxies: addresses or networks of proxies, whose X-Forwarded-For and X-Forwarded-Host are used.

    Raises:
        InputError: if the address cannot be used.
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
    LOG.info("Serving on %s, Ctrl-C ends it.", url, extra={"values": {"url": url}})
    if not alone:
        LOG.warning("Whoever reaches this address may send images. Browsers give cameras to https pages only.")
    warnings.filterwarnings("ignore", module="PIL")  # of odd pictures, each time with the path of its source
    server.run(sockets=[listener])
    LOG.info("Stopped.")
    if app.state.admission.running:
        os._exit(0)  # the interpreter would wait for the threads


def listen(host, port):
    """Return a socket that listens on the first address of `host`, IPv4 if there is one."""
    address = min(peers.resolve(host), key=lambda address: ":" in address)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.create_server((address, port), family=family)
    except OSError as error:
        raise InputError(
            f"{host}, port {port} cannot be used: {os.strerror(error.errno)}. Try another --port."
        ) from error


def new_server(app, limits=None, proxies=()):
    """Return the `Server` of `app`. It sends no headers about itself, and leaves logging to the middleware."""
    protocol = functools.partial(BoundedProtocol, limits=limits or Limits(), proxies=proxies)
    return Server(
        uvicorn.Config(
            app,
            http=protocol,
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

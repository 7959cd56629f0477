"""The server as a process: its socket, its patience, its end."""

import logging
import signal
import socket
import warnings

import numpy as np
import uvicorn

from fer_keras.backend import allocator
from fer_keras.core.errors import InputError
from fer_keras.recognition.detection import Box
from fer_keras.recognition.fer import Found
from fer_keras.server.app import create_app
from fer_keras.server.middleware import LOOPBACK
from fer_keras.server.protocol import HEADER_BYTES, BoundedProtocol

LOG = logging.getLogger("fer_keras")
SMALL_BLOCK = 2**23  # bytes; Pillow decodes large pictures into blocks of twice as much
STOP_SECONDS = 10  # that answers in work have when the server is told to stop


def serve(fer, host="127.0.0.1", port=8000, limits=None):
    """Answer until SIGINT or SIGTERM; what is being answered then is still answered.

    Args:
        fer: `FER`.
        host: name or address; other than this computer's own, whoever reaches it may ask.
        port: 0 for a free one.
        limits: `Limits`.

    Raises:
        InputError: if the address cannot be had.
    """
    listener = listen(host, port)
    alone = host in LOOPBACK
    server = new_server(create_app(fer, limits, hosts=LOOPBACK if alone else None))
    allocator.keep_freed(SMALL_BLOCK)  # else each thread keeps what the largest picture took that it ever met
    fer.classify([Found(Box(0, 0, 48, 48, None), np.zeros((48, 48, 1), np.uint8))])  # the first call is slow
    name = f"[{host}]" if ":" in host else host
    url = f"http://{name}:{listener.getsockname()[1]}"
    LOG.info("Serving on %s, Ctrl-C ends it.", url, extra={"values": {"url": url}})
    if not alone:
        LOG.warning("Whoever reaches this address may send images. Browsers give cameras to https pages only.")
    warnings.filterwarnings("ignore", module="PIL")  # of odd pictures, each time with the path of its source
    for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn sends them once more after it has stopped
        signal.signal(number, lambda *_: None)
    server.run(sockets=[listener])
    LOG.info("Stopped.")


def listen(host, port):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise InputError(f"{host}, port {port} cannot be had: {error.strerror}. Try another --port.") from error


def new_server(app):
    """Return the uvicorn server of `app`: trusts no proxy's headers, tells nothing of itself, logs faults only."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=BoundedProtocol,
            ws="none",
            h11_max_incomplete_event_size=HEADER_BYTES,
            timeout_graceful_shutdown=STOP_SECONDS,
            proxy_headers=False,
            server_header=False,
            access_log=False,
            log_config=None,
            log_level="error",
        )
    )

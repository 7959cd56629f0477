"""The command that serves a web page and an API."""

from typing import Any

import click

from fer_keras.cli.options import fer_options, max_pixels_option, open_fer
from fer_keras.core.errors import InputError


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 for a free one.")
@click.option(
    "--trusted-proxy",
    "proxies",
    multiple=True,
    metavar="ADDRESS",
    help="Take the client's address from X-Forwarded-For of this proxy (address or network; may be repeated).",
)
@fer_options
@max_pixels_option(20_000_000)
def serve(host: str, port: int, proxies: tuple[str, ...], **fer_settings: Any) -> None:
    """Serve a web page (upload, camera) and a JSON API until Ctrl-C. Images are never stored.

    \b
    fer-keras serve
    fer-keras serve --port 8080 --engine onnx
    fer-keras serve --host 0.0.0.0 --trusted-proxy 10.0.0.2
    """
    from fer_keras.backend import allocator

    allocator.keep_freed(allocator.SMALL_BLOCK)
    try:
        from fer_keras import server
        from fer_keras.recognition import decoding
    except ImportError as error:
        raise InputError(f"Serving needs {error.name}: pip install 'fer-keras[serve]'.") from error
    fer = open_fer(**fer_settings)
    limits = server.Limits(decode=decoding.uploads(fer.max_pixels))
    server.serve(fer, host, port, limits, trusted_proxies=proxies)

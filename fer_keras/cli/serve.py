"""The command that answers on a web page and to programs."""

import click

from fer_keras.cli.options import class_order_option, detector_option, engine_option, min_face_option, model_option
from fer_keras.core.errors import InputError


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to answer on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 for a free one.")
@model_option
@class_order_option
@engine_option
@detector_option
@min_face_option
def serve(host, port, model, class_order, engine, detector, min_face):
    """Answer on a web page (upload, camera) and to programs (JSON), until Ctrl-C. Images are never stored.

    \b
    fer-keras serve
    fer-keras serve --port 8080 --engine onnx
    """
    try:
        from fer_keras import server
    except ImportError as error:
        raise InputError(f"Serving needs {error.name}: pip install 'fer-keras[serve]'.") from error
    from fer_keras.cli.predict import recognizer

    server.serve(recognizer(model, class_order, engine, detector, min_face, server.MAX_PIXELS), host, port)

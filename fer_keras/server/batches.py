"""Many images in one request: multipart/form-data, kept in memory."""

import logging

from python_multipart.exceptions import FormParserError
from starlette.formparsers import MultiPartException, MultiPartParser

from fer_keras.server.limits import Refused

logging.getLogger("python_multipart").setLevel(logging.ERROR)  # its warnings tell bytes of the body


class MemoryParser(MultiPartParser):
    """Starlette's parser writes files above 1 MB to the disk; images are never stored, so this one does not."""

    spool_max_size = 1 << 40  # the body is in memory already, and limited


async def images(headers, body, most):
    """Return (name, bytes) of each file in the multipart `body`.

    Raises:
        Refused: if it is no multipart/form-data, malformed, has no file, or more than `most`.
    """
    if not headers.get("content-type", "").startswith("multipart/form-data"):
        raise Refused(415, "Expected multipart/form-data with a file for each image.")

    async def stream():
        yield body

    try:
        # One more file than allowed, so that it is told apart from what is malformed.
        form = await MemoryParser(headers, stream(), max_files=most + 1, max_fields=most).parse()
    except (MultiPartException, FormParserError) as error:
        raise Refused(400, "The multipart body is malformed, or its parts are too many.") from error
    try:
        files = [value for _, value in form.multi_items() if not isinstance(value, str)]
        if len(files) > most:
            raise Refused(413, f"A batch has at most {most} images: send the rest in another.")
        if not files:
            raise Refused(422, "The multipart body has no file. Expected one for each image.")
        return [(file.filename or "", await file.read()) for file in files]
    finally:
        await form.close()

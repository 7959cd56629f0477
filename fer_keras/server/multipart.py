"""Files in a multipart/form-data body (RFC 7578). They stay in memory: Starlette's form parser uses the disk."""

import logging

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from fer_keras.server.limits import Refused

logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # it logs what clients sent
LONGEST_BOUNDARY = 70  # characters, by RFC 2046
HEADER_BYTES = 4096
EXAMPLE = "For example: curl -F images=@a.jpg -F images=@b.jpg URL/api/batch"


def files(content_type, body, most):
    """Return (name, bytes) of each file in `body`; fields that are not files are skipped.

    Args:
        content_type: `str`, the request's.
        body: `bytearray`.
        most: number of parts.

    Raises:
        Refused: if it is not multipart/form-data, malformed, cut short, without a file, or of too many parts.
    """
    parts = _Parts(most)
    parser = MultipartParser(
        _boundary(content_type), parts.callbacks(), max_header_count=16, max_header_size=HEADER_BYTES
    )
    try:
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise Refused(400, "The multipart body is malformed.") from error
    if not parts.complete:
        raise Refused(400, "The multipart body has no end: it is malformed or cut short.")
    if not parts.files:
        raise Refused(422, f"The multipart body has no file. Send one for each image. {EXAMPLE}")
    return parts.files


def _boundary(content_type):
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        raise Refused(415, f"Expected multipart/form-data with a file for each image. {EXAMPLE}")
    boundary = options.get(b"boundary", b"")
    if not 0 < len(boundary) <= LONGEST_BOUNDARY:
        raise Refused(400, f"Content-Type must name a boundary of 1 to {LONGEST_BOUNDARY} characters.")
    return boundary


class _Parts:
    """Collects what the parser finds."""

    def __init__(self, most):
        self.most = most
        self.count = 0
        self.complete = False
        self.files = []
        self.name = self.content = self.field = self.value = None

    def callbacks(self):
        names = ("part_begin", "header_field", "header_value", "header_end", "part_data", "part_end", "end")
        return {f"on_{name}": getattr(self, name) for name in names}

    def part_begin(self):
        self.count += 1
        if self.count > self.most:
            raise Refused(413, f"A batch has at most {self.most} images: send the rest in another.")
        self.name, self.content = None, bytearray()
        self.field, self.value = bytearray(), bytearray()

    def header_field(self, data, start, end):
        self.field += data[start:end]

    def header_value(self, data, start, end):
        self.value += data[start:end]

    def header_end(self):
        if self.field.lower() == b"content-disposition":
            _, options = parse_options_header(self.value.decode("latin-1"))
            if b"filename" in options:
                self.name = options[b"filename"].decode("utf-8", "replace")
        self.field, self.value = bytearray(), bytearray()

    def part_data(self, data, start, end):
        self.content += data[start:end]

    def part_end(self):
        if self.name is not None:
            self.files.append((self.name, self.content))

    def end(self):
        self.complete = True

"""Files of a multipart/form-data body (RFC 7578), kept in memory: Starlette's form parser writes to the disk."""

import logging
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from fer_keras.server.limits import Refused

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # it logs content of requests
LONGEST_BOUNDARY = 70  # characters, by RFC 2046
HEADER_BYTES = 4096
EXAMPLE = "For example: curl -F images=@a.jpg -F images=@b.jpg URL/api/batch"


def files(content_type: str, body: bytearray, most: int) -> list[tuple[str, bytearray]]:
    """Return (name, content) of each file in `body`; fields that are not files are skipped.

    Args:
        content_type: of the request.
        body: of the request.
        most: largest number of parts.

    Raises:
        Refused: if the body is not multipart/form-data, is malformed or cut short, or has no file or too many
            parts.
    """
    parts = _Parts(most)
    parser = MultipartParser(
        _boundary(content_type), parts.callbacks(), max_header_count=16, max_header_size=HEADER_BYTES
    )
    try:
        parser.write(body)  # type: ignore[arg-type]  # a copy to bytes would double the memory
        parser.finalize()
    except FormParserError as error:
        raise Refused(400, "The multipart body is malformed.") from error
    if not parts.complete:
        raise Refused(400, "The multipart body is malformed or cut short: its end is missing.")
    if not parts.files:
        raise Refused(422, f"The multipart body has no file. Send one for each image. {EXAMPLE}")
    return parts.files


def _boundary(content_type: str) -> bytes:
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        raise Refused(415, f"Expected multipart/form-data with a file for each image. {EXAMPLE}")
    boundary = options.get(b"boundary", b"")
    if not 0 < len(boundary) <= LONGEST_BOUNDARY:
        raise Refused(400, f"Content-Type must name a boundary of 1 to {LONGEST_BOUNDARY} characters.")
    return boundary


class _Parts:
    """Collects the files that the parser finds."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.count = 0
        self.complete = False
        self.files: list[tuple[str, bytearray]] = []
        self.name: str | None = None
        self.content, self.field, self.value = bytearray(), bytearray(), bytearray()

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self.part_begin,
            "on_header_field": self.header_field,
            "on_header_value": self.header_value,
            "on_header_end": self.header_end,
            "on_part_data": self.part_data,
            "on_part_end": self.part_end,
            "on_end": self.end,
        }

    def part_begin(self) -> None:
        self.count += 1
        if self.count > self.most:
            raise Refused(413, f"A batch has at most {self.most} images. Send the rest in another one.")
        self.name, self.content = None, bytearray()
        self.field, self.value = bytearray(), bytearray()

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self.field += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self.value += data[start:end]

    def header_end(self) -> None:
        if self.field.lower() == b"content-disposition":
            _, options = parse_options_header(self.value.decode("latin-1"))
            if b"filename" in options:
                self.name = options[b"filename"].decode("utf-8", "replace")
        self.field, self.value = bytearray(), bytearray()

    def part_data(self, data: bytes, start: int, end: int) -> None:
        self.content += data[start:end]

    def part_end(self) -> None:
        if self.name is not None:
            self.files.append((self.name, self.content))

    def end(self) -> None:
        self.complete = True

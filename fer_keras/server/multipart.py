"""Files in a multipart/form-data body (RFC 7578), in memory: Starlette's parser writes large ones to the disk."""

from email import message_from_string
from email.message import Message

from fer_keras.server.limits import Refused

LONGEST_BOUNDARY = 70  # characters, by RFC 2046
HEADER_BYTES = 4096  # of one part


def files(content_type, body, most):
    """Return (name, bytes) of each file in `body`; fields that are no files are passed over.

    Args:
        content_type: `str`, the request's.
        body: `bytearray`.
        most: number of parts.

    Raises:
        Refused: if it is no multipart/form-data, malformed, cut short, without a file, or of too many parts.
    """
    delimiter = b"\r\n--" + boundary(content_type)
    _, *parts = (b"\r\n" + body).split(delimiter, most + 2)
    if len(parts) > most + 1:
        raise Refused(413, f"A batch has at most {most} images: send the rest in another.")
    if not parts or not parts.pop().startswith(b"--"):
        raise Refused(400, "The multipart body has no end: it is malformed or cut short.")
    named = [split(part) for part in parts]
    found = [(name, content) for name, content in named if name is not None]
    if not found:
        raise Refused(422, "The multipart body has no file. Expected one for each image.")
    return found


def boundary(content_type):
    header = Message()
    header["content-type"] = content_type
    if header.get_content_type() != "multipart/form-data":
        raise Refused(415, "Expected multipart/form-data with a file for each image.")
    text = header.get_boundary("")
    if not 0 < len(text) <= LONGEST_BOUNDARY:
        raise Refused(400, f"Content-Type must name a boundary of 1 to {LONGEST_BOUNDARY} characters.")
    return text.encode("utf-8", "replace")


def split(part):
    """Return the file's name, None if it is no file, and the content of one part."""
    end = part.find(b"\r\n\r\n", 0, HEADER_BYTES)
    if end < 0 or part[:end].split(b"\r\n", 1)[0].strip(b" \t"):  # nothing but blanks after a delimiter
        raise Refused(400, "The multipart body is malformed: a part has no headers, or too long ones.")
    header = message_from_string(part[:end].decode("utf-8", "replace").strip())
    if header.get_content_disposition() != "form-data":
        raise Refused(400, "The multipart body is malformed: a part is no form-data.")
    return header.get_filename(), part[end + 4 :]

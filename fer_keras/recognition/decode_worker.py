"""An encoded image to upright RGB pixels, with Pillow alone.

`fer_keras.recognition.decoding` imports this module, and runs it as a program in a process that it can kill. The
program starts fast because it imports neither NumPy nor most of the package.
"""

import contextlib
import importlib
import io
import os
import struct
import sys
from typing import IO, NamedTuple

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from fer_keras.core.image_bits import believable, fills_sixteen, has_deep_colors, header_bits

# Outcome; width and height of the pixels, or 0 and the bytes of a text; `Depth`, or zeros.
ANSWER = struct.Struct("<cIIB?")
READY, PIXELS, TOO_LARGE, UNKNOWN, NO_MEMORY, UNFIT, DAMAGED = b"r", b"p", b"l", b"u", b"m", b"f", b"d"
ROWS = 256  # that are written at once
NICE = 5  # priority: small images, which the waiting process decodes itself, go first


class TooLargeError(Exception):
    """The image has more pixels than allowed; `args` are its width and height."""


class UnfitError(Exception):
    """The image is whole, but its kind is not read; the message continues after the image's name."""


class Depth(NamedTuple):
    """The bit depth at which an image of more than 8 bits was read, and whether it is from the header."""

    bits: int
    by_header: bool


def decode(
    file: IO[bytes], kind: str, max_pixels: int, bit_depth: int | None = None
) -> tuple[Image.Image, Depth | None]:
    """Return what `upright` returns of the image in a binary file.

    Args:
        file: binary file.
        kind: Pillow's name of the format; no other one is tried.
        max_pixels: larger images are not decoded.
        bit_depth: see `upright`.

    Raises:
        TooLargeError: if it is larger.
        UnidentifiedImageError: if it is not of this format.
        UnfitError: as `upright`, or if reading HEIC is not installed.
        Exception: whatever else Pillow raises for a damaged file.
    """
    if kind == "HEIF":
        register_heif()
    image = Image.open(file, formats=[kind])
    width, height = image.size
    if width * height > max_pixels:
        raise TooLargeError(width, height)
    return upright(image, bit_depth)


def register_heif() -> None:
    try:
        import pillow_heif
    except ImportError as error:
        raise UnfitError("is HEIC, which needs pip install 'fer-keras[heic]'") from error
    pillow_heif.register_heif_opener()


def upright(image: Image.Image, bit_depth: int | None = None) -> tuple[Image.Image, Depth | None]:
    """Return an image of mode RGB, turned as its EXIF says, over white, 16 bits cut to 8; and its `Depth`.

    Args:
        image: PIL image.
        bit_depth: of the values of an image of more than 8 bits. Default: that of its header, else the smallest of
            8, 10, 12, 14 and 16 that holds its largest value.

    Returns:
        `(image, depth)`; None for the depth if the image has 8 bits or `bit_depth` is given.

    Raises:
        UnfitError: if its values are floating-point, have more than 16 bits, or are colors that do not fill 16.
    """
    bits, has_deep = header_bits(image), has_deep_colors(image)
    depth = None
    if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:  # else it would be copied for nothing
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        image, depth = eight_bits(image, bit_depth, bits)
    if image.mode == "F":
        raise UnfitError("has floating-point values, whose range is unknown. Expected 8 to 16 bits")
    if image.has_transparency_data:
        transparent = image if image.mode == "RGBA" else image.convert("RGBA")
        image = Image.new("RGB", image.size, "white")
        image.paste(transparent, mask=transparent)
    image = image if image.mode == "RGB" else image.convert("RGB")
    if has_deep and not (fills_sixteen(bits, brightest(image)) if bit_depth is None else bit_depth == 16):
        raise UnfitError("has colors of 16 bits whose values fill fewer. Convert it to 8 bits or to grey")
    return image, depth


def brightest(image: Image.Image) -> int:
    """Return the largest value in an image of mode RGB."""
    return max(image.getextrema()[band][1] for band in range(3))  # type: ignore[index]


def eight_bits(image: Image.Image, given: int | None, by_header: int | None) -> tuple[Image.Image, Depth | None]:
    """Return a PIL image of integers in mode L, and its `Depth`, see `upright`."""
    image = image.convert("I")
    low, high = map(int, image.getextrema())  # type: ignore[arg-type]  # of one band
    if low < 0 or high > 65535:
        raise UnfitError(f"has values {low} to {high}. Expected 8 to 16 bits")
    by_header = believable(by_header, high)
    bits = given or by_header or max(8, high.bit_length() + high.bit_length() % 2)
    reduced = image.point(lambda value: value * (1 / 2 ** max(bits - 8, 0))).convert("L")
    return reduced, None if given else Depth(bits, by_header is not None)


def main(kind: str, max_pixels: str, seconds: str, memory_bytes: str, bit_depth: str) -> None:
    """Decode standard input to standard output: `ANSWER` READY, then `ANSWER` and the rows or a text."""
    limit(int(seconds), int(memory_bytes))
    Image.MAX_IMAGE_PIXELS = None  # `max_pixels` is the limit
    importlib.import_module(f"PIL.{PLUGINS.get(kind, 'Image')}")
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    sink.write(ANSWER.pack(READY, 0, 0, 0, False))
    sink.flush()
    try:
        image, depth = decode(io.BytesIO(source.read()), kind, int(max_pixels), int(bit_depth) or None)
    except TooLargeError as error:
        sink.write(ANSWER.pack(TOO_LARGE, *error.args, 0, False))
    except UnidentifiedImageError:
        sink.write(ANSWER.pack(UNKNOWN, 0, 0, 0, False))
    except MemoryError:
        sink.write(ANSWER.pack(NO_MEMORY, 0, 0, 0, False))
    except Exception as error:  # as varied as damaged files are
        outcome = UNFIT if isinstance(error, UnfitError) else DAMAGED
        text = (str(error) or type(error).__name__).encode(errors="replace")[:500]
        sink.write(ANSWER.pack(outcome, 0, len(text), 0, False) + text)
    else:
        sink.write(ANSWER.pack(PIXELS, *image.size, *(depth or (0, False))))
        for top in range(0, image.height, ROWS):
            sink.write(image.crop((0, top, image.width, min(top + ROWS, image.height))).tobytes())
    sink.flush()


def limit(seconds: int, memory_bytes: int) -> None:
    """Limit this process: less priority, `seconds` of processor time and `memory_bytes` from here on."""
    with contextlib.suppress(AttributeError, OSError):  # Windows has no nice
        os.nice(NICE)
    try:
        import resource
    except ImportError:  # Windows
        return
    used = 0
    with contextlib.suppress(OSError), open("/proc/self/statm") as statm:
        used = int(statm.read().split()[0]) * resource.getpagesize()
    for kind, amount in ((resource.RLIMIT_CPU, seconds + 1), (resource.RLIMIT_AS, used + memory_bytes)):
        with contextlib.suppress(ValueError, OSError):  # macOS knows RLIMIT_AS and does not take it
            resource.setrlimit(kind, (amount, amount))


PLUGINS = {
    "AVIF": "AvifImagePlugin",
    "BMP": "BmpImagePlugin",
    "GIF": "GifImagePlugin",
    "JPEG": "JpegImagePlugin",
    "PNG": "PngImagePlugin",
    "PPM": "PpmImagePlugin",
    "TIFF": "TiffImagePlugin",
    "WEBP": "WebPImagePlugin",
}

if __name__ == "__main__":
    main(*sys.argv[1:])

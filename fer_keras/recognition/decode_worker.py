"""An encoded image to upright RGB pixels, with Pillow alone.

`fer_keras.recognition.decoding` imports this module, and runs it as a program in a process that it can kill. The
program starts fast because it imports neither NumPy nor the rest of the package.
"""

import contextlib
import importlib
import io
import os
import struct
import sys

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

ANSWER = struct.Struct("<cII")  # outcome, then width and height of the pixels, or 0 and the bytes of a text
READY, PIXELS, TOO_LARGE, UNKNOWN, NO_MEMORY, DAMAGED = b"r", b"p", b"l", b"u", b"m", b"d"
ROWS = 256  # that are written at once
NICE = 5  # small images, which the waiting process decodes itself, go first


class TooLargeError(Exception):
    """The image has more pixels than allowed; `args` are its width and height."""


def decode(file, kind, max_pixels, header_bits=None):
    """Return the image in the binary `file` as an upright PIL image of mode RGB.

    Args:
        file: binary file.
        kind: Pillow's name of the format; no other one is tried.
        max_pixels: larger images are not decoded.
        header_bits: function of the opened image, see `upright`.

    Raises:
        TooLargeError: if it is larger.
        UnidentifiedImageError: if it is not of this format.
        Exception: whatever else Pillow raises for a damaged file.
    """
    if kind == "HEIF":
        register_heif()
    image = Image.open(file, formats=[kind])
    width, height = image.size
    if width * height > max_pixels:
        raise TooLargeError(width, height)
    return upright(image, header_bits)


def register_heif():
    try:
        import pillow_heif
    except ImportError as error:
        raise ValueError("HEIC needs pip install 'fer-keras[heic]'") from error
    pillow_heif.register_heif_opener()


def upright(image, header_bits=None):
    """Return a PIL image of mode RGB: turned as its EXIF says, over white, 16 bits cut to 8.

    Args:
        image: PIL image.
        header_bits: function that returns the bits of each value as an image's header gives them, or None. Then
            they are the fewest that hold its largest value: 8, 10, 12, 14 or 16.

    Raises:
        ValueError: if its values are floating-point or have more than 16 bits.
    """
    bits = header_bits(image) if header_bits and image.mode.startswith("I") else None
    if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:  # else it would be copied for nothing
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        image = eight_bits(image, bits)
    if image.mode == "F":
        raise ValueError("it has floating-point values, whose range is unknown; 8 or 16 bits are expected")
    if image.has_transparency_data:
        transparent = image if image.mode == "RGBA" else image.convert("RGBA")
        image = Image.new("RGB", image.size, "white")
        image.paste(transparent, mask=transparent)
    return image if image.mode == "RGB" else image.convert("RGB")


def eight_bits(image, bits=None):
    """Return a PIL image of integers in mode L: the upper 8 of `bits`, by default of the fewest that fit."""
    image = image.convert("I")
    low, high = image.getextrema()
    if low < 0 or high > 65535:
        raise ValueError(f"it has values {low} to {high}; 8 or 16 bits are expected")
    bits = bits or max(8, high.bit_length() + high.bit_length() % 2)
    return image.point(lambda value: value * (1 / 2 ** (bits - 8))).convert("L")


def main(kind, max_pixels, seconds, memory_bytes):
    """Decode standard input to standard output: `ANSWER` READY, then `ANSWER` and the rows or a text."""
    limit(int(seconds), int(memory_bytes))
    Image.MAX_IMAGE_PIXELS = None  # `max_pixels` is the limit
    importlib.import_module(f"PIL.{PLUGINS.get(kind, 'Image')}")
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    sink.write(ANSWER.pack(READY, 0, 0))
    sink.flush()
    try:
        image = decode(io.BytesIO(source.read()), kind, int(max_pixels))
    except TooLargeError as error:
        sink.write(ANSWER.pack(TOO_LARGE, *error.args))
    except UnidentifiedImageError:
        sink.write(ANSWER.pack(UNKNOWN, 0, 0))
    except MemoryError:
        sink.write(ANSWER.pack(NO_MEMORY, 0, 0))
    except Exception as error:  # as varied as damaged files are
        text = (str(error) or type(error).__name__).encode(errors="replace")[:500]
        sink.write(ANSWER.pack(DAMAGED, 0, len(text)) + text)
    else:
        sink.write(ANSWER.pack(PIXELS, *image.size))
        for top in range(0, image.height, ROWS):
            sink.write(image.crop((0, top, image.width, min(top + ROWS, image.height))).tobytes())
    sink.flush()


def limit(seconds, memory_bytes):
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

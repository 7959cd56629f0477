"""A photograph in any form to an upright RGB array. Files are not trusted: they may come from strangers."""

import io
import os

import numpy as np
from PIL import ExifTags, Image, ImageOps

from fer_keras.core.errors import InputError

# What cameras, telephones and browsers write; Pillow's other readers only widen what a hostile file can reach.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
MAX_PIXELS = 1 << 26  # 8192 x 8192: what telephones call 64 megapixels


def read(image, *, bgr=False, max_pixels=MAX_PIXELS):
    """Return the photograph as uint8 (height, width, 3), red first, values [0, 255].

    Args:
        image: path, encoded `bytes`, PIL image, or array: uint8 or uint16, (height, width) or
            (height, width, 1, 3 or 4). Files and PIL images are turned upright as their EXIF says, of an animation
            the first frame is taken, transparency is laid over white, 16 bits are cut to 8.
        bgr: the array has blue first, as OpenCV reads it. Files and PIL images tell their order themselves.
        max_pixels: larger images are refused, before they are decoded.

    Raises:
        InputError: if it is no whole image of one of `FORMATS`, too large, or an array of another kind.
    """
    if isinstance(image, np.ndarray):
        return from_array(image, bgr, max_pixels)
    if isinstance(image, Image.Image):
        return decode(lambda: image, "The PIL image", max_pixels)
    if isinstance(image, bytes | bytearray | memoryview):
        return decode(lambda: Image.open(io.BytesIO(image), formats=FORMATS), "The image", max_pixels)
    if isinstance(image, str | os.PathLike):
        return read_file(image, max_pixels)
    raise InputError(
        f"No image can be read from a {type(image).__name__}. Expected a path, bytes, a PIL image or an array."
    )


def read_file(path, max_pixels):
    try:
        file = open(path, "rb")
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise InputError(f"{path} cannot be opened: {getattr(error, 'strerror', error)}.") from error
    with file:
        return decode(lambda: Image.open(file, formats=FORMATS), path, max_pixels)


def decode(get, name, max_pixels):
    """Return the array of the PIL image that `get` returns."""
    try:
        image = get()
        check_size(*image.size, name, max_pixels)
        return upright(image)
    except InputError:
        raise
    except Image.UnidentifiedImageError as error:
        raise InputError(f"{name} is no image that can be read. Expected {', '.join(FORMATS)}.") from error
    except Exception as error:  # Pillow's readers raise whatever a damaged file makes them stumble over
        reason = str(error) or type(error).__name__
        raise InputError(f"{name} cannot be decoded ({reason}): it is damaged or cut short.") from error


def check_size(width, height, name, max_pixels):
    if width * height > max_pixels:
        raise InputError(f"{name} has {width} x {height} pixels, more than {max_pixels:,}. Make it smaller.")


def upright(image):
    if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:  # else it would be copied for nothing
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        image = Image.fromarray(eight_bits(np.asarray(image)))
    if image.mode == "F":
        raise InputError("The image has floating-point values, whose range is unknown. Expected 8 or 16 bits.")
    if image.has_transparency_data:
        transparent = image if image.mode == "RGBA" else image.convert("RGBA")
        image = Image.new("RGB", image.size, "white")
        image.paste(transparent, mask=transparent)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def eight_bits(values):
    if values.min() < 0 or values.max() > 65535:
        raise InputError(f"The image has values {values.min()} to {values.max()}. Expected 8 or 16 bits.")
    return (values // 256).astype(np.uint8)


def from_array(array, bgr, max_pixels):
    values = array[..., None] if array.ndim == 2 else array
    fits = values.ndim == 3 and values.shape[2] in (1, 3, 4) and values.size
    if not fits or values.dtype not in (np.uint8, np.uint16):
        raise InputError(
            "An image array must be uint8 or uint16 of shape (height, width) or (height, width, 1, 3 or 4). "
            f"Received {array.dtype} {array.shape}."
        )
    check_size(values.shape[1], values.shape[0], "The array", max_pixels)
    if values.dtype == np.uint16:
        values = eight_bits(values)
    if values.shape[2] == 1:
        return np.repeat(values, 3, axis=2)
    if bgr:
        values = values[..., [2, 1, 0, *range(3, values.shape[2])]]
    if values.shape[2] == 4:
        return upright(Image.fromarray(np.ascontiguousarray(values)))
    return np.ascontiguousarray(values)

"""A photograph in any form to an upright RGB array. Files are not trusted: they may come from strangers."""

import os
from collections.abc import Callable
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from PIL import Image, UnidentifiedImageError

from fer_keras.core.errors import InputError
from fer_keras.core.files import StrPath
from fer_keras.data import bit_depth
from fer_keras.recognition import decode_worker, decoding
from fer_keras.recognition.headers import FORMATS

MAX_PIXELS = 1 << 26  # 8192 x 8192: what telephones call 64 megapixels
MAX_FILE_BYTES = 1 << 29

Photo: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Image.Image | np.ndarray


def read(
    image: Photo, *, bgr: bool = False, max_pixels: int = MAX_PIXELS, limits: decoding.Limits = decoding.FILES
) -> np.ndarray:
    """Return the photograph as uint8 (height, width, 3), red first, values [0, 255].

    Args:
        image: path, encoded `bytes`, binary file such as `io.BytesIO`, PIL image, or array: uint8 or uint16,
            (height, width) or (height, width, 1, 3 or 4). Files and PIL images are turned upright by their EXIF
            data. Of an animation the first frame is read, transparency becomes white, more than 8 bits are
            reduced to 8.
        bgr: the array has blue first, as OpenCV reads it. Files and PIL images know their own order.
        max_pixels: larger images are refused, before they are decoded.
        limits: `decoding.Limits` of files and encoded bytes.

    Raises:
        InputError: if it is no whole image of one of `FORMATS`, too large, too costly to decode, or an array of
            another kind.
    """
    if isinstance(image, np.ndarray):
        return _from_array(image, bgr, max_pixels)
    if isinstance(image, Image.Image):
        check_size(*image.size, "The PIL image", max_pixels)
        return _explained(lambda: np.asarray(decode_worker.upright(image)), "The PIL image", max_pixels)
    if isinstance(image, bytes | bytearray | memoryview):
        return _explained(lambda: decoding.rgb(image, max_pixels, limits), "The image", max_pixels)
    if isinstance(image, str | os.PathLike):
        data = _read_file(image)
        return _explained(lambda: decoding.rgb(data, max_pixels, limits), image, max_pixels)
    if hasattr(image, "read"):
        data = _read_stream(image, "The file object")
        return _explained(lambda: decoding.rgb(data, max_pixels, limits), "The image", max_pixels)
    raise InputError(
        f"No image can be read from a {type(image).__name__}. Expected a path, bytes, a binary file, a PIL image "
        "or an array."
    )


def _read_file(path: StrPath) -> bytes:
    """Return the bytes of a file of at most `MAX_FILE_BYTES`."""
    try:
        with open(path, "rb") as file:
            return _read_stream(file, path)
    except InputError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise InputError(f"{path} cannot be opened: {getattr(error, 'strerror', error)}.") from error


def _read_stream(file: Any, name: StrPath) -> bytes:
    """Return the bytes of a binary file of at most `MAX_FILE_BYTES`, from its start where it can be rewound."""
    if file.seekable():
        file.seek(0)
    data = file.read(MAX_FILE_BYTES + 1)
    if not isinstance(data, bytes):
        raise InputError(f"{name} gives text. Open it as a binary file.")
    if len(data) > MAX_FILE_BYTES:
        raise InputError(f"{name} has more than {MAX_FILE_BYTES >> 20} MiB. Make the image smaller.")
    return data


def _explained(decode: Callable[[], np.ndarray], name: StrPath, max_pixels: int) -> np.ndarray:
    """Return what `decode` returns; its errors become an `InputError` that names the image."""
    try:
        return decode()
    except decode_worker.TooLargeError as error:
        width, height = error.args
        raise InputError(_too_large(width, height, name, max_pixels)) from error
    except decoding.CostError as error:
        raise InputError(f"{name} {error}") from error
    except UnidentifiedImageError as error:
        raise InputError(f"{name} is not a readable image. Expected {', '.join(FORMATS)}.") from error
    except Exception as error:  # Pillow raises many kinds of errors on damaged files
        reason = str(error) or type(error).__name__
        raise InputError(f"{name} cannot be decoded ({reason}): it is damaged or cut short.") from error


def check_size(width: int, height: int, name: StrPath, max_pixels: int) -> None:
    """Raise `InputError` if the image or video `name` has more pixels."""
    if width * height > max_pixels:
        raise InputError(_too_large(width, height, name, max_pixels))


def _too_large(width: int, height: int, name: StrPath, max_pixels: int) -> str:
    return f"{name} has {width} x {height} pixels, more than {max_pixels:,}. Make it smaller."


def _eight_bits(values: np.ndarray) -> np.ndarray:
    if values.min() < 0 or values.max() > 65535:
        raise InputError(f"The image has values {values.min()} to {values.max()}. Expected 8 or 16 bits.")
    return bit_depth.to_eight_bits(values, bit_depth.smallest_depth(int(values.max())))


def _from_array(array: np.ndarray, bgr: bool, max_pixels: int) -> np.ndarray:
    values = array[..., None] if array.ndim == 2 else array
    fits = values.ndim == 3 and values.shape[2] in (1, 3, 4) and values.size
    if not fits or values.dtype not in (np.uint8, np.uint16):
        raise InputError(
            "An image array must be uint8 or uint16 of shape (height, width) or (height, width, 1, 3 or 4). "
            f"Received {array.dtype} {array.shape}."
        )
    check_size(values.shape[1], values.shape[0], "The array", max_pixels)
    if values.dtype == np.uint16:
        values = _eight_bits(values)
    if values.shape[2] == 1:
        return np.repeat(values, 3, axis=2)
    if bgr:
        values = values[..., [2, 1, 0, *range(3, values.shape[2])]]
    if values.shape[2] == 4:
        return np.asarray(decode_worker.upright(Image.fromarray(np.ascontiguousarray(values))))
    return np.ascontiguousarray(values)

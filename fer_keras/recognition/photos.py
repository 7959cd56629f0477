"""A photograph in any form to an upright RGB array. Files are not trusted: they may come from strangers."""

import logging
import os
from collections.abc import Callable
from typing import Any, BinaryIO, TypeAlias, TypeVar

import numpy as np
from PIL import Image, UnidentifiedImageError

from fer_keras.core.errors import InputError
from fer_keras.core.files import StrPath
from fer_keras.data import bit_depth as depths
from fer_keras.recognition import decode_worker, decoding
from fer_keras.recognition.decode_worker import Depth
from fer_keras.recognition.headers import FORMATS, is_first_of_several, kind_of

LOG = logging.getLogger("fer_keras")
OnDepth: TypeAlias = Callable[[StrPath, Depth], None]
T = TypeVar("T")
MAX_PIXELS = 1 << 26  # 8192 x 8192: what telephones call 64 megapixels
MAX_FILE_BYTES = 1 << 29

Photo: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Image.Image | np.ndarray


def read(
    image: Photo,
    *,
    bgr: bool = False,
    max_pixels: int = MAX_PIXELS,
    limits: decoding.Limits = decoding.FILES,
    bit_depth: int | None = None,
    on_depth: OnDepth | None = None,
) -> np.ndarray:
    """Return the photograph as uint8 (height, width, 3), red first, values [0, 255].

    Args:
        image: path, encoded `bytes`, binary file such as `io.BytesIO`, PIL image, or array: uint8 or uint16,
            (height, width) or (height, width, 1, 3 or 4). Files and PIL images are turned upright by their EXIF
            data. Of an animation the first frame is read, which is logged for paths. Transparency becomes white,
            more than 8 bits are reduced to 8.
        bgr: the array has blue first, as OpenCV reads it. Files and PIL images know their own order.
        max_pixels: larger images are refused, before they are decoded.
        limits: `decoding.Limits` of files and encoded bytes.
        bit_depth: 8 to 16, of the values of an image of more than 8 bits. Default: that of its header, else the
            smallest of 8, 10, 12, 14 and 16 that holds its largest value.
        on_depth: called with the image's name and its `Depth` if `bit_depth` is not given. Default: `log_depth`.

    Raises:
        InputError: if it is no whole image of one of `FORMATS`, too large, too costly to decode, of colors that
            do not fill their 16 bits, or an array of another kind.
    """
    name: StrPath = image if isinstance(image, str | os.PathLike) else "The image"
    if isinstance(image, np.ndarray):
        pixels, depth = _from_array(image, bgr, max_pixels, bit_depth)
    elif isinstance(image, Image.Image):
        pixels, depth = _from_pil(image, max_pixels, bit_depth)
    else:
        data = _encoded(image)
        pixels, depth = _decoded(lambda: decoding.rgb(data, max_pixels, limits, bit_depth), name, max_pixels)
        if isinstance(image, str | os.PathLike) and is_first_of_several(data, kind_of(data)):
            LOG.info("%s has several frames or pages. Only the first is read.", image)
    if depth:
        (on_depth or log_depth)(name, depth)
    return pixels


def log_depth(name: StrPath, depth: Depth) -> None:
    """Log how an image of more than 8 bits was read."""
    reason = "its header" if depth.by_header else "its largest value"
    text = "%s was read as %d-bit by %s; bit_depth (--bit-depth) chooses another depth."
    LOG.warning(text, name, depth.bits, reason)


def check_bit_depth(bit_depth: int | None) -> None:
    """Raise `InputError` if it is neither None nor 8 to 16."""
    if bit_depth is not None and bit_depth not in range(8, 17):
        raise InputError(f"bit_depth must be from 8 to 16. Received {bit_depth!r}.")


def _encoded(image: Any) -> bytes:
    """Return the bytes of an image file, of its path or of a binary file."""
    if isinstance(image, bytes | bytearray | memoryview):
        return image  # type: ignore[return-value]
    if isinstance(image, str | os.PathLike):
        return _read_file(image)
    if hasattr(image, "read"):
        return _read_stream(image, "The file object")
    raise InputError(
        f"No image can be read from a {type(image).__name__}. Expected a path, bytes, a binary file, a PIL image "
        "or an array. For several images, use `analyze_many`."
    )


def _from_pil(image: Image.Image, max_pixels: int, bit_depth: int | None) -> tuple[np.ndarray, Depth | None]:
    name = "The PIL image"
    check_size(*image.size, name, max_pixels)
    upright, depth = _decoded(lambda: decode_worker.upright(image, bit_depth), name, max_pixels)
    return np.asarray(upright), depth


def _read_file(path: StrPath) -> bytes:
    """Return the bytes of a file of at most `MAX_FILE_BYTES`."""
    try:
        with open(path, "rb") as file:
            return _read_stream(file, path)
    except InputError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        is_url = str(path).startswith(("http:/", "https:/"))  # pathlib keeps one slash
        hint = " URLs are not downloaded: give a file." if is_url else ""
        raise InputError(f"{path} cannot be opened: {getattr(error, 'strerror', error)}.{hint}") from error


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


def _decoded(decode: Callable[[], T], name: StrPath, max_pixels: int) -> T:
    """Return what `decode` returns; its errors become an `InputError` that names the image."""
    try:
        return decode()
    except decode_worker.TooLargeError as error:
        width, height = error.args
        raise InputError(_too_large(width, height, name, max_pixels)) from error
    except decode_worker.UnfitError as error:
        raise InputError(f"{name} {error}.") from error
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


def _from_array(
    array: np.ndarray, bgr: bool, max_pixels: int, bit_depth: int | None
) -> tuple[np.ndarray, Depth | None]:
    values, depth = _checked(array, max_pixels), None
    if values.dtype == np.uint16:
        bits = bit_depth or depths.smallest_depth(int(values.max()))
        values, depth = depths.to_eight_bits(values, bits), None if bit_depth else Depth(bits, by_header=False)
    if values.shape[2] == 1:
        return np.repeat(values, 3, axis=2), depth
    if bgr:
        values = values[..., [2, 1, 0, *range(3, values.shape[2])]]
    values = np.ascontiguousarray(values)
    if values.shape[2] == 4:
        return np.asarray(decode_worker.upright(Image.fromarray(values))[0]), depth
    return values, depth


def _checked(array: np.ndarray, max_pixels: int) -> np.ndarray:
    """Return the array as (height, width, channels) if it is an image."""
    array = np.asarray(array)  # a matrix of NumPy always has two axes
    values = array[..., None] if array.ndim == 2 else array
    fits = values.ndim == 3 and values.shape[2] in (1, 3, 4) and values.size
    if not fits or values.dtype not in (np.uint8, np.uint16):
        raise InputError(
            "An image array must be uint8 or uint16 of shape (height, width) or (height, width, 1, 3 or 4). "
            f"Received {array.dtype} {array.shape}."
        )
    check_size(values.shape[1], values.shape[0], "The array", max_pixels)
    return values

"""Decodes face images of any format, size and bit depth to grey 48 x 48 pixels."""

import collections
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from fer_keras.core import image_bits
from fer_keras.core.errors import InputError, first_line
from fer_keras.data import bit_depth
from fer_keras.data.faces import SIDE
from fer_keras.data.skipped import Skipped

Box = tuple[int, int, int, int]  # left, top, right, bottom
PIXELS = SIDE * SIDE
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "PPM", "TIFF", "WEBP")
FURTHER_FRAMES = "further frames or pages of a file"  # a reason of `skipped`
LARGEST_CROP = 2048 * 2048  # pixels
LARGEST_PHOTOGRAPH = 40_000_000  # pixels, if a list gives the box of the face
TILE_TAGS = (322, 323)  # TileWidth and TileLength of TIFF
LARGEST_FILE = 16 << 20  # bytes of an image file
MOST_DAMAGED = 0.01  # of all images


class Damaged(InputError):
    """One image that cannot be used; `reason` is equal for all images with the same problem."""

    def __init__(self, reason: str, place: str, detail: str) -> None:
        super().__init__(f"{place} {detail}")
        self.reason, self.place = reason, place


class Stack:
    """Collects the images of a data set. It counts unusable ones and converts deep ones at the end.

    Args:
        skipped: counts unusable images.
        depth: bit depth of integer images of more than 8 bits; None for that of their headers or values.

    `first_damage` is the message on the first unusable image.
    """

    def __init__(self, skipped: Skipped, depth: int | None = None) -> None:
        self.skipped, self.depth = skipped, depth
        self._pixels = bytearray()
        self._deep: dict[int, tuple[np.ndarray, int | None]] = {}
        self._sizes: collections.Counter = collections.Counter()
        self._damaged = 0
        self.first_damage = ""
        self.count = 0

    def add(self, pixels: np.ndarray) -> None:
        """Add uint8 of 2,304 values."""
        self._pixels += pixels.tobytes()
        self.count += 1

    def add_encoded(self, data: bytes, place: str, box: tuple[int, int, int, int] | None = None) -> bool:
        """Add an image file's content, cut to `box` (left, top, right, bottom); return whether it was used."""
        try:
            values, bits, size, is_first = decode(data, place, box)
        except Damaged as error:
            self.skipped.add(error.reason, place)
            self._damaged += 1
            self.first_damage = self.first_damage or str(error)
            return False
        if is_first:
            self.skipped.add(FURTHER_FRAMES, place)
        if size != (SIDE, SIDE):
            self._sizes[size] += 1
        self.add_values(values, bits)
        return True

    def add_values(self, values: np.ndarray, bits: int | None) -> None:
        """Add uint8 or uint16 `(48, 48)`; `bits` are its significant bits by its header, or None."""
        if values.dtype == np.uint16:
            self._deep[self.count] = values, image_bits.believable(bits, int(values.max()))
            values = np.zeros((SIDE, SIDE), np.uint8)
        self.add(values)

    def finish(self) -> tuple[np.ndarray, list[str]]:
        """Return uint8 `(n, 2304)` and a sentence for each change of the images.

        Raises:
            InputError: if there are no images, or if more than 1 % of them cannot be used.
        """
        if self._damaged > MOST_DAMAGED * self.count:
            total = self.count + self._damaged
            raise InputError(f"{self.first_damage} {self._damaged:,} of {total:,} images cannot be used.")
        images = np.frombuffer(self._pixels, np.uint8).reshape(-1, PIXELS)
        return images, [*self._resized(), *self._reduce(images)]

    def _resized(self) -> Iterator[str]:
        if self._sizes:
            (width, height), _ = self._sizes.most_common(1)[0]
            others = " and other sizes" if len(self._sizes) > 1 else ""
            yield (
                f"{sum(self._sizes.values()):,} images of {width} x {height} pixels{others} were resized to "
                f"{SIDE} x {SIDE}."
            )

    def _reduce(self, images: np.ndarray) -> Iterator[str]:
        """Write the deep images into `images` at 8 bits."""
        unknown = [values for values, bits in self._deep.values() if bits is None]
        found = bit_depth.smallest_depth(max((int(values.max()) for values in unknown), default=0))
        used: collections.Counter = collections.Counter()
        for row, (values, bits) in self._deep.items():
            depth = self.depth or bits or found
            images[row] = bit_depth.to_eight_bits(values, depth).ravel()
            how = "as given" if self.depth else "by their headers" if bits else "by the largest value of all"
            used[depth, how] += 1
        for (depth, how), count in used.items():
            yield (
                f"{count:,} integer images of up to 16 bits were read as {depth}-bit {how}; --bit-depth chooses "
                "another depth."
            )


def decode(
    data: bytes, place: str, box: Box | None = None
) -> tuple[np.ndarray, int | None, tuple[int, int], bool]:
    """Return the grey pixels of an encoded face, their bits and the size it had.

    Returns:
        uint8 `(48, 48)` and None, or uint16 and its significant bits (None if the header does not say); `(width,
        height)` before resizing; whether it is the first of several frames or pages.

    Raises:
        Damaged: if it is not a whole image of one of `FORMATS`, too large, or not square without a `box`.
    """
    if len(data) > LARGEST_FILE:
        raise Damaged("too large", place, f"has more than {LARGEST_FILE >> 20} MiB.")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_size(image, place, box)
            is_first = image.format != "MPO" and getattr(image, "is_animated", False)  # MPO: views of one scene
            grey, bits = _to_grey(image, place)
            if box is not None:
                grey = grey.crop(_square(box, grey.size, place))
            size = grey.size
            if grey.size != (SIDE, SIDE):
                grey = grey.resize((SIDE, SIDE), _filter(grey))
            if grey.mode == "F":
                return np.rint(np.asarray(grey)).clip(0, 65535).astype(np.uint16), bits, size, is_first
            return np.asarray(grey), None, size, is_first
    except Damaged:
        raise
    except InputError as error:
        raise Damaged("values that are not 8 to 16 bits", place, f"cannot be read: {error}") from error
    except UnidentifiedImageError as error:  # its message is the address of the file in memory
        raise Damaged("not a readable image", place, f"is not a readable image ({', '.join(FORMATS)}).") from error
    except Exception as error:  # Pillow's readers raise many kinds of errors on damaged files
        reason = first_line(error)[:200]
        raise Damaged(
            "not a readable image", place, f"is not a readable image ({', '.join(FORMATS)}): {reason}."
        ) from error


def _check_size(image: Any, place: str, box: Box | None) -> None:
    width, height = image.size
    most = LARGEST_CROP if box is None else LARGEST_PHOTOGRAPH
    tiles = [image.tag_v2.get(tag, 0) for tag in TILE_TAGS] if image.format == "TIFF" else (0, 0)
    if width * height > most or tiles[0] * tiles[1] > most:
        raise Damaged("too large", place, f"is {width} x {height} pixels, more than {most:,} in all.")
    if box is None and width != height:
        raise Damaged(
            "not a square crop of a face",
            place,
            f"is {width} x {height} pixels, expected a square crop of a face such as {SIDE} x {SIDE}. Cut the "
            "faces out first.",
        )


def _to_grey(image: Any, place: str) -> tuple[Image.Image, int | None]:
    """Return `image` in mode L and None, or in mode F with its integer values and the bits in its header."""
    if image.mode == "L":
        return image, None
    if image.mode.startswith("I"):
        bits = image_bits.header_bits(image)
        return Image.fromarray(bit_depth.integers(image).astype(np.float32)), bits
    if image.mode == "F":
        raise InputError("floating-point values, whose range is unknown. Expected 8 to 16 bits.")
    deep = image_bits.has_deep_colors(image)
    bits = image_bits.header_bits(image) if deep else None
    turned = "exif" in image.info and image.getexif().get(ExifTags.Base.Orientation, 1) != 1
    grey = (ImageOps.exif_transpose(image) if turned else image).convert("L")
    # Pillow keeps the upper 8 of 16 bits per colour, which are almost empty in a file of 8 to 12 bits.
    if deep and not image_bits.fills_sixteen(bits, int(np.asarray(grey).max())):
        raise Damaged(
            "16-bit colour that is not filled",
            place,
            "is a 16-bit colour image whose values fill fewer bits. Convert it to 8 bits or to grey.",
        )
    return grey, None


def _filter(image: Image.Image) -> Image.Resampling:
    return Image.Resampling.BOX if min(*image.size) > SIDE else Image.Resampling.BICUBIC


def _square(box: Box, size: tuple[int, int], place: str) -> Box:
    """Return the square around `box` with its longer side, moved into the picture."""
    left, top, right, bottom = box
    width, height = size
    side = min(max(right - left, bottom - top), width, height)
    if right <= left or bottom <= top or left >= width or top >= height or right <= 0 or bottom <= 0:
        raise Damaged(
            "box outside the picture", place, f"has the box {box}, outside its {width} x {height} pixels."
        )
    x, y = (left + right - side) // 2, (top + bottom - side) // 2
    x, y = min(max(x, 0), width - side), min(max(y, 0), height - side)
    return x, y, x + side, y + side

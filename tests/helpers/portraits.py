"""A photograph with one face, videos of it, and a classifier whose answers can be worked out by hand."""

import importlib.util
import pathlib

import numpy as np
from PIL import Image

PORTRAIT = pathlib.Path(importlib.util.find_spec("skimage").origin).parent / "data" / "astronaut.png"
BOX = (182, 64, 85, 109)  # of the default detector, looked at
HAAR_BOX = (175, 65, 98, 98)


def brightness(crops):
    """A classifier: the mean grey as a fraction is happy, the rest is neutral."""
    assert crops.dtype == np.uint8 and crops.shape[1:] == (48, 48, 1)
    happy = crops.mean(axis=(1, 2, 3), dtype="float64") / 255
    return np.stack([0 * happy, 0 * happy, 0 * happy, happy, 0 * happy, 0 * happy, 1 - happy], axis=1)


def plain(value, width=64, height=48):
    """A picture of one grey, (height, width, 3)."""
    return np.full((height, width, 3), value, np.uint8)


def portrait():
    with Image.open(PORTRAIT) as image:
        return np.asarray(image.convert("RGB"))


def write_video(path, pictures, rate=10, codec="FFV1"):
    """Write RGB `pictures` as a video in the container that the ending names; FFV1 is without loss."""
    import cv2

    size = pictures[0].shape[1::-1]
    video = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*codec), rate, size)
    assert video.isOpened()
    for picture in pictures:
        video.write(np.ascontiguousarray(picture[..., ::-1]))
    video.release()
    return path

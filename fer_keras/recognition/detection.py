"""Where the faces are: one protocol, `detect(rgb)`, and what fulfils it."""

import os
import pathlib
import threading
from typing import NamedTuple, Protocol

import numpy as np

from fer_keras.core.errors import InputError

LONGEST_SIDE = 800  # pixels; larger photographs are searched in a reduced copy
SMALLEST_FACE = 30  # pixels of that copy
# Of Haar. Below it lie 2 % of the faces it finds in FER-2013 and most of what it takes for one in large pictures.
LEAST_SCORE = 2.0


class Box(NamedTuple):
    """A face in an image: left upper corner and size in pixels, and the detector's score.

    The score is None where nothing was detected, OpenCV's stage weight for `Haar` (from 2, seldom above 12; more
    is surer), a fraction in [0, 1] for `YuNet`.
    """

    x: int
    y: int
    width: int
    height: int
    score: float | None


class Detector(Protocol):
    """What finds faces: called with uint8 (height, width, 3), red first, returns `Box`es or such tuples."""

    def __call__(self, rgb: np.ndarray) -> list[Box]: ...


def detector(choice):
    """Return the `Detector` of that name: "haar", "none", the path of a YuNet file; callables are returned.

    Raises:
        InputError: if it is none of these, OpenCV is missing, or the file is not YuNet.
    """
    if callable(choice):
        return choice
    if choice == "haar":
        return Haar()
    if choice == "none":
        return whole
    if str(choice).endswith(".onnx"):
        return YuNet(choice)
    raise InputError(f"Unknown detector {choice!r}. Expected 'haar', 'none' or the path of a YuNet .onnx file.")


def whole(rgb):
    """Return the whole image as the one face, for crops already cut."""
    return [Box(0, 0, rgb.shape[1], rgb.shape[0], None)]


class Haar:
    """OpenCV's Viola-Jones detector of frontal faces, which FER-2013 was cut with. May be shared by threads."""

    def __init__(self):
        cv2 = opencv()
        folder = getattr(getattr(cv2, "data", None), "haarcascades", "")
        path = pathlib.Path(folder, "haarcascade_frontalface_default.xml")
        if not hasattr(cv2, "CascadeClassifier") or not path.is_file():
            raise InputError(
                f"OpenCV {cv2.__version__} comes without its Haar cascades. "
                "Install one that has them: pip install 'opencv-python-headless<5'."
            )
        self.cascade = cv2.CascadeClassifier(str(path))
        self.lock = threading.Lock()

    def __call__(self, rgb):
        cv2 = opencv()
        small, scale = reduced(rgb)
        grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        with self.lock:
            boxes, _, scores = self.cascade.detectMultiScale3(
                grey,
                scaleFactor=1.1,
                minNeighbors=5,
                minSize=(SMALLEST_FACE, SMALLEST_FACE),
                outputRejectLevels=True,
            )
        sure = [(box, score) for box, score in zip(boxes, scores, strict=True) if score >= LEAST_SCORE]
        return largest_first(sure, scale, rgb.shape)


class YuNet:
    """OpenCV's neural face detector from the file that the user names. May be shared by threads.

    The file is `face_detection_yunet_2023mar.onnx` of OpenCV's model zoo (Wu, Peng and Yu 2023, "YuNet: A Tiny
    Millisecond-level Face Detector").
    """

    def __init__(self, path):
        if not os.path.isfile(path):
            raise InputError(f"There is no {path}. Name YuNet's file, face_detection_yunet_2023mar.onnx.")
        cv2 = opencv()
        self.lock = threading.Lock()
        try:
            self.network = cv2.FaceDetectorYN.create(str(path), "", (320, 320))
            self(np.zeros((64, 64, 3), np.uint8))
        except cv2.error as error:
            raise InputError(
                f"{path} is not YuNet, or damaged. Expected OpenCV's face_detection_yunet_2023mar.onnx."
            ) from error

    def __call__(self, rgb):
        cv2 = opencv()
        small, scale = reduced(rgb)
        bgr = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
        with self.lock:
            self.network.setInputSize(bgr.shape[1::-1])
            _, faces = self.network.detect(bgr)  # rows of box, five landmarks, score; or None
        return largest_first([(face[:4], face[14]) for face in ([] if faces is None else faces)], scale, rgb.shape)


def reduced(rgb):
    """Return `rgb` with no side longer than `LONGEST_SIDE`, and the original's size as a multiple of it."""
    cv2 = opencv()
    scale = max(1.0, max(rgb.shape[:2]) / LONGEST_SIDE)
    if scale == 1:
        return rgb, scale
    size = [max(1, round(side / scale)) for side in rgb.shape[1::-1]]
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), scale


def largest_first(boxes, scale, shape):
    """Return the (box, score) as `Box` in pixels of the whole image, cut off at its edges."""
    found = []
    for box, score in boxes:
        left, top, width, height = (int(round(float(value) * scale)) for value in box)
        right, bottom = min(left + width, shape[1]), min(top + height, shape[0])
        left, top = max(left, 0), max(top, 0)
        if right > left and bottom > top:
            found.append(Box(left, top, right - left, bottom - top, float(score)))
    return sorted(found, key=lambda box: (-box.width * box.height, box.x, box.y))


def opencv():
    try:
        import cv2
    except ImportError as error:
        raise InputError(
            "Finding faces and reading videos needs OpenCV: pip install 'fer-keras[faces]'. "
            "Crops already cut need no detector: detector 'none'."
        ) from error
    return cv2

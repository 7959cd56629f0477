"""Face detectors behind one protocol, `Detector`: Haar cascade, YuNet, whole images; MTCNN has its own package."""

import os
import pathlib
import threading
import types
from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
from PIL import Image

from fer_keras.core.choices import Engine
from fer_keras.core.errors import InputError
from fer_keras.recognition.boxes import Box, best, checked, visible
from fer_keras.recognition.steps import Steps

LEAST_MIN_FACE = 20  # pixels; smaller faces cannot be classified
MIN_FACE = 40  # pixels; smaller faces have too little detail for the classifier
# Of Haar. Below it lie 2 % of the faces it finds in FER-2013 and most of its false detections in large pictures.
LEAST_SCORE = 2.0


class Detector(Protocol):
    """Called with uint8 (height, width, 3), red first; returns what `boxes.checked` takes."""

    def __call__(self, rgb: np.ndarray) -> Iterable | None: ...


def steps(detector: Detector, rgb: np.ndarray) -> Steps[Iterable | None]:
    """Return what `detector(rgb)` returns, in steps if the detector has a method `steps`, as MTCNN has."""
    if hasattr(detector, "steps"):
        return (yield from detector.steps(rgb))
    return detector(rgb)


def detector(
    choice: str | os.PathLike[str] | Detector = "mtcnn", *, min_face: int = MIN_FACE, engine: Engine = "auto"
) -> Detector:
    """Return a `Detector`: "mtcnn", "haar", "none", the path of a YuNet file; callables are returned as they are.

    Args:
        choice: as above.
        min_face: pixels of the side of the smallest face that is searched for; callables have their own.
        engine: of MTCNN, see `Mtcnn`.

    Raises:
        InputError: if there is no such detector, OpenCV is missing for "haar" and YuNet, or the file is not YuNet.
    """
    if callable(choice):
        return choice
    if not isinstance(min_face, int | np.integer) or min_face < LEAST_MIN_FACE:
        raise InputError(
            f"min_face must be a whole number of pixels, at least {LEAST_MIN_FACE}. Received {min_face!r}."
        )
    if choice == "mtcnn":
        from fer_keras.recognition.mtcnn import Mtcnn

        return Mtcnn(min_face, engine)
    if choice == "haar":
        return Haar(min_face)
    if choice == "none":
        return whole
    if str(choice).endswith(".onnx"):
        return YuNet(choice, min_face)
    raise InputError(
        f"Unknown detector {choice!r}. Expected 'mtcnn', 'haar', 'none' or the path of a YuNet .onnx file."
    )


def whole(rgb: np.ndarray) -> list[Box]:
    """Return the whole image as the one face, for images that are crops of faces."""
    return [Box(0, 0, rgb.shape[1], rgb.shape[0])]


KEPT_PIXELS = 1 << 20  # a cascade keeps at least 15 bytes for each pixel of the largest image that it has searched


class Haar:
    """OpenCV's Viola-Jones detector of frontal faces, as used to crop FER-2013. May be shared by threads.

    Args:
        min_face: pixels of the side of the smallest face that is searched for.

    Raises:
        InputError: if OpenCV is missing or comes without the cascade.
    """

    WINDOW = 24  # pixels of the side of the smallest face that the cascade can find

    def __init__(self, min_face: int = MIN_FACE) -> None:
        cv2 = opencv()
        folder = getattr(getattr(cv2, "data", None), "haarcascades", "")
        path = pathlib.Path(folder, "haarcascade_frontalface_default.xml")
        if not hasattr(cv2, "CascadeClassifier") or not path.is_file():
            raise InputError(
                f"OpenCV {cv2.__version__} comes without its Haar cascades. "
                "Install one that has them: pip install 'opencv-python-headless<5'."
            )
        self.min_face = min_face
        self.path = str(path)
        self.cascade = cv2.CascadeClassifier(self.path)
        self.lock = threading.Lock()

    def __call__(self, rgb: np.ndarray) -> list[Box]:
        small, scale = reduced(Image.fromarray(rgb).convert("L"), self.min_face / self.WINDOW)
        large = small.width * small.height > KEPT_PIXELS
        with self.lock:
            cascade = opencv().CascadeClassifier(self.path) if large else self.cascade
            found, _, scores = cascade.detectMultiScale3(
                np.asarray(small), scaleFactor=1.1, minNeighbors=5, outputRejectLevels=True
            )
        rows = [(*box * scale, score) for box, score in zip(found, scores, strict=True) if score >= LEAST_SCORE]
        return checked(rows, rgb.shape)

    def __reduce__(self) -> tuple[Any, ...]:
        return Haar, (self.min_face,)


class YuNet:
    """OpenCV's neural face detector from the file that the user names. May be shared by threads.

    The file is `face_detection_yunet_2023mar.onnx` of OpenCV's model zoo (Wu, Peng and Yu 2023, "YuNet: A Tiny
    Millisecond-level Face Detector"). It finds faces of 10 to about 300 pixels, so the image is searched at
    several scales, each half of the one before.

    Args:
        path: of the file.
        min_face: pixels of the side of the smallest face that is searched for.

    Raises:
        InputError: if OpenCV or the file is missing, or the file is not YuNet.
    """

    WINDOW = 10  # pixels of the side of the smallest face that the network can find
    LONGEST_SIDE = 640  # pixels of the smallest copy that is searched
    OVERLAP = 0.5  # of two boxes, above which one is dropped

    def __init__(self, path: str | os.PathLike[str], min_face: int = MIN_FACE) -> None:
        if not os.path.isfile(path):
            raise InputError(f"There is no {path}. Name YuNet's file, face_detection_yunet_2023mar.onnx.")
        cv2 = opencv()
        self.path, self.min_face = path, min_face
        self.lock = threading.Lock()
        try:
            self.network = cv2.FaceDetectorYN.create(str(path), "", (320, 320))
            self._search(np.zeros((64, 64, 3), np.uint8))
        except cv2.error as error:
            raise InputError(
                f"{path} is not YuNet, or damaged. Expected OpenCV's face_detection_yunet_2023mar.onnx."
            ) from error

    def __call__(self, rgb: np.ndarray) -> list[Box]:
        image, found = Image.fromarray(rgb), []
        times = self.min_face / self.WINDOW
        while True:
            small, scale = reduced(image, times)
            found += [(*face[:14] * np.tile(scale[:2], 7), face[14]) for face in self._search(np.asarray(small))]
            if max(small.size) <= self.LONGEST_SIDE:
                break
            times *= 2
        rows = np.array(found).reshape(-1, 15)
        corners = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1)
        kept = [i for i in best(corners, rows[:, 14], self.OVERLAP) if visible(corners[i], rgb.shape)]
        faces = [(*row[:4], row[14], row[4:14].reshape(5, 2)) for row in rows[kept]]
        return checked(faces, rgb.shape)

    def _search(self, rgb: np.ndarray) -> Any:
        """Return rows of box, landmarks in the order of `boxes.Landmarks`, and score."""
        with self.lock:
            self.network.setInputSize(rgb.shape[1::-1])
            _, faces = self.network.detect(np.ascontiguousarray(rgb[..., ::-1]))
        return [] if faces is None else faces

    def __reduce__(self) -> tuple[Any, ...]:
        return YuNet, (self.path, self.min_face)


def reduced(image: Image.Image, times: float) -> tuple[Image.Image, np.ndarray]:
    """Return the PIL image in a size so many times smaller, and the original's size as a multiple of it, (4,)."""
    size = [max(1, round(side / times)) for side in image.size]
    small = image.resize(size, Image.Resampling.BOX, reducing_gap=2.0)
    return small, np.array([image.width / size[0], image.height / size[1]] * 2)


def opencv() -> types.ModuleType:
    """Return `cv2`, or raise an `InputError` that says how to install it."""
    try:
        import cv2
    except ImportError as error:
        raise InputError(
            "The detector haar, videos and cameras need OpenCV: pip install 'fer-keras[faces]'. "
            "The detector mtcnn finds faces in photographs without it."
        ) from error
    return cv2

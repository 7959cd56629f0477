"""`FER`: from photographs to faces and their expressions."""

import dataclasses
import logging
import math
import os
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np

from fer_keras.core import renames
from fer_keras.core.choices import Engine, InputScale, Tta
from fer_keras.core.errors import InputError
from fer_keras.core.files import StrPath
from fer_keras.inference import conformal
from fer_keras.recognition import boxes, classifiers, crops, detection, photos, saliency, videos
from fer_keras.recognition.decode_worker import Depth
from fer_keras.recognition.decoding import FILES, Limits
from fer_keras.recognition.faces import Face, Frame
from fer_keras.recognition.steps import Steps, finish
from fer_keras.recognition.tracking import Tracks

LOG = logging.getLogger("fer_keras")
BATCH = 32  # faces that are cropped in one step
SMALL = 100  # pixels of the longer side of an image below which it may be the crop of a face


class Found(NamedTuple):
    """A face that is not classified yet."""

    box: boxes.Box
    crop: np.ndarray


class FER:
    """Finds faces and names their expressions. May be shared by threads and used in forked processes.

        from fer_keras import FER

        faces = FER().analyze("photo.jpg")
        print(faces[0].emotion, faces[0].probabilities)

    Args:
        model: the classifier: None, "best", "tiny" or "ferplus" for a network that comes with this package,
            a `.keras` or `.onnx` file, a `keras.Model`, or a callable from uint8 (n, 48, 48, 1) to probabilities
            (n, classes), whose attribute `class_names` names the classes; without it they are FER-2013's seven.
        detector: what finds the faces: "mtcnn", "haar", "none" for images that are crops of faces, the path of a
            YuNet `.onnx` file, or a callable (see `detection.Detector`).
        min_face: pixels of the side of the smallest face that is searched for, from 20; not for callables.
        margin: share of a box's longer side that is added to it. FER-2013's own frames are the squares around the
            boxes of "mtcnn" and "haar": 0.
        max_pixels: larger images are rejected.
        bit_depth: 8 to 16, of the values of images of more than 8 bits; default: that of the header, else the
            smallest of 8, 10, 12, 14 and 16 that holds the largest value, which is logged.
        engine: "auto", "keras" or "onnx", for the model (see `fer_keras.inference.opening.open_engine`) and MTCNN.
        classes: names of a `.keras` file's outputs in their order; default: those in the file.
        input_scale: the pixel values that a `.keras` file or `keras.Model` made elsewhere expects: "0-1", "0-255",
            "-1-1" or "standardized"; default: detected from its layers.
        tta: "flip" averages over each face and its mirror image, "none" does not. A callable gets each face once.
        coverage: 0.50 to 0.99, the share of faces like those of the network's calibration images whose prediction
            set holds the right class, see `fer_keras.inference.conformal`. It is not measured on videos. Default:
            no sets.
        min_confidence: 0 to 1; below this probability of the likeliest class a face abstains. Default: never.

    Attributes:
        class_names: of the probabilities, in their order.

    Raises:
        InputError: if the model or the detector cannot be loaded, or an argument is out of range.
    """

    def __init__(
        self,
        model: classifiers.Model = None,
        *,
        detector: str | os.PathLike[str] | detection.Detector = "mtcnn",
        min_face: int = detection.MIN_FACE,
        margin: float = 0.0,
        max_pixels: int = photos.MAX_PIXELS,
        bit_depth: int | None = None,
        engine: Engine = "auto",
        classes: tuple[str, ...] | None = None,
        input_scale: InputScale | None = None,
        tta: Tta = "flip",
        coverage: float | None = None,
        min_confidence: float | None = None,
    ) -> None:
        if tta not in classifiers.TTA:
            raise InputError(f"FER knows the test-time augmentations {classifiers.TTA}. Received {tta!r}.")
        self.classifier = classifiers.classifier(model, engine=engine, classes=classes, input_scale=input_scale)
        self.detector = detection.detector(detector, min_face=min_face, engine=engine)
        self.class_names = classifiers.class_names(self.classifier)
        self.tta: Tta = tta
        self.coverage, self._threshold = coverage, None
        if coverage is not None:
            name = getattr(self.classifier, "name", "The classifier")
            found = getattr(self.classifier, "conformal", None) or {}
            self._threshold = conformal.threshold(found.get(tta), coverage, name)
        if min_confidence is not None and not 0 <= min_confidence <= 1:
            raise InputError(f"min_confidence must be from 0 to 1. Received {min_confidence!r}.")
        self.min_confidence = min_confidence
        if not -1 < margin < math.inf:
            raise InputError(f"margin must be a share of the box's side, more than -1. Received {margin!r}.")
        self.margin = margin
        self.max_pixels = max_pixels
        photos.check_bit_depth(bit_depth)
        self.bit_depth = bit_depth
        self._hinted = False
        self._depths: set[Depth] = set()  # that were logged
        self._lock = threading.Lock()  # Keras models are not thread-safe
        if "keras" in sys.modules:
            from fer_keras.backend import forking

            forking.prepare()

    if not TYPE_CHECKING:  # else every attribute would exist for type checkers

        def __getattr__(self, name):
            raise renames.missing_attribute("fer_keras.FER", name)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._lock = threading.Lock()

    @property
    def min_face(self) -> int | None:
        """Pixels of the side of the smallest face that the detector searches for; None if it has no limit."""
        return getattr(self.detector, "min_face", None)

    def analyze(self, image: photos.Photo, *, bgr: bool = False) -> list[Face]:
        """Return the list of `Face` in the image, the largest first; the list is empty if it shows no face.

        Args:
            image: path, `bytes` of a file, PIL image, or array with red first (see `photos.read`).
            bgr: the array has blue first, as OpenCV reads it.

        Raises:
            InputError: if the image cannot be read, or your own detector or classifier returns invalid values.
        """
        return self.analyze_many([image], bgr=bgr)[0]

    @overload
    def analyze_many(self, images: Iterable[photos.Photo], *, bgr: bool = False) -> list[list[Face]]: ...

    @overload
    def analyze_many(
        self, images: Iterable[photos.Photo], *, bgr: bool = False, return_errors: bool
    ) -> list[list[Face] | InputError]: ...

    def analyze_many(
        self, images: Iterable[photos.Photo], *, bgr: bool = False, return_errors: bool = False
    ) -> Any:
        """Return one list of `Face` for each of `images`; all faces go through the model together.

        Args:
            images: iterable of what `analyze` takes.
            bgr: as for `analyze`.
            return_errors: put the `InputError` of an image that cannot be read in its place, and go on.
        """
        found: list[list[Found] | InputError] = []
        for image in images:
            try:
                found.append(self.find(image, bgr=bgr))
            except InputError as error:
                if not return_errors:
                    raise
                found.append(error)
        classified = iter(self.classify([face for faces in found if isinstance(faces, list) for face in faces]))
        return [faces if isinstance(faces, InputError) else [next(classified) for _ in faces] for faces in found]

    def analyze_video(self, path: str | os.PathLike[str], *, every: float = 0.2) -> Iterator[Frame]:
        """Yield a `Frame` every so many seconds of the video file, its faces tracked; see `follow`.

        Raises:
            InputError: if the video cannot be read; if only a part of it can, after the frames of that part.
        """
        video = videos.Video(path, max_pixels=self.max_pixels)
        yield from self.follow(video.frames(every=every))
        if video.fault:
            raise InputError(video.fault)

    def follow(self, frames: Iterable[tuple[float, np.ndarray]], *, batch_size: int = 16) -> Iterator[Frame]:
        """Yield a `Frame` for each of `frames`, its faces tracked and their probabilities smoothed over time.

        Args:
            frames: iterable of (seconds, uint8 (height, width, 3) with red first).
            batch_size: frames whose faces go through the model together.
        """
        tracks = Tracks()
        for batch in batched(frames, batch_size):
            analyzed = self.analyze_many(image for _, image in batch)
            for (time, image), faces in zip(batch, analyzed, strict=True):
                yield Frame(time, [self._answered(face) for face in tracks.update(time, faces)], image)

    def saliency(self, faces: Sequence[Face], emotion: str | None = None) -> np.ndarray:
        """Return the occlusion sensitivity of each face, (n, 48, 48) float32, see `saliency.occlusion`.

        Args:
            faces: as `analyze` returns them; the values belong to the pixels of `Face.crop`.
            emotion: class whose probability is observed; default: the likeliest of each face.

        Raises:
            InputError: if there is no such class.
        """
        if emotion not in (None, *self.class_names):
            raise InputError(f"Unknown emotion {emotion!r}. Expected one of: {', '.join(self.class_names)}.")
        codes = [self.class_names.index(emotion or face.emotion) for face in faces]
        return saliency.occlusion(self._probabilities, [face.crop for face in faces], codes)

    def find(self, image: photos.Photo, *, bgr: bool = False) -> list[Found]:
        """Return the faces of an image, detected and cropped, to be classified by `classify`."""
        return finish(self.find_in_steps(self.read(image, bgr=bgr)))

    def find_in_steps(self, rgb: np.ndarray) -> Steps[list[Found]]:
        """Find faces as `find` does, in steps, in pixels as `read` returns them."""
        _check_fork()
        self._hint(rgb)
        found = boxes.checked((yield from detection.steps(self.detector, rgb)), rgb.shape)
        faces = []
        for some in batched(found, BATCH):
            faces += [Found(box, crops.crop(rgb, box, self.margin, crops.roll(box.landmarks))) for box in some]
            yield
        return faces

    def read(self, image: photos.Photo, *, bgr: bool = False, limits: Limits = FILES) -> np.ndarray:
        """Return the image as `photos.read` does, with the limits and the bit depth of this `FER`."""
        options: dict[str, Any] = {"max_pixels": self.max_pixels, "bit_depth": self.bit_depth}
        return photos.read(image, bgr=bgr, limits=limits, on_depth=self._log_depth, **options)

    def _log_depth(self, name: StrPath, depth: Depth) -> None:
        """Log how the first image of each depth was read."""
        if depth not in self._depths:
            self._depths.add(depth)
            photos.log_depth(name, depth)

    def classify(self, found: Sequence[Found]) -> list[Face]:
        """Return a `Face` for each `Found`; they go through the model together."""
        if not found:
            return []
        rows = self._probabilities(np.stack([face.crop for face in found]))
        faces = [
            Face(
                box=box[:4],
                score=box.score,
                probabilities=dict(zip(self.class_names, map(float, row), strict=True)),
                crop=crop,
                landmarks=box.landmarks,
            )
            for (box, crop), row in zip(found, rows, strict=True)
        ]
        return [self._answered(face) for face in faces]

    def _answered(self, face: Face) -> Face:
        """Return `face` with the prediction set and the abstention that are asked for."""
        names, unsure = None, None
        if self.coverage is not None:
            names = conformal.prediction_set(face.probabilities, self._threshold)
        if self.min_confidence is not None:
            unsure = max(face.probabilities.values()) < self.min_confidence
        return dataclasses.replace(face, prediction_set=names, abstains=unsure)

    def _hint(self, rgb: np.ndarray) -> None:
        """Log once that an image may be the crop of a face, which needs no detector."""
        if self.min_face and not self._hinted and max(rgb.shape[:2]) < SMALL:
            self._hinted = True
            LOG.warning(
                "An image has only %d x %d pixels. The detector 'none' takes images that are crops of a single "
                "face as they are.",
                *rgb.shape[1::-1],
            )

    def _probabilities(self, crops: np.ndarray) -> np.ndarray:
        _check_fork()
        with self._lock:
            return classifiers.classify(self.classifier, crops, tta=self.tta)


def _check_fork() -> None:
    if "keras" in sys.modules:
        from fer_keras.backend import forking

        forking.check()


def batched(values: Iterable, size: int) -> Iterator[list]:
    """Yield lists of up to `size` values."""
    batch = []
    for value in values:
        batch.append(value)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch

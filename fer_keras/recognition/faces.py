"""What recognition returns: a face, a frame of a video, the result of a file."""

import dataclasses
from typing import Any

import numpy as np

from fer_keras.recognition import boxes
from fer_keras.recognition.layout import reading_order


@dataclasses.dataclass(frozen=True)
class Face:
    """A face and its expression.

    Args:
        box: x, y, width, height in pixels of the upright image.
        score: the detector's, see `boxes.Box`; None for the detector "none".
        probabilities: `{class name: fraction}`, in the order of `FER.class_names`, with sum 1.
        crop: the input of the classifier, uint8 (48, 48, 1).
        track: the number, from 1, of this face in a video; None in a photograph.
        landmarks: eyes, nose and corners of the mouth, see `boxes.Landmarks`; None if the detector gives none.
        prediction_set: the classes that hold the right one at the coverage that `FER` was given, the likeliest
            first; None without coverage.
        abstains: whether the highest probability is below `FER`'s min_confidence; None without.
    """

    box: tuple[int, int, int, int]
    score: float | None
    probabilities: dict[str, float] = dataclasses.field(hash=False)
    crop: np.ndarray = dataclasses.field(repr=False, compare=False)
    track: int | None = None
    landmarks: boxes.Landmarks | None = None
    prediction_set: tuple[str, ...] | None = None
    abstains: bool | None = None

    @property
    def answer(self) -> str:
        """The answer in words: "unsure" where it abstains, the prediction set ("angry or sad"), or the emotion."""
        if self.abstains:
            return "unsure"
        return self.emotion if self.prediction_set is None else " or ".join(self.prediction_set)

    @property
    def emotion(self) -> str:
        """The likeliest class."""
        return max(self.probabilities, key=self.probabilities.__getitem__)

    def as_dict(self) -> dict:
        """Return values for JSON: box, score, landmarks, emotion and probabilities, the track in a video, and
        prediction_set and abstains if `FER` was asked for them."""
        points = self.landmarks and {name: list(point) for name, point in self.landmarks._asdict().items()}
        values: dict[str, Any] = {"box": list(self.box), "score": self.score, "landmarks": points}
        if self.track is not None:
            values["track"] = self.track
        values |= {"emotion": self.emotion, "probabilities": dict(self.probabilities)}
        if self.prediction_set is not None:
            values["prediction_set"] = list(self.prediction_set)
        return values if self.abstains is None else values | {"abstains": self.abstains}


@dataclasses.dataclass(frozen=True)
class Frame:
    """The faces in one frame of a video, `time` seconds after its start; `image` is uint8 (height, width, 3)."""

    time: float
    faces: list[Face]
    image: np.ndarray = dataclasses.field(repr=False, compare=False)


@dataclasses.dataclass(frozen=True)
class Result:
    """The result of a file: `faces` of a photograph, `frames` (without their images) of a video.

    `error` says what went wrong. If there are faces or frames too, only a part could be read, or a drawing failed.
    `min_face` is the side in pixels of the smallest face that was searched for; None if the detector has no limit.
    """

    path: str
    faces: list[Face] | None = None
    frames: list[Frame] | None = None
    error: str | None = None
    min_face: int | None = None

    @property
    def answered(self) -> bool:
        """Whether something of the file could be read."""
        return self.faces is not None or self.frames is not None

    def as_dict(self) -> dict:
        """Return values for JSON; faces of a photograph have a `number`, from 1 in reading order."""
        values: dict[str, object] = {"path": self.path}
        if self.error is not None:
            values["error"] = self.error
        if self.answered:
            values["min_face"] = self.min_face
        if self.frames is not None:
            values["frames"] = [
                {"time": frame.time, "faces": [face.as_dict() for face in frame.faces]} for frame in self.frames
            ]
        if self.faces is not None:
            numbers = reading_order([face.box for face in self.faces])
            faces = zip(numbers, self.faces, strict=True)
            values["faces"] = [{"number": number} | face.as_dict() for number, face in faces]
        return values

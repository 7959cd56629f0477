"""The JSON of the API, as OpenAPI describes it."""

from enum import StrEnum

from pydantic import BaseModel, Field

from fer_keras.data import EMOTIONS

Emotion = StrEnum("Emotion", EMOTIONS)


class Landmarks(BaseModel):
    left_eye: tuple[float, float] = Field(description="x, y in pixels; left and right as the viewer sees them")
    right_eye: tuple[float, float]
    nose: tuple[float, float]
    mouth_left: tuple[float, float]
    mouth_right: tuple[float, float]


class Face(BaseModel):
    box: tuple[int, int, int, int] = Field(description="x, y, width, height in pixels of the upright image")
    score: float | None = Field(description="the detector's; null where the whole image is the face")
    landmarks: Landmarks | None = Field(description="null where the detector gives none")
    emotion: Emotion = Field(description="the likeliest")
    probabilities: dict[Emotion, float] = Field(description="fractions with sum 1")


class Picture(BaseModel):
    width: int = Field(description="pixels of the upright image")
    height: int
    faces: list[Face] = Field(description="the largest first; empty where there is none")


class NamedPicture(Picture):
    name: str = Field(description="the file's name as it was sent")


class NamedProblem(BaseModel):
    name: str
    error: str = Field(description="why this image could not be read")


class Batch(BaseModel):
    results: list[NamedPicture | NamedProblem] = Field(description="one for each image, in their order")


class Explanation(Face):
    heat: list[list[float]] = Field(
        description="48 x 48: how much of the probability a pixel held up, in [-1, 1]; rows from above"
    )
    seen: str = Field(description="PNG in base64: what the model saw")
    why: str = Field(description="PNG in base64: the same, orange where it held the emotion up, blue against it")


class Health(BaseModel):
    status: str


class Problem(BaseModel):
    error: str = Field(description="what happened, what was expected, what to do")

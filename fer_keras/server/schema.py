"""The JSON of the API, as OpenAPI describes it."""

from pydantic import BaseModel, Field


class Landmarks(BaseModel):
    left_eye: tuple[float, float] = Field(description="x, y in pixels; left and right as the viewer sees them")
    right_eye: tuple[float, float]
    nose: tuple[float, float]
    mouth_left: tuple[float, float]
    mouth_right: tuple[float, float]


class Face(BaseModel):
    box: tuple[int, int, int, int] = Field(description="x, y, width, height in pixels of the upright image")
    score: float | None = Field(description="of the detector; null if the whole image is the face")
    landmarks: Landmarks | None = Field(description="null if the detector gives none")
    emotion: str = Field(description="the likeliest class")
    probabilities: dict[str, float] = Field(description="of each class, fractions with sum 1")
    prediction_set: list[str] | None = Field(None, description="with --coverage, the likeliest class first")
    abstains: bool | None = Field(
        None, description="with --min-confidence: whether the likeliest class is below it"
    )


class Picture(BaseModel):
    width: int = Field(description="pixels of the upright image")
    height: int
    faces: list[Face] = Field(description="the largest first; empty if none was found")


class NamedPicture(Picture):
    name: str = Field(description="file name, as it was sent")


class NamedProblem(BaseModel):
    name: str
    error: str = Field(description="why this image could not be analyzed")


class Batch(BaseModel):
    results: list[NamedPicture | NamedProblem] = Field(description="one for each image, in the order sent")


class Explanation(Face):
    heat: list[list[float]] = Field(
        description="48 x 48, top row first: probability lost by covering the pixel, in [-1, 1]"
    )
    seen: str = Field(description="PNG in base64: the face as the model sees it")
    why: str = Field(
        description="PNG in base64: the same, orange where pixels support the emotion, blue where they oppose it"
    )


class Health(BaseModel):
    status: str


class Problem(BaseModel):
    error: str = Field(description="what is wrong, what was expected, and what to do")

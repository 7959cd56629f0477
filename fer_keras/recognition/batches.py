"""Many files, one after another: each gives its faces, its frames or its error, and its drawings."""

import collections
import dataclasses
import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from fer_keras.core.errors import InputError
from fer_keras.core.files import StrPath
from fer_keras.recognition import drawing, photos, sound, videos
from fer_keras.recognition.faces import Face, Frame, Result
from fer_keras.recognition.fer import FER, batched
from fer_keras.recognition.inputs import is_video
from fer_keras.recognition.outputs import Outputs, mark_video

BATCH_SIZE = 32  # files whose faces go through the model together
NO_IMAGE = np.zeros((0, 0, 3), np.uint8)
LOG = logging.getLogger("fer_keras")


def analyze(
    fer: FER,
    files: Sequence[str],
    *,
    stdin: bytes = b"",
    every: float = 0.2,
    annotate: StrPath | None = None,
    saliency: StrPath | None = None,
    advance: Callable[[float], object] = lambda amount: None,
) -> Iterator[Result]:
    """Yield one `Result` for each of `files`; a file that cannot be read does not stop the others.

    Args:
        fer: `FER`.
        files: paths as `str`, "-" for the image in `stdin`.
        stdin: `bytes`.
        every: least seconds between analyzed frames of a video.
        annotate: folder for the photographs and videos with boxes and bars, and the timelines of the videos.
        saliency: folder for the occlusion sensitivity of each face of a photograph.
        advance: called with each further share of a file that is done, for a progress bar.
    """
    outputs = Outputs(files, annotate=annotate, saliency=saliency)
    for batch in batched(files, BATCH_SIZE):
        photographs = [path for path in batch if not is_video(path)]
        images = [stdin if path == "-" else path for path in photographs]
        faces = dict(zip(photographs, fer.analyze_many(images, return_errors=True), strict=True))
        for path in batch:
            meter = Meter(advance)
            if path in faces:
                yield photograph(fer, path, stdin if path == "-" else path, faces[path], outputs)
            else:
                yield film(fer, path, every, outputs, meter)
            meter.reach(1)


def as_json(results: list[Result]) -> str:
    """Return the `Result`s as JSON, in ASCII."""
    return json.dumps([result.as_dict() for result in results], indent=2, allow_nan=False) + "\n"


def photograph(
    fer: FER, path: str, image: photos.Photo, faces: list[Face] | InputError, outputs: Outputs
) -> Result:
    """Return the `Result` of a photograph whose faces are known, and draw it."""
    if isinstance(faces, InputError):
        return Result(path, error=str(faces))
    result = Result(path, faces=faces, min_face=fer.min_face)
    return with_drawings(result, lambda: draw_photograph(path, faces, fer, image, outputs))


def film(fer: FER, path: str, every: float, outputs: Outputs, meter: "Meter") -> Result:
    """Return the `Result` of a video, and draw it."""
    passes = 2 if outputs.annotate else 1
    try:
        video = videos.Video(path, max_pixels=fer.max_pixels)
        followed = fer.follow(meter.watch(video.frames(every=every), video.length, passes))
        # An hour of images would fill the memory.
        frames = [dataclasses.replace(frame, image=NO_IMAGE) for frame in followed]
    except InputError as error:
        return Result(path, error=str(error))
    result = Result(path, frames=frames, error=video.fault, min_face=fer.min_face)
    if not outputs.annotate:
        return result
    return with_drawings(result, lambda: draw_film(path, frames, video, outputs, meter))


def with_drawings(result: Result, draw: Callable[[], None]) -> Result:
    """Return the result after `draw` was called; a drawing that fails does not lose what was found."""
    try:
        draw()
    except (InputError, OSError) as error:
        errors = [*filter(None, [result.error]), f"{result.path} was read, but the drawing failed: {error}."]
        return dataclasses.replace(result, error=" ".join(errors))
    return result


def draw_photograph(path: str, faces: list[Face], fer: FER, image: photos.Photo, outputs: Outputs) -> None:
    """Draw the boxes of a photograph, and the occlusion sensitivity of its faces, where they are asked for."""
    if outputs.annotate:
        rgb = fer.read(image)
        outputs.save(drawing.annotate(rgb, faces), outputs.annotate, path, ".png")
    if outputs.saliency:
        for i, (face, heat) in enumerate(zip(faces, fer.saliency(faces), strict=True), start=1):
            outputs.save(drawing.saliency_map(face, heat), outputs.saliency, path, f"_face{i}.png")


def draw_film(path: str, analyzed: list[Frame], video: videos.Video, outputs: Outputs, meter: "Meter") -> None:
    """Draw the video with the faces of its analyzed frames, at its own rate and with its sound, and a timeline."""
    from fer_keras.recognition import timelines

    folder = outputs.annotate or ""
    frames = meter.watch(video.frames(), video.length, passes=2)
    images = ((time, np.asarray(drawing.annotate(rgb, faces))) for time, rgb, faces in held(frames, analyzed))
    rate = video.rate
    with outputs.writing(folder, path, ".mp4") as temporary:
        with videos.writer(temporary, rate) as append:
            for image in videos.at_rate(images, rate):
                append(image)
        if reason := sound.add(video.path, temporary):
            LOG.info("%s is drawn without its sound: %s.", path, reason)
        mark_video(temporary)
    seen = [(frame.time, face) for frame in analyzed for face in frame.faces]
    figure = timelines.timeline(os.path.basename(path), seen)
    with outputs.writing(folder, path, "_timeline.png") as temporary:
        timelines.write(figure, temporary)


def held(
    frames: Iterable[tuple[float, np.ndarray]], analyzed: Iterable[Frame]
) -> Iterator[tuple[float, np.ndarray, list[Face]]]:
    """Yield (seconds, image, faces) for each of `frames`, with the faces of the latest analyzed frame."""
    coming = collections.deque(analyzed)
    faces: list[Face] = []
    for time, image in frames:
        while coming and coming[0].time <= time:
            faces = coming.popleft().faces
        yield time, image, faces


class Meter:
    """Reports how much of one file is done."""

    def __init__(self, advance: Callable[[float], object]) -> None:
        self.advance = advance
        self.done = 0.0

    def reach(self, share: float) -> None:
        """Report that this share of the file, 0 to 1, is done."""
        self.advance(share - self.done)
        self.done = share

    def watch(
        self, frames: Iterable[tuple[float, np.ndarray]], length: float, passes: int
    ) -> Iterator[tuple[float, np.ndarray]]:
        """Yield the `frames`, (seconds, image), of one of several passes over a video of `length` seconds."""
        before = self.done
        for frame in frames:
            yield frame
            if length:
                self.reach(before + min(frame[0] / length, 1.0) / passes)

"""Many files, one after another: each gives its faces, its frames or its error, and its drawings."""

import collections
import dataclasses
import json
import logging
import os

import numpy as np

from fer_keras.core.errors import InputError
from fer_keras.recognition import drawing, sound, videos
from fer_keras.recognition.faces import Result
from fer_keras.recognition.fer import batched
from fer_keras.recognition.inputs import is_video
from fer_keras.recognition.outputs import Outputs, mark_video

BATCH_SIZE = 32  # files whose faces go through the model together
LOG = logging.getLogger("fer_keras")


def analyze(fer, files, *, stdin=None, every=0.2, annotate=None, saliency=None, advance=lambda amount: None):
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


def photograph(fer, path, image, faces, outputs):
    if isinstance(faces, InputError):
        return Result(path, error=str(faces))
    return with_drawings(Result(path, faces=faces, min_face=fer.min_face), draw_photograph, fer, image, outputs)


def film(fer, path, every, outputs, meter):
    passes = 2 if outputs.annotate else 1
    try:
        video = videos.Video(path, max_pixels=fer.max_pixels)
        frames = fer.follow(meter.watch(video.frames(every=every), video.length, passes))
        frames = [dataclasses.replace(frame, image=None) for frame in frames]  # an hour of images fills the memory
    except InputError as error:
        return Result(path, error=str(error))
    result = Result(path, frames=frames, error=video.fault, min_face=fer.min_face)
    return with_drawings(result, draw_film, video, outputs, meter) if outputs.annotate else result


def with_drawings(result, draw, *arguments):
    """Return the result after `draw` was called; a drawing that fails does not lose what was found."""
    try:
        draw(result, *arguments)
    except (InputError, OSError) as error:
        errors = [*filter(None, [result.error]), f"{result.path} was read, but the drawing failed: {error}."]
        return dataclasses.replace(result, error=" ".join(errors))
    return result


def draw_photograph(result, fer, image, outputs):
    if outputs.annotate:
        rgb = fer.read(image)
        outputs.save(drawing.annotate(rgb, result.faces), outputs.annotate, result.path, ".png")
    if outputs.saliency:
        for i, (face, heat) in enumerate(zip(result.faces, fer.saliency(result.faces), strict=True), start=1):
            outputs.save(drawing.saliency_map(face, heat), outputs.saliency, result.path, f"_face{i}.png")


def draw_film(result, video, outputs, meter):
    """Draw the video with the faces of its analyzed frames, at its own rate and with its sound, and a timeline."""
    from fer_keras.recognition import timelines

    frames = meter.watch(video.frames(), video.length, passes=2)
    images = ((time, np.asarray(drawing.annotate(rgb, faces))) for time, rgb, faces in held(frames, result.frames))
    rate = video.rate
    with outputs.writing(outputs.annotate, result.path, ".mp4") as temporary:
        with videos.writer(temporary, rate) as append:
            for image in videos.at_rate(images, rate):
                append(image)
        if reason := sound.add(video.path, temporary):
            LOG.info("%s is drawn without its sound: %s.", result.path, reason)
        mark_video(temporary)
    seen = [(frame.time, face) for frame in result.frames for face in frame.faces]
    figure = timelines.timeline(os.path.basename(result.path), seen)
    with outputs.writing(outputs.annotate, result.path, "_timeline.png") as temporary:
        timelines.write(figure, temporary)


def held(frames, analyzed):
    """Yield (seconds, image, faces) for each of `frames`, with the faces of the latest analyzed frame."""
    analyzed = collections.deque(analyzed)
    faces = []
    for time, image in frames:
        while analyzed and analyzed[0].time <= time:
            faces = analyzed.popleft().faces
        yield time, image, faces


class Meter:
    """Reports how much of one file is done."""

    def __init__(self, advance):
        self.advance = advance
        self.done = 0.0

    def reach(self, share):
        self.advance(share - self.done)
        self.done = share

    def watch(self, frames, length, passes):
        """Yield the `frames`, (seconds, image), of one of several passes over a video of `length` seconds."""
        before = self.done
        for frame in frames:
            yield frame
            if length:
                self.reach(before + min(frame[0] / length, 1.0) / passes)

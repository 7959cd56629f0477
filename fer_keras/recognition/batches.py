"""Many files, one after another: each gives its faces, its frames or its error."""

import dataclasses
import os

import numpy as np

from fer_keras.core.errors import InputError
from fer_keras.recognition import drawing, photos, videos
from fer_keras.recognition.fer import Face, Frame, batched
from fer_keras.recognition.inputs import is_video
from fer_keras.recognition.outputs import PNG_TEXT, Outputs, mark_video

BATCH_SIZE = 32  # files whose faces go through the model together


@dataclasses.dataclass(frozen=True)
class Result:
    """What a file gave: `faces` for a photograph, `frames` (without their images) for a video, else `error`."""

    path: str
    faces: list[Face] | None = None
    frames: list[Frame] | None = None
    error: str | None = None

    def as_dict(self):
        """Return what JSON can hold."""
        if self.error is not None:
            return {"path": self.path, "error": self.error}
        if self.frames is not None:
            frames = [{"time": f.time, "faces": [face.as_dict() for face in f.faces]} for f in self.frames]
            return {"path": self.path, "frames": frames}
        return {"path": self.path, "faces": [face.as_dict() for face in self.faces]}


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
    outputs = Outputs(files, [folder for folder in (annotate, saliency) if folder])
    for batch in batched(files, BATCH_SIZE):
        photographs = [path for path in batch if not is_video(path)]
        images = [stdin if path == "-" else path for path in photographs]
        faces = dict(zip(photographs, fer.analyze_many(images, return_errors=True), strict=True))
        for path in batch:
            meter = Meter(advance)
            try:
                if path in faces:
                    yield photograph(
                        fer, path, stdin if path == "-" else path, faces[path], annotate, saliency, outputs
                    )
                else:
                    yield video(fer, path, every, annotate, outputs, meter)
            except InputError as error:
                yield Result(path, error=str(error))
            meter.reach(1)


def photograph(fer, path, image, faces, annotate, saliency, outputs):
    if isinstance(faces, InputError):
        raise faces
    if annotate:
        rgb = photos.read(image, max_pixels=fer.max_pixels)
        outputs.save(drawing.annotate(rgb, faces), annotate, path, ".png")
    if saliency:
        for i, (face, heat) in enumerate(zip(faces, fer.explain(faces), strict=True), start=1):
            outputs.save(drawing.explanation(face, heat), saliency, path, f"_face{i}.png")
    return Result(path, faces=faces)


def video(fer, path, every, annotate, outputs, meter):
    frames = meter.watch(fer.analyze_video(path, every=every), videos.length(path))
    if not annotate:
        return Result(path, frames=[light(frame) for frame in frames])
    kept = []
    rate = 1 / every if every else videos.rate(path)
    with outputs.writing(annotate, path, ".mp4") as temporary:
        with videos.writer(temporary, rate) as append:
            for frame in frames:
                append(np.asarray(drawing.annotate(frame.image, frame.faces)))
                kept.append(light(frame))
        mark_video(temporary)
    from fer_keras.recognition import timelines

    figure = timelines.timeline(os.path.basename(path), [(f.time, face) for f in kept for face in f.faces])
    with outputs.writing(annotate, path, "_timeline.png") as temporary:
        figure.savefig(temporary, metadata={"Software": None} | PNG_TEXT)
    return Result(path, frames=kept)


def light(frame):
    """Return the frame without its image: an hour of them would fill the memory."""
    return dataclasses.replace(frame, image=None)


class Meter:
    """Tells how far one file is."""

    def __init__(self, advance):
        self.advance = advance
        self.done = 0.0

    def reach(self, share):
        self.advance(share - self.done)
        self.done = share

    def watch(self, frames, length):
        for frame in frames:
            yield frame
            if length:
                self.reach(min(frame.time / length, 1.0))

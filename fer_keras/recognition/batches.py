"""Many files, one after another: each gives its faces, its frames or its error."""

import dataclasses
import glob
import os
import pathlib

import numpy as np

from fer_keras.core.errors import InputError
from fer_keras.core.files import writing
from fer_keras.recognition import drawing, photos, videos
from fer_keras.recognition.fer import Face, Frame, batched

PICTURES = (".bmp", ".gif", ".jpeg", ".jpg", ".mpo", ".png", ".ppm", ".tif", ".tiff", ".webp")
BATCH_SIZE = 32  # files whose faces go through the model together


@dataclasses.dataclass(frozen=True)
class Result:
    """What a file gave: `faces` for a photograph, `frames` (without their images) for a video, else `error`.

    `min_face` is the side in pixels of the smallest face that was searched for, None if the detector does not say.
    """

    path: str
    faces: list[Face] | None = None
    frames: list[Frame] | None = None
    error: str | None = None
    min_face: int | None = None

    def as_dict(self):
        """Return what JSON can hold."""
        if self.error is not None:
            return {"path": self.path, "error": self.error}
        if self.frames is not None:
            frames = [{"time": f.time, "faces": [face.as_dict() for face in f.faces]} for f in self.frames]
            return {"path": self.path, "min_face": self.min_face, "frames": frames}
        return {"path": self.path, "min_face": self.min_face, "faces": [face.as_dict() for face in self.faces]}


def expand(paths):
    """Return the files that `paths` name, each once: files, those in folders and below, and those of patterns.

    In folders, what is neither picture nor video by its name is passed over. What does not exist is kept, so that
    it is reported when it is read; "-" stands for standard input.

    Raises:
        InputError: if a folder has no picture or video, or a pattern fits nothing.
    """
    files = []
    for path in map(str, paths):
        found = [path]
        if os.path.isdir(path):
            found = [str(p) for p in sorted(pathlib.Path(path).rglob("*")) if p.is_file() and known(p)]
        elif glob.has_magic(path) and not os.path.exists(path):
            found = sorted(p for p in glob.glob(path, recursive=True) if os.path.isfile(p))
        if not found:
            raise InputError(f"{path} has no pictures or videos. Expected files ending in {', '.join(PICTURES)} …")
        files.extend(found)
    return list(dict.fromkeys(files))


def known(path):
    return path.suffix.lower() in PICTURES or is_video(path)


def is_video(path):
    return str(path).lower().endswith(videos.SUFFIXES)


def analyze(fer, files, *, stdin=None, every=0.2, annotate=None, explain=None, advance=lambda amount: None):
    """Yield one `Result` for each of `files`; a file that cannot be read does not stop the others.

    Args:
        fer: `FER`.
        files: paths as `str`, "-" for the image in `stdin`.
        stdin: `bytes`.
        every: least seconds between analyzed frames of a video.
        annotate: folder for the photographs and videos with boxes and bars, and the timelines of the videos.
        explain: folder for the pictures of what decided on each face of a photograph.
        advance: called with each further share of a file that is done, for a progress bar.
    """
    pictures = Pictures(annotate, explain)
    for batch in batched(files, BATCH_SIZE):
        photographs = [path for path in batch if not is_video(path)]
        images = [stdin if path == "-" else path for path in photographs]
        faces = dict(zip(photographs, fer.analyze_many(images, return_errors=True), strict=True))
        for path in batch:
            meter = Meter(advance)
            try:
                if path in faces:
                    yield photograph(fer, path, stdin if path == "-" else path, faces[path], pictures)
                else:
                    yield video(fer, path, every, pictures, meter)
            except InputError as error:
                yield Result(path, error=str(error))
            meter.reach(1)


def photograph(fer, path, image, faces, pictures):
    if isinstance(faces, InputError):
        raise faces
    if pictures.annotate:
        rgb = photos.read(image, max_pixels=fer.max_pixels)
        save(drawing.annotate(rgb, faces), pictures.file(pictures.annotate, path, ".png"))
    if pictures.explain:
        for i, (face, heat) in enumerate(zip(faces, fer.explain(faces), strict=True), start=1):
            save(drawing.explanation(face, heat), pictures.file(pictures.explain, path, f"_face{i}.png"))
    return Result(path, faces=faces, min_face=fer.min_face)


def video(fer, path, every, pictures, meter):
    frames = meter.watch(fer.analyze_video(path, every=every), videos.length(path))
    if not pictures.annotate:
        return Result(path, frames=[light(frame) for frame in frames], min_face=fer.min_face)
    kept = []
    rate = 1 / every if every else videos.rate(path)
    with videos.writer(pictures.file(pictures.annotate, path, ".mp4"), rate) as append:
        for frame in frames:
            append(np.asarray(drawing.annotate(frame.image, frame.faces)))
            kept.append(light(frame))
    from fer_keras.recognition import timelines

    figure = timelines.timeline(os.path.basename(path), [(f.time, face) for f in kept for face in f.faces])
    with writing(pictures.file(pictures.annotate, path, "_timeline.png")) as temporary:
        figure.savefig(temporary, metadata={"Software": None})
    return Result(path, frames=kept, min_face=fer.min_face)


def light(frame):
    """Return the frame without its image: an hour of them would fill the memory."""
    return dataclasses.replace(frame, image=None)


def save(image, path):
    with writing(path) as temporary:
        image.save(temporary)


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


class Pictures:
    """The folders of pictures, and a name in them for each, never the same twice."""

    def __init__(self, annotate, explain):
        self.annotate, self.explain = annotate, explain
        self.used = set()

    def file(self, folder, path, ending):
        stem = "stdin" if path == "-" else pathlib.Path(path).stem
        candidates = (f"{stem}{number}{ending}" for number in ("", *(f"-{i}" for i in range(2, 1 << 20))))
        name = next(name for name in candidates if (folder, name.lower()) not in self.used)
        self.used.add((folder, name.lower()))
        return pathlib.Path(folder, name)

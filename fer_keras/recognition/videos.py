"""Frames of a video file with their times, and frames written as a video."""

import contextlib
import os

from fer_keras.core.errors import InputError
from fer_keras.core.files import writing
from fer_keras.recognition.detection import opencv
from fer_keras.recognition.photos import MAX_PIXELS, check_size

# What cameras, telephones, screen recorders and web sites write, and streams without a container.
SUFFIXES = (
    *(".264", ".3g2", ".3gp", ".asf", ".avi", ".divx", ".f4v", ".flv", ".h264", ".m2ts", ".m2v", ".m4v", ".mjpeg"),
    *(".mkv", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mts", ".mxf", ".ogm", ".ogv", ".qt", ".ts", ".vob"),
    *(".webm", ".wmv", ".y4m"),
)


def frames(path, *, every=0.0, max_pixels=MAX_PIXELS):
    """Yield (seconds, uint8 (height, width, 3) with red first) of the video file `path`.

    Args:
        path: `str` or `Path`.
        every: seconds; the first frame at or after each multiple of it is taken, all with 0.
        max_pixels: videos with larger frames are refused.

    Raises:
        InputError: if it is no video that OpenCV can read.
    """
    cv2 = opencv()
    with opened(path) as capture:
        width, height = (int(capture.get(p)) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        check_size(width, height, path, max_pixels)
        due, any_read = 0.0, False
        while capture.grab():
            time = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            if time < due - 1e-6:
                continue
            ok, bgr = capture.retrieve()
            if not ok:
                break
            any_read = True
            yield time, cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
            due = max(due + every, time)
        if not any_read:
            raise InputError(f"No frame of {path} can be decoded. It may be cut short: copy it again.")


def length(path):
    """Return the seconds that the video lasts by its own account, 0 where it does not tell."""
    with opened(path) as capture:
        rate = capture.get(opencv().CAP_PROP_FPS)
        return max(capture.get(opencv().CAP_PROP_FRAME_COUNT), 0) / rate if rate > 0 else 0.0


def rate(path):
    """Return the frames a second that the video names, 25 where it names none."""
    with opened(path) as capture:
        return capture.get(opencv().CAP_PROP_FPS) or 25.0


@contextlib.contextmanager
def opened(path):
    cv2 = opencv()
    if not os.path.isfile(path):
        raise InputError(f"There is no video file {path}.")
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)  # others would take a name with % for many pictures
    try:
        if not capture.isOpened():
            raise InputError(f"{path} is no video that OpenCV can read, or it is cut short.")
        yield capture
    finally:
        capture.release()


@contextlib.contextmanager
def writer(path, rate):
    """Yield a function that appends an RGB frame to the MP4 file `path`, of `rate` frames a second.

    The file is whole or not there; it is not written if no frame was appended.
    """
    cv2 = opencv()
    video = None

    def append(rgb):
        nonlocal video
        if video is None:
            video = cv2.VideoWriter(str(temporary), cv2.VideoWriter_fourcc(*"mp4v"), rate, rgb.shape[1::-1])
            if not video.isOpened():
                raise InputError("This OpenCV cannot write MP4. Install it anew: pip install 'fer-keras[faces]'.")
        video.write(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))

    with writing(path) as temporary:
        try:
            yield append
        finally:
            if video is not None:
                video.release()

"""Frames of a video file with their times, and frames written as a video."""

import contextlib
import math
import os
import pathlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from fer_keras.core.errors import InputError
from fer_keras.core.files import StrPath
from fer_keras.recognition import containers
from fer_keras.recognition.detection import opencv
from fer_keras.recognition.photos import MAX_PIXELS, check_size

# What cameras, telephones, screen recorders and web sites write, and streams without a container.
SUFFIXES = (
    *(".264", ".3g2", ".3gp", ".asf", ".avi", ".divx", ".f4v", ".flv", ".h264", ".m2ts", ".m2v", ".m4v", ".mjpeg"),
    *(".mkv", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mts", ".mxf", ".ogm", ".ogv", ".qt", ".ts", ".vob"),
    *(".webm", ".wmv", ".y4m"),
)


USUAL_RATE = 25.0  # frames a second where a video names none
MOST_FRAMES = 240  # a second; a higher rate that a video names is a unit of time
MOST_UNDECODED = 100  # pictures in a row that cannot be decoded; after more a video counts as ended
LONGEST_GAP = 3600.0  # seconds from one frame to the next; more is a broken time stamp


class Video:
    """A video file, read with OpenCV.

    Args:
        path: `str` or `Path`.
        max_pixels: videos with larger frames are refused.

    Raises:
        InputError: if it is no video that OpenCV can read.
    """

    def __init__(self, path: str | os.PathLike, *, max_pixels: int = MAX_PIXELS) -> None:
        cv2 = opencv()
        self.path = path
        with opened(path) as capture:
            width, height = (int(capture.get(p)) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
            check_size(width, height, path, max_pixels)
            named, count = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self._named_rate = named if 0 < named <= MOST_FRAMES else USUAL_RATE
        self._container_fault = containers.fault(path)
        self.length = self._declared(count)
        self._clock = Clock(1 / self._named_rate)
        self._undecoded = 0

    def _declared(self, count: float) -> float:
        """Return the declared length in seconds, 0 if there is none."""
        length = count / self._named_rate if 0 < count < 1e9 else 0.0
        return min(length, containers.seconds(self.path) or length)

    def frames(self, *, every: float = 0.0) -> Iterator[tuple[float, np.ndarray]]:
        """Yield (seconds, uint8 (height, width, 3) with red first); the seconds rise.

        Args:
            every: seconds; of each interval of this length the first frame is taken, all frames with 0.

        Raises:
            InputError: if no frame can be decoded.
        """
        cv2 = opencv()
        clock = self._clock = Clock(1 / self._named_rate)
        self._undecoded = 0
        due, is_empty = 0.0, True
        with opened(self.path) as capture:
            while self._grab(capture):
                time = clock.next(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
                if time < due - 1e-6:
                    continue
                ok, bgr = capture.retrieve()
                if not ok:
                    self._undecoded += 1
                    continue
                is_empty = False
                yield time, cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
                due = (math.floor(time / every + 1e-6) + 1) * every if every else 0.0
        if is_empty:
            raise InputError(f"No frame of {self.path} can be decoded. It may be cut short: copy it again.")

    def _grab(self, capture: Any) -> bool:
        """Go on to the next picture that can be decoded, and count those before it; return False at the end.

        OpenCV gives up at a picture that cannot be decoded, but goes on when it is asked again.
        """
        for undecoded in range(MOST_UNDECODED):
            if capture.grab():
                self._undecoded += undecoded
                return True
        return False

    @property
    def rate(self) -> float:
        """Frames a second, after `frames` has read the video; of a variable rate the fastest that lasts."""
        intervals = sorted(self._clock.intervals)
        if not intervals:
            return self._named_rate
        measured = 1 / intervals[len(intervals) // 10]
        is_named = 0.8 < measured / self._named_rate < 1.25
        return self._named_rate if is_named else min(measured, MOST_FRAMES)

    @property
    def fault(self) -> str | None:
        """What was wrong with the file, after `frames` has read it; None if nothing was."""
        faults = [self._container_fault] if self._container_fault else self._missing()
        if (broken := self._clock.broken) is not None:
            faults.append(
                f"its time stamps do not rise after {broken:.2f} s: later times are estimated, "
                f"at {self._named_rate:g} frames a second"
            )
        if self._undecoded:
            faults.append(f"{self._undecoded} of its frames cannot be decoded")
        if not faults:
            return None
        return f"{self.path} was read for {self._clock.end:.2f} s, but {'; '.join(faults)}."

    def _missing(self) -> list[str]:
        """Return what is wrong if the frames end well before the length that the file declares."""
        missing = self.length - self._clock.end
        if not containers.declares_pictures(self.path) or missing <= max(3 / self._named_rate, 0.02 * self.length):
            return []
        return [f"it declares {self.length:.2f} s: it is damaged or cut short"]


class Clock:
    """Turns time stamps into times that rise with every frame.

    A stamp that does not rise, or leaps, is taken for the start of another video, one frame later.

    Args:
        interval: seconds of a frame whose stamp is of no use.
    """

    def __init__(self, interval: float) -> None:
        self.interval = interval
        self.time: float | None = None
        self.intervals: list[float] = []
        self._stamp = 0.0
        self._offset = 0.0
        self._breaks: list[tuple[int, float]] = []  # (number of the frame, time before it)

    def next(self, stamp: float) -> float:
        """Return the time of the next frame."""
        if self.time is None:
            self.time = stamp
        else:
            if not 0 < stamp - self._stamp < LONGEST_GAP:
                self._breaks.append((len(self.intervals), self.time))
                self._offset = self.time + self.interval - stamp
            self.intervals.append(stamp + self._offset - self.time)
            self.time = stamp + self._offset
        self._stamp = stamp
        return self.time

    @property
    def end(self) -> float:
        """Seconds at which the last frame ends; 0 before the first."""
        return 0.0 if self.time is None else self.time + self.interval

    @property
    def broken(self) -> float | None:
        """Seconds of the frame before the first break; None without one.

        The last two frames do not count: decoders give them out without a stamp in videos that are whole.
        """
        breaks = [time for number, time in self._breaks if number < len(self.intervals) - 2]
        return breaks[0] if breaks else None


@contextlib.contextmanager
def opened(path: StrPath) -> Iterator[Any]:
    """Yield OpenCV's capture of the file."""
    cv2 = opencv()
    if not os.path.isfile(path):
        raise InputError(f"There is no video file {path}.")
    with encodable(path) as name:
        capture = cv2.VideoCapture(name, cv2.CAP_FFMPEG)  # others would take a name with % for many pictures
        try:
            if not capture.isOpened():
                reason = containers.fault(path) or "it is no video that OpenCV can read, or it is cut short"
                raise InputError(f"{path} cannot be read: {reason}. Copy it again.")
            yield capture
        finally:
            capture.release()


@contextlib.contextmanager
def encodable(path: StrPath) -> Iterator[str]:
    """Yield a name of the existing file that is UTF-8: OpenCV takes no other, file systems do."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        with tempfile.TemporaryDirectory() as folder:
            link = pathlib.Path(folder, "video.mp4")
            link.symlink_to(os.path.abspath(path))
            yield str(link)
    else:
        yield str(path)


def at_rate(frames: Iterable[tuple[float, np.ndarray]], rate: float) -> Iterator[np.ndarray]:
    """Yield images at a constant `rate` a second that show what `frames`, (seconds, image), show at that time."""
    shown, image = 0, None
    for time, newer in frames:
        for _ in range(shown, round(time * rate)):
            yield newer if image is None else image
            shown += 1
        image = newer
    if image is not None:
        yield image


@contextlib.contextmanager
def writer(path: StrPath, rate: float) -> Iterator[Callable[[np.ndarray], None]]:
    """Yield a function that appends an RGB frame to the existing file `path`, as MP4 of `rate` frames a second.

    Frames of another size than the first are resized to it. Nothing is written if no frame is appended.
    """
    cv2 = opencv()
    video: Any = None
    size: tuple[int, ...] = ()

    def append(rgb: np.ndarray) -> None:
        nonlocal video, size
        if video is None:
            size = rgb.shape[1::-1]
            video = cv2.VideoWriter(name, cv2.VideoWriter_fourcc(*"mp4v"), rate, size)
            if not video.isOpened():
                raise InputError("This OpenCV cannot write MP4. Install it anew: pip install 'fer-keras[faces]'.")
        if rgb.shape[1::-1] != size:
            rgb = cv2.resize(rgb, size)
        video.write(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))

    with encodable(path) as name:
        try:
            yield append
        finally:
            if video is not None:
                video.release()

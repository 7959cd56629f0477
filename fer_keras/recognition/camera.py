"""A live window: what a camera sees, with faces, boxes and bars."""

import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from fer_keras.core.errors import InputError
from fer_keras.recognition import drawing
from fer_keras.recognition.detection import opencv
from fer_keras.recognition.fer import FER

if TYPE_CHECKING:
    import tkinter


def show(fer: FER, source: str | int = "0") -> None:
    """Show the camera's mirrored picture in a window until it is closed or Escape or q is pressed.

    Args:
        fer: `FER`.
        source: number of the camera, from 0, or the address of a stream.

    Raises:
        InputError: if there is no screen, no such camera, or the camera stops.
    """
    window = new_window()
    camera = Camera(source)
    try:
        run(window, camera, fer)
    finally:
        camera.close()


def new_window() -> "tkinter.Tk":
    """Return an empty window.

    Raises:
        InputError: if Python has no tkinter or there is no screen.
    """
    try:
        import tkinter
    except ImportError as error:
        raise InputError(
            "A window needs Python's tkinter: on Debian and Ubuntu, apt install python3-tk."
        ) from error
    try:
        window = tkinter.Tk()
    except tkinter.TclError as error:
        raise InputError(
            f"There is no screen to show the camera on ({error}). Run this on a desktop, or name video files."
        ) from error
    window.title("fer-keras")
    return window


def run(window: "tkinter.Tk", camera: "Camera", fer: FER) -> None:
    """Analyze and show one frame after another, always the newest, until the window is closed."""
    import tkinter

    from PIL import ImageTk

    picture = tkinter.Label(window)
    picture.pack()
    running = True

    def stop(event: object = None) -> None:
        nonlocal running
        running = False

    window.protocol("WM_DELETE_WINDOW", stop)
    for key in ("<Escape>", "q"):
        window.bind(key, stop)
    for frame in fer.follow(camera.frames(), batch_size=1):
        # Tk does not keep the picture: it is shown as long as this variable holds it.
        photo = ImageTk.PhotoImage(drawing.annotate(frame.image, frame.faces), master=window)
        picture.configure(image=photo)
        window.update()
        if not running:
            break
    window.destroy()


class Camera:
    """Reads a camera in a thread and keeps its newest frame, so that a slow model never lags behind."""

    def __init__(self, source: str | int) -> None:
        cv2 = opencv()
        self.source = source
        self.capture = cv2.VideoCapture(int(source) if str(source).isdigit() else str(source))
        if not self.capture.isOpened():
            self.capture.release()
            raise InputError(
                f"There is no camera {source}, or another program uses it. Expected its number, from 0."
            )
        self.ready = threading.Condition()
        self.newest: tuple[float, np.ndarray] | None = None  # time in seconds, picture with blue first
        self.open = True
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self) -> None:
        """Keep the newest frame until the camera stops or is closed."""
        while self.open:
            ok, bgr = self.capture.read()
            with self.ready:
                self.open = self.open and ok
                if ok:
                    self.newest = (time.monotonic(), bgr)
                self.ready.notify()

    def frames(self) -> Iterator[tuple[float, np.ndarray]]:
        """Yield (seconds, RGB array, mirrored) of the newest frame, each at most once, until the camera stops."""
        start = time.monotonic()
        while True:
            with self.ready:
                self.ready.wait_for(lambda: self.newest or not self.open, timeout=5)
                taken, self.newest = self.newest, None
            if taken is None:
                raise InputError(f"Camera {self.source} gives no more pictures.")
            yield taken[0] - start, np.ascontiguousarray(taken[1][:, ::-1, ::-1])

    def close(self) -> None:
        """Stop the thread and free the camera."""
        self.open = False
        self.thread.join()
        self.capture.release()

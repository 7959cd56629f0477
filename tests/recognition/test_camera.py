"""The live window, with a camera of the tests' own, on a virtual screen where Xvfb is installed."""

import shutil
import subprocess
import sys
import threading
import time

import cv2
import numpy as np
import pytest
from helpers.portraits import plain

from fer_keras.core.errors import InputError
from fer_keras.recognition import camera

WINDOW = """
import sys; sys.path.insert(0, "tests")
import numpy as np
from PIL import ImageGrab
from helpers.portraits import brightness, plain
from fer_keras.recognition import FER, camera

shown = []
class Source:
    def frames(self):
        for i in range(9):
            yield i / 10, plain(200, 320, 240)
            shown.append(np.asarray(ImageGrab.grab()))
            if i == 2:
                window.focus_force()
                window.event_generate("<Escape>")

window = camera.new_window()
camera.run(window, Source(), FER(brightness, detector="none"))
picture = shown[1]
print(len(shown), (picture == 200).all(axis=2).sum() > 20_000, (picture == (0xE6, 0x9F, 0)).any())
"""


class Capture:
    """Gives `left` frames, of values 1, 2, …, each only when `step` is released."""

    def __init__(self, left=3):
        self.left, self.given = left, 0
        self.step = threading.Semaphore(0)
        self.released = False

    def isOpened(self):
        return self.left > 0

    def read(self):
        self.step.acquire(timeout=5)
        self.given += 1
        return (True, plain(self.given)) if self.given <= self.left else (False, None)

    def release(self):
        self.released = True


def opened(monkeypatch, capture, source="0"):
    asked = []
    monkeypatch.setattr(cv2, "VideoCapture", lambda source: asked.append(source) or capture)
    return camera.Camera(source), asked


def test_the_newest_frame_is_given_and_each_once(monkeypatch):
    capture = Capture(4)
    source, asked = opened(monkeypatch, capture)
    assert asked == [0]
    frames = source.frames()
    capture.step.release()
    assert next(frames)[1][0, 0].tolist() == [1, 1, 1]
    capture.step.release(3)
    while capture.given < 4:
        time.sleep(0.01)
    capture.step.release()
    source.thread.join()
    assert next(frames)[1][0, 0].tolist() == [4, 4, 4]  # 2 and 3 were too late
    with pytest.raises(InputError, match="Camera 0 gives no more pictures"):
        next(frames)
    source.close()
    assert capture.released


def test_the_picture_is_mirrored_with_red_first(monkeypatch):
    capture = Capture()
    bgr = np.arange(12, dtype=np.uint8).reshape(1, 4, 3)
    monkeypatch.setattr(capture, "read", lambda: (capture.step.acquire(timeout=5), bgr))
    source, _ = opened(monkeypatch, capture)
    capture.step.release()
    assert next(source.frames())[1].tolist() == [[[11, 10, 9], [8, 7, 6], [5, 4, 3], [2, 1, 0]]]
    capture.step.release(2)
    source.close()


def test_no_camera_is_told(monkeypatch):
    with pytest.raises(InputError, match="There is no camera rtsp://nowhere, or another program uses it"):
        opened(monkeypatch, Capture(0), "rtsp://nowhere")


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("Xvfb"), reason="needs Xvfb, a screen in memory")
def test_a_window_shows_frames_until_escape_is_pressed():
    pytest.importorskip("tkinter")
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", "640x480x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            screen = f"import os; os.environ['DISPLAY'] = ':{server.stdout.readline().strip()}'"
            program = [sys.executable, "-c", f"{screen}\n{WINDOW}"]
            done = subprocess.run(program, capture_output=True, text=True, timeout=60)
        finally:
            server.terminate()
    assert done.stderr == "" and done.stdout == "3 True True\n"

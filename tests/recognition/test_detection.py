"""Boxes: of the cascade on a photograph, of YuNet's rows, of crops."""

import sys
import threading

import cv2
import numpy as np
import pytest
from helpers.portraits import BOX, plain, portrait

from fer_keras.core.errors import InputError
from fer_keras.recognition import detection


def test_haar_finds_the_one_face():
    (box,) = detection.Haar()(portrait())
    assert box[:4] == BOX
    assert box.score == pytest.approx(5.83, abs=0.1)


def test_no_face_is_an_empty_list():
    assert detection.Haar()(plain(128)) == []
    assert detection.Haar()(plain(128, width=1, height=1)) == []


def test_large_photographs_are_searched_reduced_and_told_in_their_own_pixels():
    large = cv2.resize(portrait(), (3072, 3072))
    (box,) = detection.Haar()(large)
    assert np.abs(np.array(box[:4]) / 6 - BOX).max() < 8
    small, scale = detection.reduced(large)
    assert small.shape == (800, 800, 3) and scale == 3.84


def test_the_largest_comes_first_and_boxes_end_with_the_image():
    boxes = [(0, 0, 10, 10), (50, 20, 40, 40), (-5, -5, 20, 20), (200, 0, 5, 5)]
    found = detection.largest_first(zip(boxes, [1, 2, 3, 4], strict=True), 2.0, (100, 150, 3))
    assert found == [(100, 40, 50, 60, 2.0), (0, 0, 30, 30, 3.0), (0, 0, 20, 20, 1.0)]


def test_threads_share_a_detector():
    haar, found = detection.Haar(), []
    threads = [threading.Thread(target=lambda: found.append(haar(portrait())[0][:4])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [BOX] * 4


def test_none_takes_the_whole_image():
    assert detection.detector("none")(plain(0)) == [(0, 0, 64, 48, None)]


def test_a_callable_is_a_detector():
    assert detection.detector(plain) is plain


def test_unknown_detectors_are_told():
    with pytest.raises(
        InputError, match="Unknown detector 'mtcnn'. Expected 'haar', 'none' or the path of a YuNet"
    ):
        detection.detector("mtcnn")
    with pytest.raises(InputError, match="There is no none.onnx. Name YuNet's file"):
        detection.detector("none.onnx")


def test_a_file_that_is_not_yunet_is_told(tmp_path):
    path = tmp_path / "yunet.onnx"
    path.write_bytes(b"no network")
    with pytest.raises(InputError, match="yunet.onnx is not YuNet, or damaged"):
        detection.detector(path)


def test_yunets_rows_become_boxes(tmp_path, monkeypatch):
    class Network:
        def setInputSize(self, size):
            self.size = tuple(size)

        def detect(self, bgr):
            assert self.size == bgr.shape[1::-1]
            if not bgr.any():
                return 1, None
            assert bgr[0, 0].tolist() == [0, 0, 200]  # blue first
            return 1, np.array([[10.4, 5, 20, 30, *range(10), 0.95]], np.float32)

    path = tmp_path / "yunet.onnx"
    path.touch()
    monkeypatch.setattr(cv2.FaceDetectorYN, "create", lambda *arguments: Network())
    yunet = detection.detector(str(path))
    red = np.zeros((48, 64, 3), np.uint8)
    red[..., 0] = 200
    assert yunet(red) == [(10, 5, 20, 30, pytest.approx(0.95))]
    assert yunet(plain(0)) == []


def test_missing_opencv_and_missing_cascades_are_told(monkeypatch, tmp_path):
    monkeypatch.setattr(cv2.data, "haarcascades", str(tmp_path))
    with pytest.raises(InputError, match=r"comes without its Haar cascades.*opencv-python-headless<5"):
        detection.detector("haar")
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(InputError, match=r"needs OpenCV: pip install 'fer-keras\[faces\]'"):
        detection.detector("haar")

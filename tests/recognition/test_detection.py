"""Boxes: of the cascade on a photograph, of YuNet's rows, of crops."""

import sys
import threading

import cv2
import numpy as np
import pytest
from helpers.portraits import HAAR_BOX, plain, portrait
from PIL import Image

from fer_keras.core.errors import InputError
from fer_keras.recognition import detection


def test_haar_finds_the_one_face():
    (box,) = detection.Haar()(portrait())
    assert box[:4] == HAAR_BOX and box.landmarks is None
    assert box.score == pytest.approx(6.2, abs=0.1)


def test_no_face_is_an_empty_list():
    assert detection.Haar()(plain(128)) == []
    assert detection.Haar()(plain(128, width=1, height=1)) == []


@pytest.mark.parametrize("name", ["haar", "mtcnn"])
def test_faces_of_forty_pixels_are_found_in_any_photograph(name):
    face = cv2.resize(portrait()[:256, 100:356], (120, 120), interpolation=cv2.INTER_AREA)  # 45 pixels of 95
    photograph = plain(128, width=4000, height=3000)
    for row, column in [(0, 0), (1500, 2000), (2880, 3880)]:
        photograph[row : row + 120, column : column + 120] = face
    middles = [(box.x + box.width // 2, box.y + box.height // 2) for box in detection.detector(name)(photograph)]
    expected = [(58, 53), (2058, 1553), (3938, 2933)]
    np.testing.assert_allclose(sorted(middles), expected, atol=6)


@pytest.mark.parametrize("name", ["haar", "mtcnn"])
def test_smaller_faces_are_searched_for_when_asked(name):
    face = cv2.resize(portrait()[:256, 100:356], (56, 56), interpolation=cv2.INTER_AREA)  # 21 pixels
    photograph = plain(128, width=300, height=200)
    photograph[100:156, 150:206] = face
    assert detection.detector(name)(photograph) == []
    assert len(detection.detector(name, min_face=20)(photograph)) == 1


@pytest.mark.parametrize("min_face", [19, 40.5, "40", None])
def test_other_sizes_of_faces_are_refused(min_face):
    with pytest.raises(InputError, match="min_face must be a whole number of pixels, at least 20. Received"):
        detection.detector("haar", min_face=min_face)


def test_images_are_searched_where_the_smallest_face_fills_the_window():
    small, scale = detection.reduced(Image.fromarray(plain(9, width=100, height=50)), 40 / 24)
    assert small.size == (60, 30)
    assert scale.tolist() == pytest.approx([5 / 3] * 4)
    small, scale = detection.reduced(Image.fromarray(plain(9, width=100, height=1)), 40)
    assert small.size == (2, 1) and scale.tolist() == [50, 1, 50, 1]


def test_threads_share_a_detector():
    haar, found = detection.Haar(), []
    threads = [threading.Thread(target=lambda: found.append(haar(portrait())[0][:4])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [HAAR_BOX] * 4


def test_none_takes_the_whole_image():
    assert detection.detector("none")(plain(0)) == [(0, 0, 64, 48, None, None)]


def test_a_callable_is_a_detector():
    assert detection.detector(plain) is plain


def test_unknown_detectors_are_told():
    with pytest.raises(InputError, match="Unknown detector 'dlib'. Expected 'mtcnn', 'haar', 'none' or the path"):
        detection.detector("dlib")
    with pytest.raises(InputError, match="There is no none.onnx. Name YuNet's file"):
        detection.detector("none.onnx")


def test_a_file_that_is_not_yunet_is_told(tmp_path):
    path = tmp_path / "yunet.onnx"
    path.write_bytes(b"no network")
    with pytest.raises(InputError, match="yunet.onnx is not YuNet, or damaged"):
        detection.detector(path)


class YuNetwork:
    """Stands for YuNet: one face, as large as a tenth of the picture and in its middle, if the picture is red."""

    def __init__(self):
        self.sizes = []

    def setInputSize(self, size):
        self.sizes.append(tuple(size))

    def detect(self, bgr):
        assert self.sizes[-1] == bgr.shape[1::-1]
        if not bgr.any():
            return 1, None
        assert bgr[0, 0].tolist() == [0, 0, 200]  # blue first
        width, height = self.sizes[-1]
        points = [value for i in range(5) for value in (width * (0.46 + 0.02 * i), height * 0.5)]
        return 1, np.array([[0.45 * width, 0.45 * height, width / 10, height / 10, *points, 0.95]], np.float32)


@pytest.fixture
def yunet(tmp_path, monkeypatch):
    path = tmp_path / "yunet.onnx"
    path.touch()
    monkeypatch.setattr(cv2.FaceDetectorYN, "create", lambda *arguments: YuNetwork())
    return detection.detector(str(path))


def red(width, height):
    picture = np.zeros((height, width, 3), np.uint8)
    picture[..., 0] = 200
    return picture


def test_yunets_rows_become_boxes(yunet):
    (box,) = yunet(red(400, 200))
    assert box[:4] == (180, 90, 40, 20) and box.score == pytest.approx(0.95)
    assert box.landmarks.left_eye == pytest.approx((184, 100))
    assert box.landmarks.mouth_right == pytest.approx((216, 100))
    assert yunet(plain(0)) == []


def test_yunet_searches_large_photographs_in_several_sizes(yunet):
    yunet.network.sizes.clear()
    (box,) = yunet(red(8000, 4000))  # the face of each size is the same one
    assert yunet.network.sizes == [(2000, 1000), (1000, 500), (500, 250)]
    assert box[:4] == (3600, 1800, 800, 400)


def test_missing_opencv_and_missing_cascades_are_told(monkeypatch, tmp_path):
    monkeypatch.setattr(cv2.data, "haarcascades", str(tmp_path))
    with pytest.raises(InputError, match=r"comes without its Haar cascades.*opencv-python-headless<5"):
        detection.detector("haar")
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(InputError, match=r"need OpenCV: pip install 'fer-keras\[faces\]'"):
        detection.detector("haar")

"""MTCNN: its networks on both engines, the pyramid, what it finds on a photograph."""

import pathlib
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
from helpers.portraits import BOX, PORTRAIT, plain, portrait
from PIL import Image

from fer_keras.core.errors import InputError
from fer_keras.recognition.mtcnn import Mtcnn, detector, networks
from fer_keras.recognition.steps import advance, finish

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def mtcnn():
    return Mtcnn()


def test_the_one_face_and_its_landmarks(mtcnn):
    (box,) = mtcnn(portrait())
    assert box[:4] == BOX
    assert box.score == pytest.approx(0.9985, abs=1e-3)
    # Looked at: her pupils, the tip of her nose, the corners of her mouth.
    expected = [(204, 101), (247, 103), (225, 128), (202, 139), (245, 142)]
    np.testing.assert_allclose(box.landmarks, expected, atol=1)


def test_both_engines_find_the_same():
    (keras,), (onnx,) = Mtcnn(engine="keras")(portrait()), Mtcnn(engine="onnx")(portrait())
    assert keras[:4] == onnx[:4] == BOX
    np.testing.assert_allclose(keras.landmarks, onnx.landmarks, atol=0.02)


@pytest.mark.parametrize(
    "index, shapes",
    [(0, [(1, 64, 128), (1, 12, 12), (3, 13, 75)]), (1, [(1, 24, 24), (5, 24, 24)]), (2, [(3, 48, 48)])],
)
def test_both_engines_compute_the_same(index, shapes):
    keras, onnx = (networks.load(engine)[index] for engine in ("keras", "onnx"))
    for shape in shapes:
        images = RNG.integers(0, 256, (*shape, 3)).astype("uint8")
        rows, columns = (shape[1] - 12) // 2 + 1, (shape[2] - 12) // 2 + 1
        for one, other in zip(keras(images), onnx(images), strict=True):
            np.testing.assert_allclose(one, other[:, :rows, :columns] if index == 0 else other, atol=1e-5)


def test_no_face_is_an_empty_list(mtcnn):
    for picture in (plain(128), plain(0, 1, 1), plain(255, 3000, 1), plain(9, 40, 40), plain(9, 39, 100)):
        assert mtcnn(picture) == []


def test_faces_at_the_edge_end_with_the_image(mtcnn):
    (box,) = mtcnn(portrait()[80:, 200:])
    assert (box.x, box.y) == (0, 0) and box.width < BOX[2] and box.height < BOX[3]


def test_a_large_level_goes_through_in_strips(mtcnn, monkeypatch):
    pixels = portrait()[:101, :120]
    whole = finish(mtcnn.search(pixels))
    monkeypatch.setattr(detector, "STRIP", 1500)  # six windows high
    for one, other in zip(finish(mtcnn.search(pixels)), whole, strict=True):
        assert one.shape[:2] == (45, 55)
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_crowd_takes_many_steps_and_a_portrait_few(mtcnn, monkeypatch):
    assert advance(mtcnn.steps(portrait()), 20) == (mtcnn(portrait()),)
    monkeypatch.setattr(detector, "BATCH", 1)  # 21 windows go through R-Net and O-Net
    steps = mtcnn.steps(portrait())
    assert advance(steps, 20) is None
    assert finish(steps) == mtcnn(portrait())


def test_the_pyramid_starts_where_the_smallest_face_fills_a_window():
    levels = [(level.size, scale[0]) for level, scale in detector.pyramid(Image.new("RGB", (400, 200)), 40)]
    # 200 * 0.3 = 60 rows, then 0.709 times as many until fewer than 12.
    assert [size for size, _ in levels] == [(120, 60), (86, 43), (61, 31), (43, 22), (31, 16)]
    assert levels[0][1] == pytest.approx(400 / 120)
    assert not list(detector.pyramid(Image.new("RGB", (39, 400)), 40))


def test_windows_next_to_a_better_one_are_dropped():
    scores = np.array([[0.7, 0.8, 0.7, 0.65, 0.1], [0.1, 0.1, 0.1, 0.1, 0.1], [0.9, 0.1, 0.1, 0.1, 0.61]])
    rows, columns = detector.peaks(scores, 0.6)
    # 0.8 removes its neighbours of 0.7, after which nothing is left above 0.65.
    assert sorted(zip(rows.tolist(), columns.tolist(), strict=True)) == [(0, 1), (0, 3), (2, 0), (2, 4)]
    rows, columns = detector.peaks(np.zeros((2, 2)), 0.6)
    assert len(rows) == len(columns) == 0


def test_windows_move_by_fractions_of_their_size():
    windows = np.array([[10.0, 20, 30, 60]])
    np.testing.assert_allclose(detector.moved(windows, np.array([[0.1, -0.1, 0.5, 0.25]])), [[12, 16, 40, 70]])
    fractions = np.array([[0, 0.25, 0.5, 0.75, 1, 0, 0.5, 0.5, 1, 1]])
    np.testing.assert_allclose(
        detector.placed(windows, fractions), [[(10, 20), (15, 40), (20, 40), (25, 60), (30, 60)]]
    )
    np.testing.assert_allclose(detector.squares(windows), [[0, 20, 40, 60]])


def test_what_lies_beyond_the_image_is_black():
    image = Image.fromarray(plain(200, 10, 10))
    (pixels,) = detector.cut(image, np.array([[-10.0, 0, 10, 20]]), 4)
    assert pixels[..., 0].tolist() == [[0, 0, 200, 200], [0, 0, 200, 200], [0] * 4, [0] * 4]


def test_threads_share_a_detector(mtcnn):
    found = []
    threads = [threading.Thread(target=lambda: found.append(mtcnn(portrait())[0][:4])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [BOX] * 4


def test_it_is_pickled_by_its_settings():
    copy = pickle.loads(pickle.dumps(Mtcnn(60, "onnx")))
    assert (copy.min_face, copy.engine) == (60, "onnx") and len(copy(portrait())) == 1


def test_damaged_files_and_unknown_engines_are_refused(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="Unknown engine 'tensorrt'. Expected one of: auto, keras, onnx"):
        networks.load("tensorrt")
    for file in networks.FOLDER.iterdir():
        if file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr(networks, "FOLDER", tmp_path)
    for engine, name in [("onnx", "rnet.onnx"), ("keras", "mtcnn.npz")]:
        damaged = bytearray((tmp_path / name).read_bytes())
        damaged[len(damaged) // 2] ^= 1
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(InputError, match=f"{name} is not the published file"):
            networks.load(engine)


def test_onnx_runtime_is_asked_for_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match="onnxruntime"):
        networks.load("onnx")


def test_it_needs_neither_opencv_nor_keras():
    code = (
        "import sys, numpy as np\nfrom PIL import Image\nfrom fer_keras.recognition.mtcnn import Mtcnn\n"
        "faces = Mtcnn()(np.asarray(Image.open(sys.argv[1]).convert('RGB')))\n"
        "print(len(faces), sorted({'cv2', 'keras', 'torch', 'scipy', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, PORTRAIT], capture_output=True, text=True, check=True)
    assert done.stdout == "1 []\n"


def test_the_licence_of_the_weights_is_there():
    text = pathlib.Path(networks.FOLDER, "LICENSE").read_text(encoding="utf-8")
    assert "MIT License" in text and "Iván de Paz Centeno" in text

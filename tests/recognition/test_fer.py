"""`FER` with a classifier of the tests' own: faces, batches, order, what it loads."""

import copy
import json
import logging
import math
import pathlib
import pickle
import subprocess
import sys

import numpy as np
import pytest
from helpers.portraits import BOX, PORTRAIT, brightness, plain, portrait

import fer_keras
from fer_keras import FER
from fer_keras.core.errors import InputError
from fer_keras.data import EMOTIONS
from fer_keras.recognition import table
from fer_keras.recognition.detection import Box


def two_halves(rgb):
    """A detector: the right half, then the left one."""
    half = rgb.shape[1] // 2
    return [Box(half, 0, half, rgb.shape[0], 0.9), Box(0, 0, half, rgb.shape[0], 0.8)]


def test_one_face_of_a_photograph():
    (face,) = FER(brightness).analyze(PORTRAIT)
    assert face.box == BOX and face.score == pytest.approx(0.9985, abs=1e-3)
    assert tuple(face.probabilities) == EMOTIONS
    assert sum(face.probabilities.values()) == pytest.approx(1)
    assert face.probabilities["happy"] == pytest.approx(face.crop.mean() / 255, abs=1e-6)
    assert face.emotion in ("happy", "neutral") and face.track is None
    assert face.crop.shape == (48, 48, 1) and face.crop.dtype == np.uint8


def test_with_the_keras_engine_it_imports_keras_alone():
    code = "import sys; from fer_keras import FER; FER('tiny', engine='keras'); print('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_no_face_is_an_empty_list():
    fer = FER(brightness)
    assert fer.analyze(plain(128)) == []
    assert fer.analyze_many([]) == []
    assert fer.saliency([]).shape == (0, 48, 48)


def test_rgb_unless_bgr():
    red = np.zeros((48, 48, 3), np.uint8)
    red[..., 0] = 255
    fer = FER(brightness, detector="none")
    assert fer.analyze(red)[0].probabilities["happy"] == pytest.approx(76 / 255, abs=1e-6)
    assert fer.analyze(red, bgr=True)[0].probabilities["happy"] == pytest.approx(29 / 255, abs=1e-6)


def test_all_faces_go_through_the_model_together():
    sizes = []

    def counting(crops):
        sizes.append(len(crops))
        return brightness(crops)

    pictures = [np.concatenate([plain(i), plain(i + 100)], axis=1) for i in (10, 20, 30)]
    results = FER(counting, detector=two_halves).analyze_many(iter(pictures))
    assert sizes == [6]
    happy = [[round(255 * face.probabilities["happy"]) for face in faces] for faces in results]
    assert happy == [[110, 10], [120, 20], [130, 30]]
    sizes.clear()
    FER(counting, detector="none").analyze_many([plain(1)] * 300)
    assert sizes == [256, 44]


def test_one_bad_image_among_many():
    fer = FER(brightness, detector="none")
    first, bad, last = fer.analyze_many([plain(51), b"rubbish", plain(102)], return_errors=True)
    assert [first[0].probabilities["happy"], last[0].probabilities["happy"]] == pytest.approx([0.2, 0.4])
    assert isinstance(bad, InputError) and "is not a readable image" in str(bad)
    with pytest.raises(InputError, match="is not a readable image"):
        fer.analyze_many([plain(51), b"rubbish"])
    with pytest.raises(InputError, match="64 x 48 pixels, more than 3,000"):
        FER(brightness, max_pixels=3000).analyze(plain(1))


def test_margin_shows_the_model_more():
    picture = plain(200, 144, 144)
    picture[48:96, 48:96] = 100
    fer = FER(brightness, detector=lambda rgb: [(48, 48, 48, 48, None)])
    assert fer.analyze(picture)[0].probabilities["happy"] == pytest.approx(100 / 255, abs=0.01)
    fer.margin = 1.0  # a quarter of what is seen is 100 now, the rest 200
    assert fer.analyze(picture)[0].probabilities["happy"] == pytest.approx(175 / 255, abs=0.01)


def test_as_dict_is_json():
    face = FER(brightness, detector="none").analyze(plain(51, 48, 48))[0]
    told = json.loads(json.dumps(face.as_dict()))
    assert list(told) == ["box", "score", "landmarks", "emotion", "probabilities"]
    assert (
        told["box"] == [0, 0, 48, 48]
        and told["score"] is told["landmarks"] is None
        and told["emotion"] == "neutral"
    )
    assert told["probabilities"]["happy"] == pytest.approx(0.2)


def test_table_has_a_row_for_each_face():
    fer = FER(brightness, detector=two_halves)
    frames = fer.follow([(0.5, np.concatenate([plain(0), plain(255)], axis=1))])
    found = table({"a.jpg": fer.analyze(plain(51)), "b.jpg": [], "c.mp4": frames})
    assert list(found.columns[:10]) == "image time track number x y width height score emotion".split()
    assert list(found.columns[10:17]) == list(EMOTIONS)
    assert found["image"].tolist() == ["a.jpg", "a.jpg", "c.mp4", "c.mp4"]
    assert found["x"].tolist() == [32, 0, 64, 0]
    assert found["time"].tolist()[2:] == [0.5, 0.5] and found["track"].tolist()[2:] == [2, 1]
    assert found["number"].tolist()[:2] == [2, 1]  # from left to right
    assert found["emotion"].tolist() == ["neutral", "neutral", "happy", "neutral"]
    assert found["happy"].tolist() == pytest.approx([0.2, 0.2, 1, 0])
    assert len(table({})) == 0 and list(table({}).columns) == list(found.columns)


def test_explains_by_the_pixels_of_the_crop():
    def left_eye(crops):
        rows = np.zeros((len(crops), 7), np.float32)
        rows[:, 3] = crops[:, 10:14, 10:14, 0].mean(axis=(1, 2)) / 255
        rows[:, 6] = 1 - rows[:, 3]
        return rows

    picture = plain(0, 48, 48)
    picture[10:14, 10:14] = 255
    fer = FER(left_eye, detector="none")
    heat = fer.saliency(fer.analyze(picture))[0]
    assert np.unravel_index(heat.argmax(), heat.shape)[0] in range(8, 16)
    assert heat[30:, 30:].tolist() == np.zeros((18, 18)).tolist()
    np.testing.assert_allclose(fer.saliency(fer.analyze(picture), "neutral")[0], -heat, atol=1e-6)
    with pytest.raises(InputError, match="Unknown emotion 'joy'. Expected one of: angry, "):
        fer.saliency(fer.analyze(picture), "joy")


def test_classes_of_a_callable_have_its_names():
    def three(crops):
        calm = crops[:, 10:14, 10:14, 0].mean(axis=(1, 2)) / 255
        return np.stack([calm, 0.75 * (1 - calm), 0.25 * (1 - calm)], axis=1)

    three.class_names = ("calm", "tense", "bored")
    picture = plain(0, 48, 48)
    picture[10:14, 10:14] = 255
    fer = FER(three, detector="none")
    (face,) = fer.analyze(picture)
    assert face.probabilities == pytest.approx({"calm": 1, "tense": 0, "bored": 0})
    heat = fer.saliency([face])[0]
    # Nine squares cover this pixel and 4, 2 or 1 quarters of the bright ones with their mean, 2 of 255.
    assert heat[12, 12] == pytest.approx((4 * 1 + 4 * 1 / 2 + 1 / 4) / 9 * 253 / 255, abs=1e-5)
    assert heat[30:, 30:].tolist() == np.zeros((18, 18)).tolist()
    np.testing.assert_allclose(fer.saliency([face], "tense")[0], -0.75 * heat, atol=1e-6)
    with pytest.raises(InputError, match="Unknown emotion 'happy'. Expected one of: calm, tense, bored."):
        fer.saliency([face], "happy")


def test_a_forked_process_in_which_the_backend_would_wait_is_refused_before_faces_are_detected(monkeypatch):
    from fer_keras.backend import forking

    fer = FER(brightness, detector=lambda rgb: pytest.fail("the detector was called"))
    monkeypatch.setattr(forking, "_forked", True)
    with pytest.raises(InputError, match="cannot predict in a forked process"):
        fer.analyze(plain(0))


@pytest.mark.parametrize("margin", [-1, math.nan, math.inf])
def test_margins_that_leave_no_crop_are_refused(margin):
    with pytest.raises(InputError, match="margin must be a share of the box's side, more than -1. Received"):
        FER(brightness, detector="none", margin=margin)


def test_landmarks_in_faces_json_and_tables():
    face = FER(brightness).analyze(PORTRAIT)[0]
    assert face.landmarks._fields == ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
    np.testing.assert_allclose(
        face.landmarks, [(204, 101), (247, 103), (225, 128), (202, 139), (245, 142)], atol=1
    )
    points = json.loads(json.dumps(face.as_dict()))["landmarks"]
    assert points["nose"] == list(face.landmarks.nose)
    found = table({"a.png": [face], "b.png": FER(brightness, detector="none").analyze(plain(0))})
    assert found["mouth_left_x"][0] == face.landmarks.mouth_left.x and found["right_eye_y"][0] > 100
    assert found.iloc[1, -10:].isna().all()


def test_faces_are_turned_upright_by_their_landmarks():
    def bar(crops):
        rows = np.zeros((len(crops), 7))
        rows[:, 3] = crops[:, :, 22:26, 0].mean(axis=(1, 2)) > 200  # happy: a bright bar, upright
        rows[:, 6] = 1 - rows[:, 3]
        return rows

    picture = plain(0, 96, 96)
    picture[44:52] = 255  # a level bar: upright if the face lies on its side
    eyes = [(48, 20), (48, 70), (0, 0), (0, 0), (0, 0)]
    assert FER(bar, detector=lambda rgb: [(0, 0, 96, 96, 1, eyes)]).analyze(picture)[0].emotion == "happy"
    assert FER(bar, detector=lambda rgb: [(0, 0, 96, 96, 1)]).analyze(picture)[0].emotion == "neutral"


def test_faces_are_hashed_as_they_are_compared():
    one, other = FER(brightness).analyze(PORTRAIT)[0], FER(brightness).analyze(PORTRAIT)[0]
    assert one == other and hash(one) == hash(other) and len({one, other}) == 1


@pytest.mark.parametrize("detector", ["mtcnn", "haar", "none"])
def test_copies_and_pickles_answer_alike(detector):
    fer = FER(brightness, detector=detector, min_face=60, margin=0.1)
    expected = fer.analyze(PORTRAIT)
    for other in (pickle.loads(pickle.dumps(fer)), copy.deepcopy(fer), copy.copy(fer)):
        assert other.analyze(PORTRAIT) == expected and other.margin == 0.1
        assert other._lock is not fer._lock


def test_a_copy_has_a_keras_model_of_its_own():
    import keras

    inputs = keras.Input((48, 48, 1))
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    fer = FER(keras.Model(inputs, keras.layers.Dense(7, activation="softmax")(x)), detector="none")
    expected = list(fer.analyze(PORTRAIT)[0].probabilities.values())
    for other in (pickle.loads(pickle.dumps(fer)), copy.deepcopy(fer)):
        assert list(other.analyze(PORTRAIT)[0].probabilities.values()) == pytest.approx(expected)


@pytest.mark.parametrize("found", [[(10, 20, 0, 40)], [(64, 0, 9, 9)], [(10, 20, 30)], [(0, 0, np.nan, 9)], 7])
def test_boxes_that_cannot_be_are_refused(found):
    with pytest.raises(InputError, match="A detector (must return|returned)"):
        FER(brightness, detector=lambda rgb: found).analyze(plain(0))


def test_own_detectors_may_return_what_others_return():
    for found in (None, (), np.zeros((0, 5))):
        assert FER(brightness, detector=lambda rgb, found=found: found).analyze(plain(0)) == []
    small_first = np.array([[0, 0, 10, 10, 0.5], [20, 20, 40, 400, 0.9]], np.float32)
    large, small = FER(brightness, detector=lambda rgb: small_first).analyze(plain(0))
    assert large.box == (20, 20, 40, 28) and small.box == (0, 0, 10, 10)
    json.dumps([large.as_dict(), small.as_dict()])


@pytest.mark.parametrize(
    "row",
    [
        [np.nan] * 7,
        [0.5, np.inf, 0, 0, 0, 0, 0],
        [2, -1, 0, 0, 0, 0, 0],
        [0.1] * 7,
        [3, 1, 0.2, 0, 0, 0, 0],
        [0] * 7,
    ],
)
def test_what_are_no_probabilities_is_refused(row):
    with pytest.raises(InputError, match="The classifier (must give probabilities: from 0|gives NaN or inf)"):
        FER(lambda crops: np.array([row] * len(crops)), detector="none").analyze(plain(0))


@pytest.mark.parametrize("answer", [None, "happy", [["x"] * 7], [[1], [2, 3]]])
def test_what_is_no_array_is_refused(answer):
    with pytest.raises(InputError, match="The classifier must give"):
        FER(lambda crops: answer, detector="none").analyze(plain(0))


def test_own_callables_are_called_once_for_each_image():
    images, crops = [], []

    def detector(rgb):
        images.append(rgb.shape)
        return [(0, 0, 9, 9)]

    def classifier(faces):
        crops.append(len(faces))
        return brightness(faces)

    FER(classifier, detector=detector).analyze(plain(0))
    assert images == [(48, 64, 3)] and crops == [1]


def test_crops_of_faces_are_hinted_at_once(caplog):
    caplog.set_level(logging.WARNING, "fer_keras")
    fer = FER(brightness)
    fer.analyze_many([plain(0, 100, 100), plain(0, 48, 48), plain(0, 48, 48)])
    (record,) = caplog.records
    assert record.getMessage().startswith(
        "An image has only 48 x 48 pixels. The detector 'none' takes images that"
    )
    caplog.clear()
    FER(brightness, detector="none").analyze(plain(0, 48, 48))
    assert caplog.records == []


def test_a_classifier_of_another_shape_is_told():
    with pytest.raises(InputError, match=r"must give probabilities of shape \(1, 7\). Received shape \(1, 2\)"):
        FER(lambda crops: np.zeros((1, 2)), detector="none").analyze(plain(0))
    with pytest.raises(InputError, match="5 is no classifier. Expected a .keras or .onnx file"):
        FER(5, detector="none")


def test_without_a_model_the_shipped_ones_are_taken(monkeypatch):
    asked = []
    monkeypatch.setattr(
        "fer_keras.inference.opening.open_engine", lambda name, *_, **options: asked.append(name) or brightness
    )
    assert FER(detector="none").classifier is brightness
    assert FER("tiny", detector="none").classifier is brightness
    assert asked == [None, "tiny"]


def test_keras_models_and_their_files_are_classifiers(tmp_path):
    import keras

    from fer_keras.model_files import saving

    keras.utils.set_random_seed(0)
    inputs = keras.Input((48, 48, 1))
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(7, activation="softmax", name="_".join(EMOTIONS))(x))
    saving.save(model, tmp_path / "model.keras")
    of_model = FER(model, tta="none").analyze(portrait())[0].probabilities
    of_file = FER(tmp_path / "model.keras").analyze(portrait())[0].probabilities
    crop = FER(model).analyze(portrait())[0].crop
    expected, mirrored = np.asarray(model.predict_on_batch(np.stack([crop, crop[:, ::-1]]).astype("float32")))
    assert list(of_model.values()) == pytest.approx(expected, abs=1e-5)
    assert list(of_file.values()) == pytest.approx((expected + mirrored) / 2, abs=1e-5)
    with pytest.raises(InputError, match="Received 'ten-crop'"):
        FER(model, tta="ten-crop")


def test_threads_share_it():
    import concurrent.futures

    fer = FER(brightness)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        results = list(pool.map(fer.analyze, [PORTRAIT] * 8))
    assert all(faces == results[0] and len(faces) == 1 for faces in results)


def test_neither_keras_nor_torch_nor_pandas_is_loaded():
    code = (
        "import sys, numpy as np\nfrom fer_keras import FER\n"
        "print(len(FER(lambda crops: np.full((len(crops), 7), 1 / 7)).analyze(sys.argv[1])),"
        "sorted({'keras', 'torch', 'pandas', 'matplotlib', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, PORTRAIT], capture_output=True, text=True, check=True)
    assert done.stdout == "1 []\n"


def test_the_package_has_no_other_surprises():
    assert fer_keras.FER is FER
    with pytest.raises(AttributeError, match="'fer_keras' has no attribute 'FEAR'"):
        fer_keras.FEAR  # noqa: B018
    assert pathlib.Path(fer_keras.recognition.__file__).parent.name == "recognition"


def test_the_depth_of_deep_images_is_logged_once_and_can_be_given(caplog):
    values = np.full((48, 48), 4095, np.uint16)
    fer = FER(brightness, detector="none")
    assert [fer.analyze(values)[0].probabilities["happy"] for _ in "12"] == [1, 1]
    assert len(caplog.messages) == 1 and "12-bit by its largest value" in caplog.text
    given = FER(brightness, detector="none", bit_depth=16)
    assert given.analyze(values)[0].probabilities["happy"] == pytest.approx(15 / 255) and len(caplog.messages) == 1
    for wrong in (7, 17, "12"):
        with pytest.raises(InputError, match="bit_depth must be from 8 to 16. Received"):
            FER(brightness, detector="none", bit_depth=wrong)

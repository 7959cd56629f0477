"""What classifies the faces: engines, and callables of the user's."""

import numpy as np
import pytest

from fer_keras.core.errors import InputError
from fer_keras.data import EMOTIONS
from fer_keras.inference import engines
from fer_keras.recognition import classifiers

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 1)).astype("uint8")


def left(images):
    """A classifier: the grey of the upper left pixel as a fraction is happy, the rest is neutral."""
    happy = images[:, 0, 0, 0] / 255
    return np.stack([0 * happy, 0 * happy, 0 * happy, happy, 0 * happy, 0 * happy, 1 - happy], axis=1)


class Engine(engines.OnnxEngine):
    """One whose answers can be worked out by hand."""

    def __init__(self):
        self.name, self.class_names, self.calls = "an engine", EMOTIONS, []

    def __call__(self, images):
        self.calls.append(len(images))
        return left(images).astype("float32")


def test_image_and_mirror_image_go_through_an_engine_in_one_batch():
    engine = Engine()
    found = classifiers.classify(engine, IMAGES, tta="flip")
    assert engine.calls == [6] and found.dtype == "float32"
    corners = IMAGES[:, 0, [0, -1], 0].astype(float) / 255
    np.testing.assert_allclose(found[:, 3], corners.mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(classifiers.classify(engine, IMAGES)[:, 3], corners[:, 0], atol=1e-6)


def test_callable_of_the_user_is_called_once_with_the_images_alone():
    seen = []
    found = classifiers.classify(lambda images: seen.append(images) or left(images), IMAGES, tta="flip")
    assert len(seen) == 1 and np.array_equal(seen[0], IMAGES)
    np.testing.assert_allclose(found[:, 3], IMAGES[:, 0, 0, 0] / 255, atol=1e-6)


@pytest.mark.parametrize(
    "answer, message",
    [
        (np.full((3, 7), np.nan), "The classifier gives NaN or infinite values"),
        (np.full((3, 7), np.inf), "The classifier gives NaN or infinite values"),
        (np.full((3, 7), 0.5), "The classifier must give probabilities: from 0 to 1, with sum 1"),
        (np.eye(3, 7) * 2 - np.eye(3, 7, 1), "The classifier must give probabilities"),
        (np.full((3, 8), 1 / 8), r"must give probabilities of shape \(3, 7\). Received shape \(3, 8\)"),
    ],
)
def test_what_are_no_probabilities_is_refused(answer, message):
    with pytest.raises(InputError, match=message):
        classifiers.classify(lambda images: answer, IMAGES)


def test_class_names_are_those_of_the_classifier():
    eight = left
    assert classifiers.class_names(eight) == EMOTIONS

    class Two:
        class_names = ("a", "b")

        def __call__(self, images):
            return np.full((len(images), 2), 0.5)

    assert classifiers.class_names(Two()) == ("a", "b")
    assert classifiers.classify(Two(), IMAGES).shape == (3, 2)


def test_what_is_no_classifier_is_refused():
    with pytest.raises(InputError, match="7 is no classifier. Expected a .keras or .onnx file"):
        classifiers.classifier(7)

"""Prediction sets, worked out by hand."""

import numpy as np
import pytest

from fer_keras.core.errors import InputError
from fer_keras.inference import conformal

# Nine images whose own class has p = 0.9, 0.8, … 0.1: scores 0.1, 0.2, … 0.9.
OWN = np.arange(9, 0, -1) / 10
PROBABILITIES = np.stack([OWN, 1 - OWN], axis=1)
LABELS = np.zeros(9, int)


@pytest.mark.parametrize(
    ("coverage", "expected"),
    [
        (0.50, 0.5),  # rank ceil(10 * 0.50) = 5
        (0.51, 0.6),  # ceil(5.1) = 6
        (0.55, 0.6),  # ceil(5.5) = 6
        (0.90, 0.9),  # rank 9, the last
        (0.91, None),  # rank 10 of 9: too few images
    ],
)
def test_thresholds_are_the_scores_of_their_rank(coverage, expected):
    found = conformal.threshold(conformal.calibrate(PROBABILITIES, LABELS), coverage, "net")
    assert found == (None if expected is None else pytest.approx(expected))


def test_ranks_are_exact_where_floats_are_not():
    scores = np.arange(1, 100) / 100  # n = 99, so the rank of k % is k; 100 * 0.55 is 55.00000000000001
    probabilities = np.stack([1 - scores, scores], axis=1)
    thresholds = conformal.calibrate(probabilities, np.zeros(99, int))["thresholds"]
    assert [thresholds[str(k)] for k in (50, 55, 57, 99)] == pytest.approx([0.50, 0.55, 0.57, 0.99])


def test_set_holds_the_classes_of_low_score_and_never_none():
    probabilities = {"angry": 0.2, "sad": 0.5, "happy": 0.3}
    assert conformal.prediction_set(probabilities, 0.75) == ("sad", "happy")
    assert conformal.prediction_set(probabilities, 0.1) == ("sad",)
    assert conformal.prediction_set(probabilities, None) == ("sad", "happy", "angry")
    assert conformal.prediction_set({"a": 0.5, "b": 0.5}, 0.1) == ("a", "b"), "a tie has no likeliest"


def test_figures_count_what_sets_cover():
    calibration = conformal.calibrate(PROBABILITIES, LABELS)
    probabilities = np.array([[0.6, 0.4], [0.45, 0.55], [0.05, 0.95]])
    # Threshold 0.6: sets {0, 1}, {0, 1} and {1}; class 0 is covered in two of three.
    (figures,) = conformal.coverage_figures(probabilities, np.zeros(3, int), calibration, [0.51])
    shares = {"covered": pytest.approx(2 / 3), "by_class": [pytest.approx(2 / 3), None]}
    assert figures == {"coverage": 0.51, **shares, "set_size": pytest.approx(5 / 3)}


def test_coverage_of_exchangeable_images_is_what_was_asked_for():
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.ones(5), 8000)
    labels = np.array([random.choice(5, p=row) for row in probabilities])
    calibration = conformal.calibrate(probabilities[:4000], labels[:4000])
    for figures in conformal.coverage_figures(probabilities[4000:], labels[4000:], calibration, [0.6, 0.9]):
        assert figures["covered"] == pytest.approx(figures["coverage"], abs=0.02)  # 2.6 standard errors at 0.6


@pytest.mark.parametrize("wrong", [0, 1, 0.49, 1.0, 0.905, 90, "0.9", None, True, float("nan")])
def test_other_coverages_are_refused(wrong):
    with pytest.raises(InputError, match=r"coverage must be from 0\.50 to 0\.99"):
        conformal.percent(wrong)


def test_network_without_calibration_says_so():
    with pytest.raises(InputError, match="best has no calibration for prediction sets"):
        conformal.threshold(None, 0.9, "best")

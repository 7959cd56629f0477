import json
import math
import warnings

import numpy as np
import pytest

from fer_keras.core.errors import InputError
from fer_keras.evaluation import (
    chance_loss,
    overfit_verdict,
    risk_coverage,
    risk_coverage_table,
    scores,
    table,
    zero_loss,
)

# True 0, 0, 1, 3; predicted 0, 1, 1, 0, each with the confidence in the row.
LABELS = [0, 0, 1, 3]
PROBABILITIES = [
    [0.80, 0.20, 0, 0, 0, 0, 0],
    [0.30, 0.70, 0, 0, 0, 0, 0],
    [0.00, 1.00, 0, 0, 0, 0, 0],
    [0.50, 0.00, 0, 0.4, 0.1, 0, 0],
]


def test_scores_worked_out_by_hand():
    result = scores(LABELS, PROBABILITIES)
    assert result["images"] == 4
    assert result["accuracy"] == 0.5
    assert result["loss"] == pytest.approx(-(math.log(0.8) + math.log(0.3) + math.log(1) + math.log(0.4)) / 4)
    # Class 0: 1 of its 2 found, 1 of 2 predictions right. Class 1: 1 of 1 found, 1 of 2 right. The rest: 0.
    assert [result[f"recall_{x}"] for x in range(7)] == [0.5, 1, 0, 0, 0, 0, 0]
    assert [result[f"precision_{x}"] for x in range(7)] == [0.5, 0.5, 0, 0, 0, 0, 0]
    assert [result[f"f1_{x}"] for x in range(7)] == pytest.approx([0.5, 2 / 3, 0, 0, 0, 0, 0])
    # Over 0, 1 and 3, the classes with images; 3 is never predicted.
    assert result["macro_f1"] == pytest.approx((0.5 + 2 / 3 + 0) / 3)
    assert "macro F1            0.3889" in table(result)
    # Four bins of one image each: |0.8 - 1|, |0.7 - 0|, |1 - 1|, |0.5 - 0|.
    assert result["calibration_error"] == pytest.approx((0.2 + 0.7 + 0 + 0.5) / 4)
    none = [0, 0, 0, 0, 0, 0, 0]
    assert result["confusion"] == [
        [1, 1, 0, 0, 0, 0, 0],
        [0, 1, 0, 0, 0, 0, 0],
        none,
        [1] + [0] * 6,
        none,
        none,
        none,
    ]
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_predictions_of_a_class_without_images_lower_macro_f1_by_the_images_they_miss():
    # True 0, 0, 1; predicted 0, 2, 1. F1 of 0: precision 1, recall 1/2; of 1: 1. Class 2 has no image.
    result = scores([0, 0, 1], np.eye(3)[[0, 2, 1]])
    assert result["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)
    assert "no images           c; not part" in table(result, ("a", "b", "c"))
    everything = scores([0, 0, 1, 2], np.eye(3)[[0, 2, 1, 2]])
    assert everything["macro_f1"] == pytest.approx((2 / 3 + 1 + 2 / 3) / 3)  # as before
    assert "no images" not in table(everything, ("a", "b", "c"))


def test_abstention_worked_out_by_hand():
    rows = risk_coverage(LABELS, PROBABILITIES)  # confidences 0.8 (right), 0.7 (wrong), 1.0 (right), 0.5 (wrong)
    assert [row["min_confidence"] for row in rows] == [0, 0.5, 0.6, 0.7, 0.8, 0.9]
    assert [row["answered"] for row in rows] == [1, 1, 0.75, 0.75, 0.5, 0.25]
    assert [row["accuracy"] for row in rows] == [0.5, 0.5, pytest.approx(2 / 3), pytest.approx(2 / 3), 1, 1]
    assert risk_coverage([0], [[0.5, 0.5]])[-1] == {"min_confidence": 0.9, "answered": 0, "accuracy": None}


def test_risk_coverage_table_shows_errors_and_leaves_out_what_answers_nothing():
    lines = risk_coverage_table(risk_coverage([0, 1], [[0.75, 0.25], [0.65, 0.35]])).splitlines()
    assert lines[0] == "| confidence from | answered | wrong of these |"
    assert lines[2:] == [
        "| 0.0 | 1.000 | 0.500 |",
        "| 0.5 | 1.000 | 0.500 |",
        "| 0.6 | 1.000 | 0.500 |",
        "| 0.7 | 0.500 | 0.000 |",
    ]


def test_calibration_averages_within_a_bin():
    """Confidences 0.61 and 0.65 share the bin (0.6, 0.667]: one right, one wrong, mean confidence 0.63."""
    rows = [[0.61, 0.39, 0, 0, 0, 0, 0], [0.65, 0.35, 0, 0, 0, 0, 0]]
    assert scores([0, 1], rows)["calibration_error"] == pytest.approx(0.63 - 0.5)


def test_a_class_never_predicted_gives_zero_and_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert scores([2], [[1, 0, 0, 0, 0, 0, 0]])["f1_2"] == 0


def test_certain_mistake_has_a_finite_loss():
    assert scores([2], [[1, 0, 0, 0, 0, 0, 0]])["loss"] == pytest.approx(-math.log(1e-7))


def test_leak_free_counts_only_images_not_seen_in_training():
    result = scores(LABELS, PROBABILITIES, leak_free=[False, True, True, True])
    assert (result["leak_free_images"], result["leak_free_accuracy"]) == (3, pytest.approx(1 / 3))
    assert scores(LABELS, PROBABILITIES, leak_free=[False] * 4)["leak_free_accuracy"] is None
    assert "leak_free_accuracy" not in scores(LABELS, PROBABILITIES)


def test_half_precision_probabilities_are_accepted():
    logits = np.random.default_rng(0).normal(size=(50, 7))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert scores(np.arange(50) % 7, probabilities.astype("float16"))["images"] == 50


def with_row(row):
    return [row, *PROBABILITIES[1:]]


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        ([], np.zeros((0, 7)), r"at least one integer\. Received shape \(0,\)"),
        ([0.5] * 4, PROBABILITIES, "integer.*float64"),
        ([[0]] * 4, PROBABILITIES, r"shape \(4, 1\)"),
        (LABELS[:3], PROBABILITIES, r"must have shape \(3, 7\).*Received shape \(4, 7\)"),
        (LABELS, np.ones(4), r"Received shape \(4,\)"),
        (LABELS, np.full((4, 3), 1 / 3), r"0\.\.2; unlabelled images.*Received \d for image \d"),
        ([0, 0, 7, 1], PROBABILITIES, r"0\.\.6; unlabelled images.*Received 7 for image 2"),
        ([0, 0, -1, 1], PROBABILITIES, "Received -1 for image 2"),
        (LABELS, with_row([math.nan, 1, 0, 0, 0, 0, 0]), r"lie in 0\.\.1.*\[nan, 1\.0.*for image 0"),
        (LABELS, with_row([3.0, -2.0, 0, 0, 0, 0, 0]), "logits needs a softmax.*for image 0"),
        (LABELS, with_row([0.5, 0.1, 0, 0, 0, 0, 0]), r"sum to 1.*Received 0\.6 for image 0"),
    ],
)
def test_wrong_input_is_told(labels, probabilities, message):
    with pytest.raises(InputError, match=message):
        scores(labels, probabilities)


@pytest.mark.parametrize("mask", [[True] * 3, [1, 1, 1, 1]])
def test_wrong_mask_is_told(mask):
    with pytest.raises(InputError, match="leak_free must be 4 booleans"):
        scores(LABELS, PROBABILITIES, mask)


def test_table_names_every_class():
    lines = table(scores(LABELS, PROBABILITIES, [False, True, True, True])).splitlines()
    assert lines[1] == "accuracy            0.5000"
    assert lines[5] == "leak-free accuracy  0.3333 of 3 images"
    assert lines[6] == "no images           fear, sad, surprise, neutral; not part of macro F1"
    assert lines[8] == "class         images     recall  precision         F1"
    assert lines[9] == "0 angry            2     0.5000     0.5000     0.5000"
    assert lines[-1] == "6 neutral          0     0.0000     0.0000     0.0000"
    assert len(lines) == 16


def down_in(epochs, total):
    return [2.0] * (epochs - 1) + [0.04] * (total - epochs + 1)


@pytest.mark.parametrize(
    ("losses", "verdict", "epochs_to_zero"),
    [
        (down_in(1, 1), "overfits at once", 1),
        (down_in(20, 100), "overfits at once", 20),
        (down_in(21, 100), "learns well", 21),
        (down_in(80, 100), "learns well", 80),
        (down_in(81, 100), "learns slowly", 81),
        ([2.0, 0.99], "learns slowly", None),
        ([2.0, 1.0], "gradients do not flow", None),
        ([2.0, math.nan], "gradients do not flow", None),
    ],
)
def test_overfit_verdict(losses, verdict, epochs_to_zero):
    result = overfit_verdict(losses, 7)
    assert (result["verdict"], result["epochs_to_zero"]) == (verdict, epochs_to_zero)
    assert result["losses"] == losses or math.isnan(losses[-1])


def test_overfit_verdict_tells_its_figures():
    assert overfit_verdict([1.9, 0.5, 0.05], 7)["text"] == (
        "Overfits at once: training loss on one fixed batch from 1.900 to below 0.097 in 3 epochs."
    )
    slow = overfit_verdict([1.9, 1.8, math.inf], 7)
    assert slow["text"] == "Gradients do not flow: training loss on one fixed batch from 1.900 to inf in 3 epochs."
    assert (slow["first_loss"], slow["last_loss"]) == (1.9, None)


def test_what_counts_as_zero_depends_on_the_number_of_classes():
    assert chance_loss(2) == pytest.approx(0.693147) and zero_loss(2) == pytest.approx(0.03465736)
    assert overfit_verdict([0.05], 2)["verdict"] == "gradients do not flow"
    assert overfit_verdict([0.05], 7)["verdict"] == "overfits at once"  # below 5 % of ln 7, 0.0973


def test_mistakes_come_with_the_most_confident_first():
    probabilities = np.full((4, 7), 0.02)
    probabilities[[0, 1, 2, 3], [3, 3, 5, 0]] = 0.88
    probabilities[2] = [0.04, 0, 0, 0, 0, 0.96, 0]
    result = scores([3, 4, 6, 0], probabilities)
    assert result["mistakes"] == [
        {"image": 2, "label": 6, "predicted": 5, "probability": 0.96},
        {"image": 1, "label": 4, "predicted": 3, "probability": 0.88},
    ]


def test_no_more_than_24_mistakes():
    result = scores([0] * 30, np.tile([0, 1, 0, 0, 0, 0, 0], (30, 1)))
    assert [mistake["image"] for mistake in result["mistakes"]] == list(range(24))

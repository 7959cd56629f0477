import numpy as np
import pytest
from PIL import Image

from fer_keras import evaluation
from fer_keras.core import plotting
from fer_keras.runs import plots

FILES = {
    "Loss Progress": "loss_progress.png",
    "Accuracy Progress": "accuracy_progress.png",
    "Gradient-to-Weight Ratio over time": "gradient_to_weight_ratio_over_time.png",
    "Training Curve": "training_curve.png",
    "Overfit Training Curve": "overfit_training_curve.png",
    "Confusion Matrix Curve": "confusion_matrix_curve.png",
}
HISTORY = [
    {"epoch": 1, "train_loss": 1.8, "train_acc": 0.3, "val_loss": 1.7, "val_acc": 0.35, "grad_ratio": 2.0}
    | {"grad_ratio/dense": 1.0, "grad_ratio/dense_1": 3.0},
    {"epoch": 2, "train_loss": 1.5, "train_acc": 0.5, "val_loss": None, "val_acc": 0.25, "grad_ratio": 0.0}
    | {"grad_ratio/dense": None, "grad_ratio/dense_1": 3.0},
]
SCORES = evaluation.scores([0, 0, 0, 6], np.eye(7)[[0, 1, 0, 6]])


def record(**parts):
    empty = {
        "experiment": {"name": "3-2-Best"},
        "data": {"synthetic": False},
        "overfit": None,
        "history": [],
        "scores": None,
    }
    return empty | parts


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_a_whole_record_gives_every_picture_of_the_study_and_the_same_bytes_again(tmp_path):
    whole = record(history=HISTORY, scores=SCORES, overfit=evaluation.overfit_verdict([1.9, 0.05], 7))
    paths = plots.draw(whole, tmp_path)
    assert {title: path.name for title, path in paths.items()} == FILES
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES.values())
    for path in paths.values():
        with Image.open(path) as image:
            assert image.width >= 1200 and image.height >= 690
    first = {path: path.read_bytes() for path in paths.values()}
    plots.draw(whole, tmp_path)
    assert {path: path.read_bytes() for path in paths.values()} == first


def test_what_has_no_data_is_left_out(tmp_path):
    assert plots.draw(record(), tmp_path) == {}
    assert list(plots.draw(record(scores=SCORES), tmp_path)) == ["Confusion Matrix Curve"]


def test_curves_show_the_history_with_gaps_where_a_value_is_missing():
    (axes,) = plots.loss_progress(HISTORY).axes
    training, validation = axes.lines
    assert training.get_xydata().tolist() == [[1, 1.8], [2, 1.5]]
    assert validation.get_ydata()[0] == 1.7 and np.isnan(validation.get_ydata()[1])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "loss, nats")


def test_training_curve_tells_best_epoch_and_last_gap():
    loss, accuracy = plots.training_curve(HISTORY).axes
    assert accuracy.get_title() == "best validation 35.0 % in epoch 1, last generalization gap +25.0 points"
    assert len(loss.lines) == 2


def test_gradient_ratio_has_a_line_for_each_layer_and_the_total():
    (axes,) = plots.gradient_ratio(HISTORY).axes
    assert [line.get_label() for line in axes.lines] == ["dense", "dense_1", "all layers together"]
    assert axes.get_yscale() == "log"


def test_a_training_that_went_wrong_is_drawn_without_a_warning(tmp_path):
    history = [
        {"epoch": 1, "train_loss": None, "val_acc": None, "grad_ratio": None},
        {"epoch": 2, "grad_ratio": 0.0},
    ]
    assert len(plots.draw(record(history=history), tmp_path)) == 4


def test_overfit_curve_tells_the_verdict():
    verdict = evaluation.overfit_verdict([1.9, 0.05], 7)
    (axes,) = plots.overfit_curve(verdict, 7).axes
    assert axes.get_title() == verdict["text"]
    assert axes.lines[0].get_xydata().tolist() == [[1, 1.9], [2, 0.05]]


def test_confusion_shows_counts_and_percent_of_the_true_class():
    counts, percent = plots.confusion(SCORES).axes
    assert texts(counts)[:3] == ["2", "1", "0"]
    assert texts(percent)[:3] == ["66.7", "33.3", "0.0"]
    assert [label.get_text() for label in counts.get_yticklabels()][0] == "0 angry"
    assert (counts.get_xlabel(), counts.get_ylabel()) == ("predicted", "true")


@pytest.mark.parametrize("synthetic", [False, True])
def test_synthetic_data_is_named_in_the_title(tmp_path, monkeypatch, synthetic):
    titles = []
    monkeypatch.setattr(plotting, "_save", lambda figure, path: titles.append(figure.get_suptitle()))
    plots.draw(record(scores=SCORES, data={"synthetic": synthetic}), tmp_path)
    assert titles == [f"3-2-Best{' (synthetic faces)' if synthetic else ''}: Confusion Matrix Curve"]

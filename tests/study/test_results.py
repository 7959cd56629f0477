"""Results: what is kept, and that nothing is lost on the way to disk."""

import json
import math
import re

import pytest

from fer_keras.core.errors import InputError
from fer_keras.study import results

ROW = {
    "epoch": 1,
    "train_loss": 1.7000000476837158,
    "train_acc": 0.3,
    "val_loss": 1.6,
    "val_acc": 1 / 3,
    "grad_ratio": 2.5,
    "weight_norm": 40.0,
    "learning_rate": 0.001,
    "epoch_time": 30.0,
    "grad_ratio/dense_1": 1.23456,
    "grad_ratio/logits": 60.0,
    "weight_norm/dense_1": 39.0,
    "gradient_sd/dense_1": 0.0123456,
    "gradient_iqr/dense_1": 0.01,
    "weight_sd/dense_1": 0.05,
    "weight_iqr/dense_1": 0.06,
}
RECORD = {
    "experiment": {"name": "1-Layer-NN", "seed": 3},
    "data": {"digest": "d", "source": "fer2013.csv", "synthetic": False, "images": {"train": 9}},
    "environment": {"python": "3.11", "threads": 2, "platform": "Linux", "commit": "c0ffee"},
    "overfit": {"verdict": "learns well", "text": "!", "epochs_to_zero": 2, "losses": [2.12345678, 0.01]},
    "history": [ROW, {**ROW, "epoch": 2, "train_acc_inference": 0.35, "val_acc_recalibrated": 0.34}],
    "scores": {
        **{"images": 3, "accuracy": 0.123456789, "macro_f1": 0.1, "loss": 2.0, "calibration_error": 0.01},
        **{"confusion": [[1, 2]], "leak_free_images": 0, "leak_free_accuracy": None, "mistakes": []},
    },
}
RESULT = results.compact(RECORD, parameters=7)


def test_compact():
    result = results.compact(RECORD, parameters=7)
    assert list(result) == [
        "experiment",
        "data",
        "environment",
        "cost",
        "overfit",
        "history",
        "gradient_ratios",
        "spread",
        "scores",
    ]
    assert result["history"][0] == {
        "epoch": 1,
        "train_loss": 1.7000000476837158,
        "train_acc": 0.3,
        "val_loss": 1.6,
        "val_acc": 1 / 3,
        "grad_ratio": 2.5,
        "weight_norm": 40.0,
        "learning_rate": 0.001,
    }
    assert result["history"][1]["train_acc_inference"] == 0.35
    assert result["history"][1]["val_acc_recalibrated"] == 0.34
    assert result["spread"] == {
        "gradient_sd": {"dense_1": [0.01235, 0.01235]},
        "gradient_iqr": {"dense_1": [0.01, 0.01]},
        "weight_sd": {"dense_1": [0.05, 0.05]},
        "weight_iqr": {"dense_1": [0.06, 0.06]},
    }
    assert result["gradient_ratios"] == {"dense_1": [1.235, 1.235], "logits": [60.0, 60.0]}
    assert result["cost"] == {"parameters": 7, "minutes": 1.0}
    assert result["scores"] == {**RECORD["scores"], "accuracy": 0.123457}
    assert result["overfit"]["losses"] == [2.12346, 0.01]
    assert result["environment"]["threads"] == 2
    assert not {"platform", "commit"} & result["environment"].keys()


def test_result_of_the_study_holds_the_hash_of_its_rule_first():
    assert list(results.compact(RECORD, 7, "a1"))[0] == "rule"


def test_continued_elsewhere_is_named():
    elsewhere = {"epochs": 1, "environment": {"threads": 8, "platform": "Linux"}}
    result = results.compact(RECORD | {"continued": [elsewhere]}, parameters=7)
    (row,) = result["continued"]
    assert row["epochs"] == 1 and row["environment"]["threads"] == 8
    assert "platform" not in row["environment"]


def test_written_and_read_bit_for_bit_one_line_an_epoch(tmp_path):
    result = results.compact(RECORD, 7)
    path = results.path(tmp_path, "nn_1_layer", 3)
    results.write(path, result)
    assert path == tmp_path / "nn_1_layer" / "3.json"
    assert results.read_one(path) == result
    assert len(path.read_text().splitlines()) == 2 + 9 + 3  # braces, parts, two epochs and a bracket
    assert results.read(tmp_path) == {"nn_1_layer": [result]}


def test_seeds_are_in_order_and_other_folders_left_out(tmp_path):
    for seed in (10, 2):
        results.write(results.path(tmp_path, "a", seed), {**RESULT, "experiment": {"name": "a", "seed": seed}})
    results.write(results.path(tmp_path / "epochs-1", "a", 0), RECORD)
    assert [r["experiment"]["seed"] for r in results.read(tmp_path)["a"]] == [2, 10]


def test_different_data_are_not_mixed(tmp_path):
    for seed, digest in enumerate("xy"):
        results.write(results.path(tmp_path, "a", seed), {**RESULT, "data": {**RESULT["data"], "digest": digest}})
    with pytest.raises(InputError, match="2 different data sets"):
        results.read(tmp_path)


def test_damaged_file_is_named(tmp_path):
    path = results.path(tmp_path, "a", 0)
    path.parent.mkdir()
    path.write_text('{"history": [')
    with pytest.raises(InputError, match=r"0\.json is damaged: .* Delete the run"):
        results.read(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"history": []}, "'history' is empty"),
        ({"overfit": None}, "'overfit' is no JSON object"),
        (
            {"cost": {"parameters": 7, "minutes": "x"}},
            "'cost.minutes' is 'x', expected a number",
        ),
        ({"gradient_ratios": {"dense_1": [None]}}, "'gradient_ratios.dense_1[0]' is None"),
    ],
)
def test_parts_of_other_types_are_told(tmp_path, change, message):
    results.write(tmp_path / "0.json", RESULT | change)
    with pytest.raises(InputError, match=re.escape(f"0.json is damaged: {message}")):
        results.read_one(tmp_path / "0.json")


def test_older_result_is_read_under_todays_names(tmp_path):
    older = {"name": "a", "seed": 0, "model": "nn", "model_options": {"units": [4]}, "clean": True}
    data = {"demo" if name == "synthetic" else name: value for name, value in RESULT["data"].items()}
    results.write(tmp_path / "0.json", {**RESULT, "experiment": older, "data": data})
    assert results.read_one(tmp_path / "0.json") == {
        **RESULT,
        "experiment": {
            "name": "a",
            "seed": 0,
            "model": "nn",
            "model_options": {
                "units": [4],
                "initialization": "keras",
                "momentum": 0.99,
                "epsilon": 1e-3,
                "negative_slope": 0.3,
            },
            "deduplicate": True,
        },
    }


def test_absent(tmp_path):
    assert results.read_one(tmp_path / "0.json") is None
    assert results.read(tmp_path) == {}


def test_rounded():
    assert results.rounded({"a": [1 / 3, 12345.678, 7, None, "x"]}, 4) == {"a": [0.3333, 12350.0, 7, None, "x"]}


def test_nan_is_refused(tmp_path):
    with pytest.raises(ValueError):
        results.write(tmp_path / "x.json", {"scores": math.nan})
    assert json.dumps(list(tmp_path.iterdir()), default=str) == "[]"

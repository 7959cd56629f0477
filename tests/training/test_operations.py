"""How many operations a training step asks of the device, and that it never waits for one."""

import dataclasses

import keras
import numpy as np
import pytest
from helpers.data_forms import tiny

from fer_keras import Experiment
from fer_keras.data import split
from fer_keras.training import fitting
from fer_keras.training.dataset import Batches

if keras.backend.backend() != "torch":
    pytest.skip("other backends compile their steps", allow_module_level=True)

from helpers.operations import COPIED, Operations

TRAIN = split(tiny((60, 7, 7)))["train"]
RESNET = Experiment(
    name="x",
    model="resnet",
    model_options={"filters": (16, 16, 16), "blocks": (1, 2, 2)},
    normalization=True,
    augmentation=("flip", "affine"),
    label_smoothing=0.1,
    schedule="one_cycle",
)
# For each optimizer its options, the operations of a step and the copies of numbers among them; they may go down.
MOST = {
    "adam": ({"weight_decay": 0.01}, 283, 11),
    "adamw": ({"weight_decay": 0.01}, 283, 11),
    "muon": ({"weight_decay": 0.05, "adam_weight_decay": 0.0}, 426, 11),
    "rmsprop": ({"global_clipnorm": 1.0}, 290, 11),
    "sgd": ({"momentum": 0.9, "use_ema": True}, 286, 11),
}


def calls_of_a_step(experiment):
    """Return {operation: calls} of one training step, by the difference of six and three."""
    counts = []
    for steps in (3, 6):
        train = TRAIN.take(np.arange(8 * steps))
        experiment = dataclasses.replace(experiment, batch_size=8, epochs=1)
        model = fitting.build(experiment, train)
        with Operations() as operations:
            fitting.fit(model, experiment, Batches(train, experiment), None, on_epoch=lambda row: None)
        counts.append(operations.calls)
    few, many = counts
    return {name: (many[name] - few[name]) / 3 for name in many if many[name] > few[name]}


@pytest.mark.parametrize("optimizer", MOST)
def test_a_step_asks_for_no_more_operations(optimizer):
    options, operations, copies = MOST[optimizer]
    experiment = dataclasses.replace(RESNET, optimizer=optimizer, optimizer_options=options)
    calls = calls_of_a_step(experiment)
    assert calls.pop(COPIED) <= copies
    assert sum(calls.values()) <= operations, calls


def test_muon_needs_no_more_operations_for_more_blocks_of_equal_shape():
    """Further blocks add convolutions and normalizations, forward and backward, but nothing to the optimizer."""
    few, many = (
        calls_of_a_step(
            dataclasses.replace(RESNET, model_options={"filters": (4,), "blocks": (blocks,)}, optimizer="muon")
        )
        for blocks in (2, 4)
    )
    for name in ("baddbmm", "bmm", "_foreach_sub_", "_foreach_lerp_", "cos"):
        assert few[name] == many[name] > 0

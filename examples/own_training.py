"""Gradient ratios, weight norms, histograms and wandb in a `fit` of your own.

KERAS_BACKEND=torch python examples/own_training.py        (or jax, or tensorflow)
"""

import keras
import numpy as np

from fer_keras.backend.gradients import tracked
from fer_keras.runs.wandb_tracker import Tracker
from fer_keras.training.callbacks import EpochRows, EpochTime, GradientRatio, Histograms, WeightNorm

x, y = np.random.default_rng(0).random((512, 20), "float32"), np.arange(512) % 3
model = keras.Sequential([keras.layers.Dense(32, "relu"), keras.layers.Dense(3)])
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(tracked(keras.optimizers.Adam)(1e-3), loss, metrics=["acc"])

with Tracker("offline", "runs/own", project="own", name="dense", config={"units": 32}) as tracker:
    histograms = Histograms(x[:128], y[:128], tracker.log_histograms)
    added = [EpochTime(), GradientRatio(), WeightNorm(), histograms, EpochRows(tracker.log_epoch)]
    model.fit(x, y, validation_split=0.25, epochs=3, callbacks=added)

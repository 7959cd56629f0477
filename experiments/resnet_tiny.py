"""Resnet-Tiny: a residual network of a third of a million weights.

    python experiments/resnet_tiny.py

Question  What does a network under one megabyte reach?
Source    beyond the study.
Differs   from 3-2-Best: half the channels of Resnet-Small and little dropout; AdamW, smoothed labels, affine
          moves, batch of 128, sixteen epochs, one-cycle schedule up to 0.003.
Result    test accuracy 61.21 %, validation 61.64 %, gap 2.23 points (1 seed); 6.8 minutes on AMD EPYC, 1
          thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="Resnet-Tiny",
    model="resnet",
    model_options={"filters": (32, 64, 128), "dropout": 0.1},
    normalization=True,
    augmentation=("flip", "affine"),
    label_smoothing=0.1,
    optimizer="adamw",
    optimizer_options={"weight_decay": 0.02},
    learning_rate=3e-3,
    schedule="one_cycle",
    epochs=16,
)

if __name__ == "__main__":
    main()

"""Resnet-Small: the small residual network, for a first answer on a photograph.

    python experiments/resnet_small.py

Question  How far does a residual network of three blocks go in sixteen epochs?
Source    beyond the study.
Differs   from 3-2-Best: a residual network at half the size, AdamW, smoothed labels, affine moves, batch of 128,
          sixteen epochs, one-cycle schedule up to 0.003.
Result    test accuracy 63.17 %, validation 63.41 %, gap 3.58 points (1 seed); 19.4 minutes on AMD EPYC, 1
          thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="Resnet-Small",
    model="resnet",
    model_options={"dropout": 0.3},
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

"""Resnet-Medium: a residual network for one processor core and an evening.

    python experiments/resnet_medium.py

Question  How far does a residual network of five blocks go in forty epochs on a processor?
Source    beyond the study.
Differs   from 3-2-Best: a residual network at half the size, Muon, smoothed labels, affine moves, batch of 128,
          forty epochs, one-cycle schedule up to 0.003.
Result    test accuracy 68.01 %, validation 67.00 %, gap 26.59 points (1 seed); 78.5 minutes on AMD EPYC, 1
          thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="Resnet-Medium",
    model="resnet",
    model_options={"blocks": (1, 2, 2), "dropout": 0.2},
    normalization=True,
    augmentation=("flip", "affine"),
    label_smoothing=0.1,
    optimizer="muon",
    optimizer_options={"weight_decay": 0.05, "adam_weight_decay": 0.0, "exclude_layers": ["logits"]},
    learning_rate=3e-3,
    schedule="one_cycle",
    epochs=40,
)

if __name__ == "__main__":
    main()

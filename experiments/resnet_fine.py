"""Resnet-Fine: a residual network that looks at every pixel first.

    python experiments/resnet_fine.py

Question  What does a convolution at the full size before the stem add to Resnet-Medium?
Source    beyond the study.
Differs   from 3-2-Best: 32 channels at the full size, then the residual network of Resnet-Medium; Muon, smoothed
          labels, affine moves, batch of 128, twenty-four epochs, one-cycle schedule up to 0.003.
Result    test accuracy 67.93 %, validation 67.94 %, gap 17.15 points (1 seed); 47.6 minutes on AMD EPYC, 1
          thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="Resnet-Fine",
    model="resnet",
    model_options={"stem_filters": (32,), "blocks": (1, 2, 2), "dropout": 0.2},
    normalization=True,
    augmentation=("flip", "affine"),
    label_smoothing=0.1,
    optimizer="muon",
    optimizer_options={"weight_decay": 0.05, "adam_weight_decay": 0.0, "exclude_layers": ["logits"]},
    learning_rate=3e-3,
    schedule="one_cycle",
    epochs=24,
)

if __name__ == "__main__":
    main()

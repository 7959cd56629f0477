"""Speedrun-70: the least time to an accuracy of 0.70 on two processor cores.

    python experiments/speedrun_70.py

Question  How soon does a network reach 0.70 on PublicTest, by ten crops?
Source    beyond the study; the time is taken by
          `python benchmarks/speedrun.py experiments/speedrun_70.py --goal 0.70 --tta ten-crop`.
Differs   from 3-2-Best as Resnet-Fine-Long does: 32 channels at the full size, then the residual network of
          Resnet-Medium; mirroring, affine moves, smoothed labels; Muon, one-cycle schedule up to 0.02; batch of
          128, thirty-six epochs. The benchmark trains it on all of Training.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="Speedrun-70",
    model="resnet",
    model_options={"stem_filters": (32,), "blocks": (1, 2, 2), "dropout": 0.2},
    normalization=True,
    augmentation=("flip", "affine"),
    label_smoothing=0.1,
    optimizer="muon",
    optimizer_options={"weight_decay": 0.05, "adam_weight_decay": 0.0, "exclude_layers": ["logits"]},
    learning_rate=2e-2,
    schedule="one_cycle",
    epochs=36,
)

if __name__ == "__main__":
    main()

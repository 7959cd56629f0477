"""Resnet-Fine-Long: Resnet-Fine at seven times the learning rate and half as many epochs again.

    python experiments/resnet_fine_long.py

Question  What does the high rate of Speedrun-60 bring a larger network that has time?
Source    beyond the study.
Differs   from 3-2-Best: 32 channels at the full size, then the residual network of Resnet-Medium; Muon, smoothed
          labels, affine moves, batch of 128, thirty-six epochs, one-cycle schedule up to 0.02.
Result    test accuracy 68.68 %, validation 68.22 %, gap 19.96 points (1 seed); 67.1 minutes on AMD EPYC, 1
          thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="Resnet-Fine-Long",
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

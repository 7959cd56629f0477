"""Speedrun-60: the least time to an accuracy of 0.60 on two processor cores.

    python experiments/speedrun_60.py

Question  How soon does a network reach 0.60 on PublicTest?
Source    beyond the study; `python benchmarks/speedrun.py experiments/speedrun_60.py --goal 0.60` takes the time.
Differs   from 3-2-Best: a residual network of two narrow stages behind 16 channels at the full size, halved by
          average pooling; mirroring, crops of 40 pixels in training, smoothed labels; Muon, one-cycle schedule up
          to 0.04; batch of 160, three epochs.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="Speedrun-60",
    model="resnet",
    model_options={"stem_filters": (16,), "filters": (32, 64, 128), "blocks": (0, 1, 1), "average_pooling": True},
    normalization=True,
    augmentation=("flip", "train_crop_40"),
    label_smoothing=0.1,
    optimizer="muon",
    optimizer_options={"weight_decay": 0.05, "adam_weight_decay": 0.0, "exclude_layers": ["logits"]},
    learning_rate=4e-2,
    schedule="one_cycle",
    batch_size=160,
    epochs=3,
)

if __name__ == "__main__":
    main()

"""Resnet-Large: the residual network at the full size, for a GPU.

    python experiments/resnet_large.py

Question  What does Resnet-Fine-Mixed reach if its stages see every pixel, and it has the time of a GPU?
Source    beyond the study.
Differs   from 3-2-Best: a residual network of two blocks a stage that starts at the full size; mixup of 0.2,
          erasing, mirroring, affine moves, smoothed labels; Muon, one-cycle schedule up to 0.02; batch of 256,
          one hundred epochs. Training takes five billion multiplications an image. Its settings are a guess from
          those of the smaller networks.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="Resnet-Large",
    model="resnet",
    model_options={"stem_stride": 1, "filters": (88, 176, 352), "blocks": (2, 2, 2), "dropout": 0.3},
    normalization=True,
    augmentation=("flip", "affine", "erasing"),
    mixup=0.2,
    label_smoothing=0.1,
    optimizer="muon",
    optimizer_options={"weight_decay": 0.05, "adam_weight_decay": 0.0, "exclude_layers": ["logits"]},
    learning_rate=2e-2,
    schedule="one_cycle",
    batch_size=256,
    epochs=100,
)

if __name__ == "__main__":
    main()

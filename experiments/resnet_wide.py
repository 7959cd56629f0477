"""Resnet-Wide: twice the weights of Resnet-Fine-Long and stronger augmentation, for a GPU.

    fer-keras run experiments/resnet_wide.py --capture

Question  What does width buy, with more augmentation against overfitting?
Source    beyond the study; chosen on validation by a prototype of this network in plain PyTorch, see
          docs/accuracy.md.
Differs   from 3-2-Best: a residual network of two blocks a stage and 5.3 million weights behind 32 channels at the
          full size; mirroring, rotation by up to 15 degrees, zoom and shift by up to 0.15, erasing, smoothed
          labels; Muon, one-cycle schedule up to 0.02; batch of 256, 42 epochs.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="Resnet-Wide",
    model="resnet",
    model_options={
        "stem_filters": (32,),
        "filters": (88, 176, 352),
        "blocks": (2, 2, 2),
        "dropout": 0.3,
    },
    normalization=True,
    augmentation=("flip", "affine_strong", "erasing"),
    label_smoothing=0.1,
    optimizer="muon",
    optimizer_options={"weight_decay": 0.05, "adam_weight_decay": 0.0, "exclude_layers": ["logits"]},
    learning_rate=2e-2,
    schedule="one_cycle",
    batch_size=256,
    epochs=42,
)

if __name__ == "__main__":
    main()

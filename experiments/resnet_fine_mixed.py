"""Resnet-Fine-Mixed: Resnet-Fine with mixup, erasing, more weight decay and twice the epochs.

    python experiments/resnet_fine_mixed.py

Question  Does Resnet-Fine learn more from blended images, if it has the time?
Source    beyond the study.
Differs   from 3-2-Best as Resnet-Fine does, and in mixup of 0.4, erasing, more dropout, twice the weight decay
          and forty-eight epochs.
Result    test accuracy 68.43 %, validation 66.72 %, gap 11.21 points (1 seed); 114.0 minutes on AMD EPYC, 1
          thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="Resnet-Fine-Mixed",
    model="resnet",
    model_options={"stem_filters": (32,), "blocks": (1, 2, 2), "dropout": 0.3},
    normalization=True,
    augmentation=("flip", "affine", "erasing"),
    mixup=0.4,
    label_smoothing=0.1,
    optimizer="muon",
    optimizer_options={"weight_decay": 0.1, "adam_weight_decay": 0.0, "exclude_layers": ["logits"]},
    learning_rate=3e-3,
    schedule="one_cycle",
    epochs=48,
)

if __name__ == "__main__":
    main()

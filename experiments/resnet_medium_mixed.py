"""Resnet-Medium-Mixed: Resnet-Medium with mixup, erasing and more weight decay.

    python experiments/resnet_medium_mixed.py

Question  Does blending images keep Resnet-Medium from learning wrong labels by heart?
Source    beyond the study.
Differs   from 3-2-Best as Resnet-Medium does, and in mixup of 0.4, erasing, more dropout and twice the weight
          decay.
Result    test accuracy 68.43 %, validation 66.31 %, gap 7.85 points (1 seed); 101.0 minutes on AMD EPYC, 1
          thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="Resnet-Medium-Mixed",
    model="resnet",
    model_options={"blocks": (1, 2, 2), "dropout": 0.3},
    normalization=True,
    augmentation=("flip", "affine", "erasing"),
    mixup=0.4,
    label_smoothing=0.1,
    optimizer="muon",
    optimizer_options={"weight_decay": 0.1, "adam_weight_decay": 0.0, "exclude_layers": ["logits"]},
    learning_rate=3e-3,
    schedule="one_cycle",
    epochs=40,
)

if __name__ == "__main__":
    main()

"""Resnet-Fine-Matched: Resnet-Fine, taught by three networks what they say of the same blended images.

    python experiments/resnet_fine_matched.py

Question  Does one network learn what three say together, if it asks them about blends of images and has time?
Source    beyond the study; Beyer et al. 2022, arXiv:2106.05237.
Differs   from 3-2-Best as Resnet-Fine does, but Muon's one-cycle schedule goes up to 0.02, for forty-five epochs,
          with mixup of 0.5, and the target is the mean of what the models of Resnet-Fine-Long, Resnet-Medium and
          Resnet-Tiny say of the blend; no label counts but theirs. Copy their model.keras to the paths named as
          teachers first.
Result    test accuracy 67.62 %, validation 68.29 %, gap 19.73 points (1 seed); 75.9 minutes on AMD EPYC, 1
          thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="Resnet-Fine-Matched",
    model="resnet",
    model_options={"stem_filters": (32,), "blocks": (1, 2, 2), "dropout": 0.1},
    normalization=True,
    augmentation=("flip", "affine"),
    mixup=0.5,
    teachers=("teachers/resnet_fine_long.keras", "teachers/resnet_medium.keras", "teachers/resnet_tiny.keras"),
    distillation=1.0,
    optimizer="muon",
    optimizer_options={"weight_decay": 0.05, "adam_weight_decay": 0.0, "exclude_layers": ["logits"]},
    learning_rate=2e-2,
    schedule="one_cycle",
    epochs=45,
)

if __name__ == "__main__":
    main()

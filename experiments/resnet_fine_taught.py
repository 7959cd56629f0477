"""Resnet-Fine-Taught: Resnet-Fine, taught by two networks that were trained before.

    python experiments/resnet_fine_taught.py

Question  Do the probabilities of trained networks teach better than the labels alone?
Source    beyond the study.
Differs   from 3-2-Best as Resnet-Fine does, and in half of each target: the mean of what the models of
          Resnet-Medium and Resnet-Medium-Mixed say of the image. Copy their model.keras to the paths named as
          teachers first.
Result    test accuracy 67.90 %, validation 67.63 %, gap 18.28 points (1 seed); 46.9 minutes on AMD EPYC, 1
          thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="Resnet-Fine-Taught",
    model="resnet",
    model_options={"stem_filters": (32,), "blocks": (1, 2, 2), "dropout": 0.2},
    normalization=True,
    augmentation=("flip", "affine"),
    label_smoothing=0.1,
    teachers=("teachers/resnet_medium.keras", "teachers/resnet_medium_mixed.keras"),
    distillation=0.5,
    optimizer="muon",
    optimizer_options={"weight_decay": 0.05, "adam_weight_decay": 0.0, "exclude_layers": ["logits"]},
    learning_rate=3e-3,
    schedule="one_cycle",
    epochs=24,
)

if __name__ == "__main__":
    main()

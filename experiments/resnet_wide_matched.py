"""Resnet-Wide-Matched: Resnet-Wide learns the mean of four such networks on the images as it sees them itself.

    fer-keras run experiments/resnet_wide_matched.py --capture

Question  How much of an ensemble fits into one of its networks by function matching?
Source    beyond the study; Beyer et al. 2022, arXiv:2106.05237.
Differs   from 3-2-Best as Resnet-Wide does, with mixup of 0.5 and targets from the models of four seeds of
          Resnet-Wide, which classify the blended and augmented images; labels do not count. Copy their model.keras
          to the paths named as teachers first.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="Resnet-Wide-Matched",
    model="resnet",
    model_options={
        "stem_filters": (32,),
        "filters": (88, 176, 352),
        "blocks": (2, 2, 2),
        "dropout": 0.3,
    },
    normalization=True,
    augmentation=("flip", "affine_strong", "erasing"),
    mixup=0.5,
    teachers=(
        "teachers/resnet_wide_0.keras",
        "teachers/resnet_wide_1.keras",
        "teachers/resnet_wide_2.keras",
        "teachers/resnet_wide_3.keras",
    ),
    teacher_view="augmented",
    distillation=1.0,
    optimizer="muon",
    optimizer_options={"weight_decay": 0.05, "adam_weight_decay": 0.0, "exclude_layers": ["logits"]},
    learning_rate=2e-2,
    schedule="one_cycle",
    batch_size=256,
    epochs=42,
)

if __name__ == "__main__":
    main()

"""Resnet-Wide-Long: Resnet-Wide with dropout in its blocks and 94 epochs.

    fer-keras run experiments/resnet_wide_long.py --capture

Question  Do 94 epochs improve Resnet-Wide if dropout between the convolutions of a block slows overfitting?
Source    beyond the study; Zagoruyko & Komodakis 2016, arXiv:1605.07146, section 2.4.
Differs   from 3-2-Best as Resnet-Wide does, with block_dropout of 0.2, for 94 epochs.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="Resnet-Wide-Long",
    model="resnet",
    model_options={
        "stem_filters": (32,),
        "filters": (88, 176, 352),
        "blocks": (2, 2, 2),
        "block_dropout": 0.2,
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
    epochs=94,
)

if __name__ == "__main__":
    main()

"""Resnet-Small-FERplus: the small residual network on the labels that most of ten people gave.

    python experiments/resnet_small_ferplus.py

Question  What does the same network reach where the labels are those of FER+'s majority?
Source    beyond the study; the labels are of Barsoum et al. 2016, arXiv:1608.01041.
Differs   from 3-2-Best as Resnet-Small does, and in its labels: for FER+ take `fer2013new.csv` beside the data.
          Of 35,887 images 4,623 have no majority for one of the seven emotions and are left out.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="Resnet-Small-FERplus",
    model="resnet",
    model_options={"dropout": 0.3},
    labels="fer+",
    normalization=True,
    augmentation=("flip", "affine"),
    label_smoothing=0.1,
    optimizer="adamw",
    optimizer_options={"weight_decay": 0.02},
    learning_rate=3e-3,
    schedule="one_cycle",
    epochs=16,
)

if __name__ == "__main__":
    main()

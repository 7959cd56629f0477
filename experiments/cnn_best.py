"""3-2-Best: the report's best run.

    python experiments/cnn_best.py

Question  Which convolutional network is the best?
Source    study, step 12.
Differs   from 3-1-Up-Maxpool-Dropout-Layernorm-CNN-image-flip: two convolutions a stage with BatchNorm and a
          little dropout after each, a second dense layer, dropout of 0.2, batch of 64, one-cycle schedule up to
          0.002.
Result    test accuracy 62.79 ± 0.06 %, validation 63.19 ± 0.14 %, gap 6.14 ± 0.21 points (3 seeds of the
          pilot); 8.9 minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-2-Best",
    model="cnn",
    model_options={
        "repeats": 2,
        "units": (256, 128),
        "convolution_normalization": "batch",
        "convolution_dropout": 0.1,
        "normalization": "layer",
        "dropout": 0.2,
    },
    normalization=True,
    augmentation=("flip",),
    learning_rate=2e-3,
    schedule="one_cycle",
    batch_size=64,
)

if __name__ == "__main__":
    main()

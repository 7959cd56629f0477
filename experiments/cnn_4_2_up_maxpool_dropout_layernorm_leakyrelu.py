"""4-2-Up-Maxpool-Dropout-Layernorm-LeakyReLU-CNN: LeakyReLU.

    python experiments/cnn_4_2_up_maxpool_dropout_layernorm_leakyrelu.py

Question  What helps a deeper network: BatchNorm on the convolutions, LeakyReLU, residual connections?
Source    study, step 11.
Differs   from 4-2-Up-Maxpool-Dropout-Layernorm-CNN: LeakyReLU.
Result    test accuracy 59.13 ± 0.64 %, validation 59.03 ± 0.65 %, gap 7.62 ± 1.31 points (3 seeds of the
          pilot); 4.3 minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="4-2-Up-Maxpool-Dropout-Layernorm-LeakyReLU-CNN",
    model="cnn",
    model_options={
        "filters": (16, 32, 64, 128),
        "repeats": 2,
        "units": (256, 128),
        "normalization": "layer",
        "dropout": 0.3,
        "activation": "leaky_relu",
    },
    normalization=True,
    augmentation=("flip",),
)

if __name__ == "__main__":
    main()

"""4-2-Up-Maxpool-Dropout-Layernorm-CBatchnorm-LeakyReLU-CNN: BatchNorm and LeakyReLU.

    python experiments/cnn_4_2_up_maxpool_dropout_layernorm_cbatchnorm_leakyrelu.py

Question  What helps a deeper network: BatchNorm on the convolutions, LeakyReLU, residual connections?
Source    study, step 11.
Differs   from 4-2-Up-Maxpool-Dropout-Layernorm-CBatchnorm-CNN: LeakyReLU.
Result    test accuracy 57.79 ± 0.27 %, validation 57.60 ± 0.65 %, gap 8.40 ± 0.65 points (3 seeds of the
          pilot); 7.7 minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="4-2-Up-Maxpool-Dropout-Layernorm-CBatchnorm-LeakyReLU-CNN",
    model="cnn",
    model_options={
        "filters": (16, 32, 64, 128),
        "repeats": 2,
        "units": (256, 128),
        "normalization": "layer",
        "dropout": 0.3,
        "convolution_normalization": "batch",
        "activation": "leaky_relu",
    },
    normalization=True,
    augmentation=("flip",),
)

if __name__ == "__main__":
    main()

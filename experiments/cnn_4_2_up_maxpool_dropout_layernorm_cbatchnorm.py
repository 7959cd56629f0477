"""4-2-Up-Maxpool-Dropout-Layernorm-CBatchnorm-CNN: BatchNorm on the convolutions.

    python experiments/cnn_4_2_up_maxpool_dropout_layernorm_cbatchnorm.py

Question  What helps a deeper network: BatchNorm on the convolutions, LeakyReLU, residual connections?
Source    study, step 11.
Differs   from 4-2-Up-Maxpool-Dropout-Layernorm-CNN: BatchNorm on the convolutions.
Result    test accuracy 56.22 ± 2.11 %, validation 55.54 ± 2.62 %, gap 11.80 ± 2.49 points (3 seeds of the
          pilot); 5.6 minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="4-2-Up-Maxpool-Dropout-Layernorm-CBatchnorm-CNN",
    model="cnn",
    model_options={
        "filters": (16, 32, 64, 128),
        "repeats": 2,
        "units": (256, 128),
        "normalization": "layer",
        "dropout": 0.3,
        "convolution_normalization": "batch",
    },
    normalization=True,
    augmentation=("flip",),
)

if __name__ == "__main__":
    main()

"""3-2-Up-Maxpool-Dropout-Layernorm-CBatchnorm-LeakyReLU-CNN: with LeakyReLU.

    python experiments/cnn_3_2_up_maxpool_dropout_layernorm_cbatchnorm_leakyrelu.py

Question  Which convolutional network is the best?
Source    study, step 12.
Differs   from 3-2-Up-Maxpool-Dropout-Layernorm-CBatchnorm-CNN: LeakyReLU.
Result    test accuracy 56.38 ± 0.32 %, validation 56.59 ± 1.85 %, gap 5.53 ± 2.17 points (3 seeds of the
          pilot); 4.4 minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-2-Up-Maxpool-Dropout-Layernorm-CBatchnorm-LeakyReLU-CNN",
    model="cnn",
    model_options={
        "units": (256, 128),
        "normalization": "layer",
        "dropout": 0.3,
        "convolution_normalization": "batch",
        "activation": "leaky_relu",
    },
    normalization=True,
    augmentation=("flip",),
    learning_rate=2e-3,
    schedule="one_cycle",
    batch_size=64,
)

if __name__ == "__main__":
    main()

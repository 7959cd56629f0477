"""3-2-Up-Maxpool-Dropout-Layernorm-CBatchnorm-CNN-l2: with a penalty on the weights.

    python experiments/cnn_3_2_up_maxpool_dropout_layernorm_cbatchnorm_l2.py

Question  Which convolutional network is the best?
Source    study, step 12.
Differs   from 3-2-Up-Maxpool-Dropout-Layernorm-CBatchnorm-CNN: L2 of factor 1e-4.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-2-Up-Maxpool-Dropout-Layernorm-CBatchnorm-CNN-l2",
    model="cnn",
    model_options={
        "units": (256, 128),
        "normalization": "layer",
        "dropout": 0.3,
        "convolution_normalization": "batch",
        "l2": 1e-4,
    },
    normalization=True,
    augmentation=("flip",),
)

if __name__ == "__main__":
    main()
